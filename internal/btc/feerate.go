package btc

import (
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// FeeRate is a fee rate in satoshis per 1000 virtual bytes. Its text format is
// satoshis per virtual byte with up to three decimals, the precision of Bitcoin
// Core (RPC, fee_rate in sat/vB).
type FeeRate int64

// MaxFeeRate is the maximum that ParseFeeRate accepts: 100,000 sat/vB. It exceeds
// the fee rates of all past transactions.
const MaxFeeRate FeeRate = 100_000_000

// ErrFeeRate is returned for text that is not a fee rate.
var ErrFeeRate = fault.New(fault.Invalid, "invalid_fee_rate", "a fee rate is a number of sat/vB above 0 and up to 100000, with at most three decimals")

// ParseFeeRate parses a JSON number of satoshis per virtual byte, such as 5, 1.25
// or 1e1, exactly. It returns ErrFeeRate for other text and for numbers that have
// more than three decimals, are not positive or exceed MaxFeeRate.
func ParseFeeRate(text string) (FeeRate, error) {
	digits, exponent, ok := splitNumber(text)
	shift := exponent + 3
	for ; shift < 0 && strings.HasSuffix(digits, "0"); shift++ {
		digits = digits[:len(digits)-1]
	}
	if !ok || digits == "" || shift < 0 || len(digits)+shift > len("100000000") {
		return 0, ErrFeeRate
	}
	rate, err := strconv.ParseInt(digits+strings.Repeat("0", shift), 10, 64)
	if err != nil || FeeRate(rate) > MaxFeeRate {
		return 0, ErrFeeRate
	}
	return FeeRate(rate), nil
}

// Fee returns the fee for a number of virtual bytes, rounded up as Bitcoin Core
// does.
func (r FeeRate) Fee(vsize int) Amount { return Amount((int64(r)*int64(vsize) + 999) / 1000) }

// String returns the rate in satoshis per virtual byte, with the fewest digits that
// represent it exactly.
func (r FeeRate) String() string {
	text := strconv.FormatInt(int64(r)/1000, 10)
	if rest := int64(r) % 1000; rest != 0 {
		text += strings.TrimRight("."+strconv.FormatInt(1000+rest, 10)[1:], "0")
	}
	return text
}
