package v1alpha

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestAmounts_Exact checks that amounts in responses are exact, both for clients that
// parse decimals and for clients that parse and round doubles, and that amounts in
// requests are parsed exactly.
func TestAmounts_Exact(t *testing.T) {
	n := testkit.Size(20_000, 10_000_000)
	testkit.Spread(t, testkit.Seed(t), n, func(i int, r *rand.Rand) {
		a := btc.Amount(r.Int64N(int64(btc.MaxMoney)) >> r.IntN(51))
		fee, flow := a/3, -a
		answer := wallet.Record{Transaction: wallet.Transaction{Flow: flow, Fee: &fee}}
		text := string(appendUTXO(nil, &answer, &wallet.Unspent{Amount: a}, wallet.Tip{}))
		double, err := strconv.ParseFloat(member(text, "flow_amount"), 64)
		if err != nil || !isExact(member(text, "amount"), a) || !isExact(member(text, "fee"), fee) || btc.Amount(math.Round(double*1e8)) != flow {
			t.Errorf("%d is encoded as %s", int64(a), text)
		}
		if a == 0 {
			return
		}
		for unit, text := range map[string]string{
			"btc": fmt.Sprintf("%d.%08d", a/btc.BTC, a%btc.BTC), "sat": fmt.Sprintf("%de0", int64(a)),
		} {
			if i%2 == 0 {
				text = `"` + text + `"`
			}
			asked := recipient{Unit: unit}
			if err := asked.Amount.UnmarshalJSON([]byte(text)); err != nil {
				t.Error(err)
			}
			if got, err := asked.amount("x"); err != nil || got != a {
				t.Errorf("%s %s is parsed as %d, %v", text, unit, int64(got), err)
			}
		}
	})
	testkit.Figure(t, "%d amounts in responses and requests of v1alpha: all exact", n)
}

// member returns the JSON text of a number in an object by its member name.
func member(object, name string) string {
	_, after, _ := strings.Cut(object, `"`+name+`":`)
	return after[:strings.IndexAny(after, ",}")]
}

func isExact(number string, a btc.Amount) bool {
	exact, ok := new(big.Rat).SetString(number)
	return ok && exact.Cmp(big.NewRat(int64(a), int64(btc.BTC))) == 0
}
