package btc_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestParseBTC(t *testing.T) {
	for text, want := range map[string]btc.Amount{
		"0": 0, "-0": 0, "0.0": 0, "0e40": 0, "1": 100_000_000, "0.1": 10_000_000, "1e-05": 1000, "1E-8": 1, "-0.00000001": -1,
		"0.10000000000": 10_000_000, "21000000": btc.MaxMoney, "2.1e7": btc.MaxMoney, "-21000000.00000000": -btc.MaxMoney, "100e-10": 1, "1.5e+3": 150_000_000_000,
		"0.10": 10_000_000, "0.2": 20_000_000, "0.3": 30_000_000, "1e-8": 1, "-1": -btc.BTC, "20999999.9769": 2_099_999_997_690_000, "0.12345678": 12_345_678,
	} {
		t.Run(text, func(t *testing.T) {
			if got, err := btc.ParseBTC(text); err != nil || got != want {
				t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
			}
		})
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
		t.Run(want, func(t *testing.T) {
			if got := a.String(); got != want {
				t.Errorf("%d: got %s, want %s", a, got, want)
			}
		})
	}
}

func TestAmount_Fixed(t *testing.T) {
	for want, a := range map[string]btc.Amount{
		"0.00000000": 0, "20.00000000": 20 * btc.BTC, "0.00001000": 1000, "-0.00000332": -332, "-1.00000001": -btc.BTC - 1,
	} {
		t.Run(want, func(t *testing.T) {
			if got := a.Fixed(); got != want {
				t.Errorf("%d: got %s, want %s", a, got, want)
			}
		})
	}
}

// TestAmounts_Exact compares formatting and parsing with rational arithmetic.
func TestAmounts_Exact(t *testing.T) {
	random, seed := testkit.Size(50_000, 10_000_000), testkit.Seed(t)
	testkit.Spread(t, seed, random, func(_ int, r *rand.Rand) {
		// Use each number of digits equally often, because most payments are small.
		a := r.Int64N(int64(btc.MaxMoney)+1) % pow10(1+r.IntN(16))
		if r.IntN(4) == 0 {
			a = -a
		}
		checkExact(t, btc.Amount(a), r)
	})
	boundaries := boundaries(int64(testkit.Size(20, 1000)))
	testkit.Spread(t, seed, len(boundaries), func(i int, r *rand.Rand) { checkExact(t, boundaries[i], r) })
	for _, a := range []btc.Amount{btc.MaxMoney + 1, -btc.MaxMoney - 1, 1 << 53, math.MaxInt64, math.MinInt64} {
		if exact, ok := new(big.Rat).SetString(a.String()); !ok || exact.Cmp(big.NewRat(int64(a), int64(btc.BTC))) != 0 {
			t.Errorf("%d is formatted as %s", int64(a), a)
		}
		if got, err := btc.ParseBTC(a.String()); !errors.Is(err, btc.ErrAmount) {
			t.Errorf("%s, over the limit, is parsed as %d", a, got)
		}
	}
	testkit.Figure(t, "%d random and %d boundary amounts formatted, parsed and parsed in other spellings: all exact", random, len(boundaries))
}

// boundaries returns the amounts around the values at which the number of digits or bits,
// the position of the point, or the validity changes.
func boundaries(near int64) []btc.Amount {
	all := map[btc.Amount]bool{}
	around := func(at int64) {
		for a := btc.Amount(at - near); a <= btc.Amount(at+near); a++ {
			if a >= -btc.MaxMoney && a <= btc.MaxMoney {
				all[a], all[-a] = true, true
			}
		}
	}
	for digits := range 16 {
		for first := range int64(10) {
			around(first * pow10(digits))
		}
	}
	for bit := range 51 {
		around(1 << bit)
	}
	around(int64(btc.MaxMoney))
	return slices.Sorted(maps.Keys(all))
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// checkExact fails the test unless an amount is formatted exactly, is parsed from this
// text and from another spelling, and is rejected if a fraction of a satoshi is
// added.
func checkExact(t *testing.T, a btc.Amount, r *rand.Rand) {
	text := a.String()
	exact, ok := new(big.Rat).SetString(text)
	if !ok || exact.Cmp(big.NewRat(int64(a), int64(btc.BTC))) != 0 || !jsonNumber.MatchString(text) {
		t.Errorf("%d is formatted as %s", int64(a), text)
	}
	for _, spelling := range []string{text, spellRandomly(a, r)} {
		if back, err := btc.ParseBTC(spelling); err != nil || back != a {
			t.Errorf("%d, spelled %s, is parsed as %d, %v", int64(a), spelling, int64(back), err)
		}
	}
	finer := fmt.Sprintf("%d%de%d", int64(a), 1+r.IntN(9), -9)
	if got, err := btc.ParseBTC(finer); !errors.Is(err, btc.ErrAmount) {
		t.Errorf("%s is parsed as %d", finer, int64(got))
	}
}

// spellRandomly formats an amount as another program might: with leading and trailing
// zeros, the point anywhere, and an exponent.
func spellRandomly(a btc.Amount, r *rand.Rand) string {
	digits, negative := strings.CutPrefix(strconv.FormatInt(int64(a), 10), "-")
	exponent := -8 // of the digits
	if zeros := r.IntN(4); zeros > 0 {
		digits += "000"[:zeros]
		exponent -= zeros
	}
	whole := 1 + r.IntN(len(digits))
	if zeros := r.IntN(5); zeros > 0 || digits[0] == '0' {
		digits, whole = "00000"[:1+zeros]+digits, 1
	}
	text := digits[:whole]
	if fraction := digits[whole:]; fraction != "" {
		text += "." + fraction
		exponent += len(fraction)
	}
	if negative {
		text = "-" + text
	}
	return text + fmt.Sprintf([]string{"e%d", "E%+d", "e%03d"}[r.IntN(3)], exponent)
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
