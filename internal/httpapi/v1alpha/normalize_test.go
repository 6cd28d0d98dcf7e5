package v1alpha

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// TestAddressNormalization checks that upper-case and mixed-case bech32 addresses are
// accepted, and that all other text is unchanged.
func TestAddressNormalization(t *testing.T) {
	const lower, base58 = "bcrt1qgc6h85z43g3ss2dl5zdrzrp3ef6av4neqcqhh8", "2N3oefVeg6stiTb5Kh3ozCSkaqmx91FDbsm"
	for text, want := range map[string]string{
		lower: lower, strings.ToUpper(lower): lower, "BCRT1" + lower[5:]: lower, lower[:20] + strings.ToUpper(lower[20:]): lower, " " + strings.ToUpper(lower) + " ": lower,
		"bc1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "Tb1q": "tb1q",
		base58: base58, "1BC1Q": "1BC1Q", "": "", "bcrt1\u212a": "bcrt1\u212a",
	} {
		t.Run(text, func(t *testing.T) {
			if got := lowerBech32(text); got != want {
				t.Errorf("%q becomes %q, want %q", text, got, want)
			}
		})
	}
	if _, err := btc.ParseAddress(lower[:20]+strings.ToUpper(lower[20:]), btc.Regtest); err == nil {
		t.Error("v1 accepts mixed case")
	}
}

// TestNumberNormalization covers spellings of numbers that Python's float and int accept.
func TestNumberNormalization(t *testing.T) {
	for text, want := range map[string]btc.Amount{
		`0.5`: 50_000_000, `"0.5"`: 50_000_000, `" 0.5\n"`: 50_000_000, `"+0.5"`: 50_000_000, `".5"`: 50_000_000, `"5."`: 500_000_000, `"005.50"`: 550_000_000, `"+5.E-1"`: 50_000_000,
	} {
		t.Run(text, func(t *testing.T) {
			r := recipient{Unit: "btc"}
			if err := r.Amount.UnmarshalJSON([]byte(text)); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			if got, err := r.amount("x"); err != nil || got != want {
				t.Errorf("%s is %s, %v, want %s", text, got, err, want)
			}
		})
	}
	for _, text := range []string{`"."`, `"+"`, `"-"`, `"+-1"`, `"--1"`, `"-0.5"`, `"1_000"`, `"0x10"`, `"1.2.3"`, `"nan"`, `"inf"`, `"e5"`, `"½"`, `true`} {
		r := recipient{Unit: "btc"}
		err := r.Amount.UnmarshalJSON([]byte(text))
		if err == nil {
			_, err = r.amount("x")
		}
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]position{`0`: 0, `1`: 1, `"1"`: 1, `" 1 "`: 1, `"+1"`: 1, `"01"`: 1, `1.0`: 1, `null`: 0} {
		t.Run(text, func(t *testing.T) {
			p := position(9)
			if err := p.UnmarshalJSON([]byte(text)); err != nil || p != want {
				t.Errorf("the position %s is %d, %v", text, p, err)
			}
		})
	}
	for _, text := range []string{`-1`, `0.5`, `1e1`, `"x"`, `""`, `true`, `[0]`, `{}`} {
		if err := new(position).UnmarshalJSON([]byte(text)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("the position %s: %v", text, err)
		}
	}
}

// TestRateNormalization checks that fee rates are rounded to the precision of Bitcoin Core.
func TestRateNormalization(t *testing.T) {
	for text, want := range map[string]btc.FeeRate{"5": 5000, "4.123456": 4123, "4.1236": 4124, "1.0005e1": 10005, "1.00049e1": 10005, "0.0006": 1, "100000.0": 100_000_000} {
		t.Run(text, func(t *testing.T) {
			if got, err := parseRate(text); err != nil || got != want {
				t.Errorf("%s is %d, %v, want %d", text, got, err, want)
			}
		})
	}
	for _, text := range []string{"", "-1", "-1.23456", "0.0001", "1e400", "nan", "inf", "0x1p1", "100001", "100000.00001", "1.2.3456", "cheap"} {
		if got, err := parseRate(text); err == nil {
			t.Errorf("%s is %d", text, got)
		}
	}
}

// TestArgumentNormalization checks that strings are parsed like the arguments of Specter
// Desktop's API.
func TestArgumentNormalization(t *testing.T) {
	for text, want := range map[string]argument{
		`"a"`: "a", `""`: "", `" a "`: " a ", `5`: "5", `-1.5`: "-1.5", `true`: "True", `false`: "False", `["a", "b"]`: "a", `[5]`: "5", `[""]`: "",
	} {
		t.Run(text, func(t *testing.T) {
			var got argument
			if err := got.UnmarshalJSON([]byte(text)); err != nil || got != want {
				t.Errorf("%s is %q, %v, want %q", text, got, err, want)
			}
		})
	}
	for _, text := range []string{`null`, `{}`, `[]`, `[null]`, `[["a"]]`, `[{}]`} {
		if err := new(argument).UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}
