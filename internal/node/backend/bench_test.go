package backend_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// BenchmarkFirstSync measures the two calls of a first sync, and the same RPC calls
// without decoding.
func BenchmarkFirstSync(b *testing.B) {
	s := start(b)
	s.CLI(b, "createwallet", "alice")
	s.CLI(b, "generatetoaddress", 2000, s.address(b, "alice"))
	w := s.core.Wallet("alice")
	entries, _ := since(b, w, "")
	var txids []string
	for _, e := range entries {
		txids = append(txids, e.Txid)
	}
	bare := func(b *testing.B, body any) {
		text, err := json.Marshal(body)
		testkit.Check(b, err)
		resp, err := http.Post(s.URL()+"/wallet/alice", "application/json", bytes.NewReader(text))
		testkit.Check(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		testkit.Check(b, err)
		testkit.Check(b, resp.Body.Close())
	}
	type call map[string]any
	b.Run("ListSinceBlock/bare", func(b *testing.B) {
		for b.Loop() {
			bare(b, call{"method": "listsinceblock", "params": []any{"", 1, true, true, true}})
		}
	})
	b.Run("ListSinceBlock/core", func(b *testing.B) {
		for b.Loop() {
			_, err := w.ListSinceBlock(b.Context(), "", func(backend.Entry) error { return nil })
			testkit.Check(b, err)
		}
	})
	b.Run("Transactions/bare", func(b *testing.B) {
		for b.Loop() {
			for part := range slices.Chunk(txids, 100) {
				var batch []call
				for _, txid := range part {
					batch = append(batch, call{"method": "gettransaction", "params": []any{txid, true, false}})
				}
				bare(b, batch)
			}
		}
	})
	b.Run("Transactions/core", func(b *testing.B) {
		for b.Loop() {
			testkit.Check(b, w.Transactions(b.Context(), txids, func(backend.Transaction) error { return nil }))
		}
	})
}

// BenchmarkPayment measures the calls for a payment, by script type and number of
// UTXOs.
func BenchmarkPayment(b *testing.B) {
	p := provide(b, "-unsafesqlitesync=0")
	p.payer(b, "payer")
	random := rand.New(rand.NewPCG(1, 2))
	for _, k := range []testkit.Script{testkit.WPKH, testkit.WSH} {
		for _, count := range []int{20, 1000} {
			amounts := make([]btc.Amount, count)
			var total btc.Amount
			for i := range amounts {
				amounts[i] = 10_000 + btc.Amount(random.Int64N(1_000_000))
				total += amounts[i]
			}
			k := k
			k.Name = fmt.Sprintf("%s/%d", k.Name, count)
			p.vault(b, k, amounts...).benchPayment(b, total/4)
		}
	}
}

func (v vault) benchPayment(b *testing.B, quarter btc.Amount) {
	b.Helper()
	ctx, w := b.Context(), v.core.Wallet(v.name)
	utxos, _ := v.utxos(b)
	at := []btc.Outpoint{utxos[0]}
	funded, _ := v.make(b, v.payment(150_000, 5000))
	raw, _ := v.signed(b, funded.PSBT)
	named := v.payment(1000, 5000)
	named.Inputs, named.AddInputs = utxos[:1], false
	fund := func(f proposal.Funding) func() error {
		return func() error { _, err := v.Fund(ctx, in(v.name), f); return err }
	}
	lock := func(persistent bool) func() error { return func() error { return w.Lock(ctx, at, persistent) } }
	unlock := func() error { return w.Unlock(ctx, at) }
	for _, c := range []struct {
		name       string
		do, before func() error
	}{
		{"fund", fund(v.payment(150_000, 5000)), nil},
		{"fund a quarter", fund(v.payment(quarter, 5000)), nil},
		{"fund with a named UTXO", fund(named), nil},
		{"lock persistent", lock(true), unlock},
		{"unlock persistent", unlock, lock(true)},
		{"lock", lock(false), unlock},
		{"unlock", unlock, lock(false)},
		{"test", func() error { return v.Test(ctx, wallet.NodeWallet{}, raw) }, nil},
		{"tip", func() error { _, err := v.core.Tip(ctx); return err }, nil},
	} {
		b.Run(v.name+"/"+c.name, func(b *testing.B) { median(b, c.do, c.before) })
	}
}

// median reports the median duration of do in milliseconds. It calls before, if set,
// before each run.
func median(b *testing.B, do, before func() error) {
	b.Helper()
	var took []float64
	for b.Loop() {
		if before != nil {
			_ = before() // an error means that there is nothing to undo
		}
		start := time.Now()
		testkit.Check(b, do())
		took = append(took, float64(time.Since(start).Microseconds())/1000)
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms-median")
}
