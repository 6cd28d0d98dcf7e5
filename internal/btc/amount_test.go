package btc_test

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

func TestParseBTC(t *testing.T) {
	for text, want := range map[string]btc.Amount{
		"0": 0, "-0": 0, "0.0": 0, "0e40": 0, "1": 100_000_000, "0.1": 10_000_000, "1e-05": 1000, "1E-8": 1, "-0.00000001": -1,
		"0.10000000000": 10_000_000, "21000000": btc.MaxMoney, "2.1e7": btc.MaxMoney, "-21000000.00000000": -btc.MaxMoney, "100e-10": 1, "1.5e+3": 150_000_000_000,
		"0.10": 10_000_000, "0.2": 20_000_000, "0.3": 30_000_000, "1e-8": 1, "-1": -btc.BTC, "20999999.9769": 2_099_999_997_690_000, "0.12345678": 12_345_678,
	} {
		if got, err := btc.ParseBTC(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "-", "+1", ".1", "1.", "01", "1e", "e1", "1e1.5", "0x10", "1_0", " 1", "1 ", "NaN", "Infinity", "--1", "1.2.3", "1e41", "1e-41", "1e9999999999",
		"0.000000001", "1e-9", "21000000.00000001", "21000001", "1e20", "99999999999999999999999", "0.-1", "\u0661",
		"0.123456789", "1,5", "1e400", "-1e400", "1e-400", "nan", "-Infinity", "9007199254740993", "2099999997690000", "18446744073709551617",
	} {
		if got, err := btc.ParseBTC(text); !errors.Is(err, btc.ErrAmount) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}

func TestAmountText(t *testing.T) {
	for want, a := range map[string]btc.Amount{
		"0.0": 0, "20.0": 20 * btc.BTC, "26.168": 2_616_800_000, "0.00001": 1000, "-0.00000332": -332, "-1.0": -btc.BTC,
	} {
		if got := a.String(); got != want {
			t.Errorf("%d: got %s, want %s", a, got, want)
		}
	}
}

// TestAmountsAreExact compares with rational arithmetic.
func TestAmountsAreExact(t *testing.T) {
	check := func(a btc.Amount) {
		exact, ok := new(big.Rat).SetString(a.String())
		if !ok || exact.Cmp(big.NewRat(int64(a), int64(btc.BTC))) != 0 {
			t.Fatalf("%d is written as %s", a, a)
		}
		if back, err := btc.ParseBTC(a.String()); err != nil || back != a {
			t.Fatalf("%d is read back as %d, %v", a, back, err)
		}
	}
	for a := range btc.Amount(10_000) {
		check(a)
		check(-a)
		check(btc.MaxMoney - a)
	}
	for range 100_000 {
		check(btc.Amount(rand.Int64N(int64(btc.MaxMoney))))
	}
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func FuzzParseBTC(f *testing.F) {
	for _, seed := range []string{"0", "1e-05", "-21000000.00000000", "0.1", "1e40", "1.5E+3", "00", "1e-9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := btc.ParseBTC(text)
		if err != nil {
			return
		}
		if !jsonNumber.MatchString(text) {
			t.Fatalf("takes %q, which is no JSON number", text)
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok || exact.Cmp(big.NewRat(int64(got), int64(btc.BTC))) != 0 {
			t.Fatalf("reads %q as %d sat", text, got)
		}
	})
}
