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

// The functions and types below normalize values of a request before they are validated, as
// Specter Desktop does (docs/compatibility.md).

// lowerBech32 converts a bech32 address to lower case, without surrounding spaces. It returns
// other text unchanged. Specter Desktop accepts mixed case, although BIP-173 forbids it.
func lowerBech32(address string) string {
	if strings.ContainsFunc(address, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return address // ToLower would convert some of these characters, such as the Kelvin sign, to ASCII
	}
	lower := strings.ToLower(strings.TrimSpace(address))
	for _, prefix := range []string{"bc1", "tb1", "bcrt1"} {
		if strings.HasPrefix(lower, prefix) {
			return lower
		}
	}
	return address
}

// jsonNumber converts a decimal number to JSON syntax. Specter Desktop parses numbers with
// Python's float, which also accepts +1, .5, 5. and 007. Text that is not a number remains
// invalid.
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
		return word // not a number; the caller's parser rejects it
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

// parseRate parses a fee rate in satoshis per virtual byte, and rounds it to three
// decimals, the precision of Bitcoin Core.
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

// argument is a string that is decoded in the same way as by Specter Desktop's argument
// parser: a list is replaced by its first element, a number by its text, and a boolean by
// True or False.
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

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (argument) JSONSchemaBytes() ([]byte, error) { return []byte(`{"type":"string"}`), nil }

var errArgument = fault.New(fault.Invalid, "invalid_string", "must be a string")
