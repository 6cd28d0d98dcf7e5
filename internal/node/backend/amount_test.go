package backend_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestAmounts_Exact checks that amounts in a node's response are decoded exactly
// to the satoshi.
func TestAmounts_Exact(t *testing.T) {
	t.Parallel()
	const utxos = 10_000 // in a response
	amountOf := func(answer, utxo int64) btc.Amount {
		n := rand.New(rand.NewPCG(uint64(answer), uint64(utxo))).Int64N(int64(btc.MaxMoney) + 1)
		return btc.Amount(n >> (utxo % 51))
	}
	n, _ := answering(t, func(w http.ResponseWriter, nth int32) {
		var text strings.Builder
		for i := range int64(utxos) {
			a := amountOf(int64(nth), i)
			_, _ = fmt.Fprintf(&text, `{"txid":"%064x","vout":%d,"amount":%d.%08d},`, nth, i, a/btc.BTC, a%btc.BTC)
		}
		_, _ = w.Write([]byte(`{"result":[` + strings.TrimSuffix(text.String(), ",") + `],"error":null,"id":$id}`))
	})
	var read atomic.Int64
	testkit.Spread(t, 0, testkit.Size(3, 1000), func(int, *rand.Rand) {
		list, err := n.Wallet("w").Unspent(t.Context())
		if err != nil || len(list) != utxos {
			t.Errorf("%d UTXOs, %v", len(list), err)
			return
		}
		var nth int64
		_, err = fmt.Sscanf(list[0].Txid, "%x", &nth)
		if err != nil {
			t.Error(err)
		}
		for i, c := range list {
			if want := amountOf(nth, int64(i)); c.Amount != want {
				t.Errorf("%d is decoded as %d", int64(want), int64(c.Amount))
			}
		}
		read.Add(utxos)
	})
	testkit.Figure(t, "%d amounts decoded from a node's responses: all exact", read.Load())
}
