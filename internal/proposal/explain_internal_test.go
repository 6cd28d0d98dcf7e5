package proposal

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestDeficitProperty checks with random ancestries that no set of ancestors falls
// further short of a fee rate than deficitOf returns.
func TestDeficitProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(testkit.Seed(t), 0))
	for range 2000 {
		pool := map[string]MempoolTx{}
		count := 1 + r.IntN(25)
		for i := range count {
			tx := MempoolTx{Txid: fmt.Sprint(i), VSize: 1 + r.Int64N(2000)}
			tx.Fee = btc.Amount(r.Int64N(40 * tx.VSize))
			for parent := range i {
				if r.IntN(3) == 0 {
					tx.Parents = append(tx.Parents, fmt.Sprint(parent))
				}
			}
			if i == count-1 { // all are ancestors of the last
				for parent := range i {
					tx.Parents = append(tx.Parents, fmt.Sprint(parent))
				}
			}
			pool[tx.Txid] = tx
		}
		rate := btc.FeeRate(1 + r.Int64N(50_000))
		whole := deficitOf(pool, fmt.Sprint(count-1), rate)
		for range 20 {
			var size int64
			var fee btc.Amount
			for _, tx := range pool {
				if r.IntN(2) == 0 {
					size, fee = size+tx.VSize, fee+tx.Fee
				}
			}
			if lacks := rate.Fee(int(size)) - fee; lacks > whole {
				t.Fatalf("ancestors are %d sat short of %s sat/vB, but deficitOf returns %d", lacks, rate, whole)
			}
		}
	}
	endless := map[string]MempoolTx{"a": {Txid: "a", VSize: 100, Parents: []string{"b", "a"}}, "b": {Txid: "b", VSize: 100, Parents: []string{"a"}}}
	if got := deficitOf(endless, "a", 1000); got != 200 {
		t.Errorf("transactions that descend from each other have a deficit of %d sat", got)
	}
}

// TestFeeRangeProperty checks that a fee at the requested rate is always within the range,
// and that a fee 10 % higher or lower never is, for payments of usual size.
func TestFeeRangeProperty(t *testing.T) {
	r := rand.New(rand.NewPCG(testkit.Seed(t), 0))
	for range 100_000 {
		inputs := 1 + r.IntN(500)
		vsize := 100*inputs + r.IntN(3000)
		rate := btc.FeeRate(500 + r.Int64N(int64(btc.MaxFeeRate)))
		least, most := feeRange(rate, vsize, inputs)
		if fee := rate.Fee(vsize); fee < least || fee > most || fee*11/10 < most || fee*9/10 > least {
			t.Fatalf("%d sat for %d vB of %d inputs at %s sat/vB: from %d to %d", fee, vsize, inputs, rate, least, most)
		}
	}
}
