package v1alpha

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// What the original changes in a request before it checks it. docs/compatibility.md
// lists what is not mirrored.

// lowerBech32 returns a bech32 address in lower case, and any other text as it is. To
// the original, an address in mixed case is valid, although BIP-173 forbids it.
func lowerBech32(address string) string {
	if strings.ContainsFunc(address, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return address // lower case would make ASCII of some
	}
	lower := strings.ToLower(strings.TrimSpace(address))
	for _, prefix := range []string{"bc1", "tb1", "bcrt1"} {
		if strings.HasPrefix(lower, prefix) {
			return lower
		}
	}
	return address
}

// jsonNumber returns a decimal number as JSON writes it. Python's float also takes
// +1, .5, 5. and 007.
func jsonNumber(word string) string {
	number, negative := strings.CutPrefix(word, "-")
	if !negative {
		number = strings.TrimPrefix(number, "+")
	}
	mantissa, exponent := number, ""
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		mantissa, exponent = number[:i], number[i:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole == "" && fraction == "" {
		return word // not a number, as its reader will find
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	if negative {
		whole = "-" + whole
	}
	return whole + fraction + exponent
}

// parseRate reads a fee rate, rounded to the three decimals that Core takes.
func parseRate(text string) (btc.FeeRate, error) {
	rate, err := btc.ParseFeeRate(text)
	if err == nil || strings.Trim(text, "0123456789.eE+-") != "" {
		return rate, err
	}
	number, numberErr := strconv.ParseFloat(text, 64)
	if numberErr != nil || number <= 0 || number > float64(btc.MaxFeeRate)/1000 {
		return rate, err
	}
	return btc.ParseFeeRate(strconv.FormatFloat(number, 'f', 3, 64))
}

// argument is a string. Of a list the first element is taken, and numbers and truth
// values become their text, as by the original's parser of arguments.
type argument string

// UnmarshalJSON implements json.Unmarshaler.
func (a *argument) UnmarshalJSON(text []byte) error {
	value := jsontext.Value(text)
	if value.Kind() == '[' {
		var list []jsontext.Value
		if err := json.Unmarshal(value, &list); err != nil {
			return err
		}
		if len(list) == 0 {
			return errArgument
		}
		value = list[0]
	}
	switch value.Kind() {
	case '"':
		return json.Unmarshal(value, (*string)(a))
	case '0':
		*a = argument(value)
	case 't':
		*a = "True"
	case 'f':
		*a = "False"
	default:
		return errArgument
	}
	return nil
}

// JSONSchemaBytes is for the API's description.
func (argument) JSONSchemaBytes() ([]byte, error) { return []byte(`{"type":"string"}`), nil }

var errArgument = fault.New(fault.Invalid, "invalid_string", "must be a string")
