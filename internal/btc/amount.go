package btc

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// Amount is an amount in satoshis. It may be negative, for example for an outgoing
// flow of a wallet.
type Amount int64

// Units, and the maximum amount.
const (
	Satoshi Amount = 1
	BTC     Amount = 100_000_000
	// MaxMoney is Bitcoin Core's maximum for amounts, which exceeds the supply that
	// will ever exist (consensus/amount.h).
	MaxMoney = 21_000_000 * BTC
)

// ErrAmount is returned for text that is not an amount.
var ErrAmount = fault.New(fault.Invalid, "invalid_amount", "an amount in BTC is a decimal number with at most eight decimals, and at most 21000000")

const (
	decimals  = 8
	maxDigits = 40 // maximum number of digits, and maximum of the exponent
)

// ParseBTC parses a JSON number of bitcoins, such as 0.1, -3 or 1e-05, exactly. It
// returns ErrAmount for other text, for fractions of a satoshi, and for absolute values
// over MaxMoney.
func ParseBTC(text string) (Amount, error) {
	number, negative := strings.CutPrefix(text, "-")
	digits, exponent, ok := splitNumber(number)
	// The number equals digits × 10^shift satoshis.
	shift := exponent + decimals
	for ; shift < 0 && strings.HasSuffix(digits, "0"); shift++ {
		digits = digits[:len(digits)-1]
	}
	switch {
	case !ok:
		return 0, ErrAmount
	case digits == "":
		return 0, nil
	case shift < 0, len(digits)+shift > len("2100000000000000"):
		return 0, ErrAmount
	}
	sats, err := strconv.ParseInt(digits+strings.Repeat("0", shift), 10, 64)
	if err != nil || Amount(sats) > MaxMoney {
		return 0, ErrAmount
	}
	if negative {
		sats = -sats
	}
	return Amount(sats), nil
}

// ParseDecimalBTC parses an amount in bitcoins as people write it: digits with at most one
// decimal point, which may be the first or the last character. It returns ErrAmount for
// other text, such as numbers with a sign, an exponent or a comma, and as ParseBTC does.
func ParseDecimalBTC(text string) (Amount, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, ErrAmount
	}
	return ParseBTC(cmp.Or(strings.TrimLeft(whole, "0"), "0") + "." + fraction + "0")
}

// splitNumber returns a JSON number without a sign as digits × 10^exponent. The
// digits have no leading zeros; zero has no digits.
func splitNumber(number string) (digits string, exponent int, ok bool) {
	mantissa := number
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		var err error
		mantissa = number[:i]
		if exponent, err = strconv.Atoi(number[i+1:]); err != nil || exponent < -maxDigits || exponent > maxDigits {
			return "", 0, false
		}
	}
	whole, fraction, hasPoint := strings.Cut(mantissa, ".")
	digits = whole + fraction
	switch {
	case whole == "", hasPoint && fraction == "", len(whole) > 1 && whole[0] == '0':
		return "", 0, false
	case len(digits) > maxDigits, strings.Trim(digits, "0123456789") != "":
		return "", 0, false
	}
	return strings.TrimLeft(digits, "0"), exponent - len(fraction), true
}

// AppendBTC appends a in bitcoins as a JSON number with the fewest digits that
// represent it exactly, and at least one decimal, as in 0.00001, 26.168 and 20.0.
func (a Amount) AppendBTC(b []byte) []byte {
	u := uint64(a) //nolint:gosec // two's complement is meant
	if a < 0 {
		b = append(b, '-')
		u = -u
	}
	b = strconv.AppendUint(b, u/uint64(BTC), 10)
	// The leading 1 preserves the zeros after it and makes room for the point.
	point := len(b)
	b = strconv.AppendUint(b, uint64(BTC)+u%uint64(BTC), 10)
	b[point] = '.'
	for len(b) > point+2 && b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

// String returns a in bitcoins in the format of AppendBTC.
func (a Amount) String() string { return string(a.AppendBTC(nil)) }

// Fixed returns a in bitcoins with eight decimals, as in texts for people.
func (a Amount) Fixed() string {
	sign := ""
	if a < 0 {
		sign, a = "-", -a
	}
	return fmt.Sprintf("%s%d.%08d", sign, a/BTC, a%BTC)
}

// JSONBTC is an Amount that is encoded in JSON as a number of bitcoins.
type JSONBTC Amount

// MarshalJSON implements json.Marshaler.
func (a JSONBTC) MarshalJSON() ([]byte, error) { return Amount(a).AppendBTC(nil), nil }

// UnmarshalJSON implements json.Unmarshaler. It returns ErrAmount for anything that
// ParseBTC refuses.
func (a *JSONBTC) UnmarshalJSON(text []byte) error {
	sats, err := ParseBTC(string(text))
	*a = JSONBTC(sats)
	return err
}
