package btc_test

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

func TestParseFeeRate(t *testing.T) {
	for text, want := range map[string]btc.FeeRate{
		"1": 1000, "5": 5000, "1.25": 1250, "3.333": 3333, "0.001": 1, "1e-3": 1, "1e1": 10_000, "1.0000": 1000, "0.1e1": 1000,
		"0.10": 100, "99999.999": 99_999_999, "100000": btc.MaxFeeRate, "1e5": btc.MaxFeeRate, "100000.000": btc.MaxFeeRate, "1000000e-6": 1000,
	} {
		t.Run(text, func(t *testing.T) {
			if got, err := btc.ParseFeeRate(text); err != nil || got != want {
				t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
			}
		})
	}
	for _, text := range []string{
		"", "0", "0.0", "-0", "-1", "+1", ".5", "5.", "05", "1,5", " 1", "1 ", "NaN", "Infinity", "0x1", "1e400", "1e-400", "1e41", "1e", "1_0", `"1"`,
		"0.0001", "1.0001", "3.3333", "1e-4", "100000.001", "100001", "1e6", "9007199254740993", "99999999999999999999999", "\u0661",
	} {
		if got, err := btc.ParseFeeRate(text); !errors.Is(err, btc.ErrFeeRate) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}

func TestFeeRateText(t *testing.T) {
	for want, rate := range map[string]btc.FeeRate{
		"0": 0, "0.001": 1, "0.01": 10, "0.1": 100, "1": 1000, "1.05": 1050, "12.345": 12_345, "12.34": 12_340, "100000": btc.MaxFeeRate,
	} {
		t.Run(want, func(t *testing.T) {
			if got := rate.String(); got != want {
				t.Errorf("%d: got %s, want %s", rate, got, want)
			}
		})
	}
	for range 100_000 {
		rate := 1 + btc.FeeRate(rand.Int64N(int64(btc.MaxFeeRate)))
		exact, ok := new(big.Rat).SetString(rate.String())
		if !ok || exact.Cmp(big.NewRat(int64(rate), 1000)) != 0 {
			t.Fatalf("%d is formatted as %s", rate, rate)
		}
		if back, err := btc.ParseFeeRate(rate.String()); err != nil || back != rate {
			t.Fatalf("%d is parsed as %d, %v", rate, back, err)
		}
	}
}

func TestFee(t *testing.T) {
	for i, c := range []struct {
		rate  btc.FeeRate
		vsize int
		want  btc.Amount
	}{
		{1000, 141, 141}, {1, 141, 1}, {1, 1000, 1}, {1, 1001, 2}, {3333, 141, 470}, {0, 141, 0}, {1500, 3, 5}, {btc.MaxFeeRate, 100_000, 100 * btc.BTC},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if got := c.rate.Fee(c.vsize); got != c.want {
				t.Errorf("%s for %d: got %d, want %d", c.rate, c.vsize, got, c.want)
			}
		})
	}
}

// shortNumber is a JSON number that big.Rat parses quickly.
var shortNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?$`)

// FuzzParseFeeRate compares ParseFeeRate with rational arithmetic.
func FuzzParseFeeRate(f *testing.F) {
	for _, seed := range []string{"1", "3.333", "1e-3", "100000", "0.0001", "1E+1", "1,5", "-1", "00", "1e400"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := btc.ParseFeeRate(text)
		if err == nil && (!jsonNumber.MatchString(text) || got <= 0 || got > btc.MaxFeeRate) {
			t.Fatalf("parsed %q as %d", text, got)
		}
		if !shortNumber.MatchString(text) {
			return
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q is not a number", text)
		}
		exact.Mul(exact, big.NewRat(1000, 1))
		good := exact.IsInt() && exact.Sign() > 0 && exact.Cmp(big.NewRat(int64(btc.MaxFeeRate), 1)) <= 0
		if good != (err == nil) || good && exact.Cmp(big.NewRat(int64(got), 1)) != 0 {
			t.Fatalf("parsed %q as %d, %v", text, got, err)
		}
	})
}
