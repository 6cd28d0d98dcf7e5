package proposal_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// payUnindexed pays a vault so that the node has the confirmed UTXO but the index, which is
// not being synced, does not have it.
func (v vault) payUnindexed(amount btc.Amount) btc.Outpoint {
	v.t.Helper()
	v.stopFollower()
	a, err := v.wallets.NextAddress(v.t.Context(), v.access(v.alice, v.alias), "")
	testkit.Check(v.t, err)
	was := v.trusted()
	txid := text(v.t, v.node.WalletCLI(v.t, payer, "sendtoaddress", a.Address, btc.JSONBTC(amount)))
	v.node.CLI(v.t, "generatetoaddress", 1, otherPayee)
	testkit.Eventually(v.t, "the node has the UTXO", func() bool { return v.trusted() == was+amount })
	var at btc.Outpoint
	utxos, err := v.core.Wallet(v.coreName).Unspent(v.t.Context())
	testkit.Check(v.t, err)
	for _, c := range utxos {
		if c.Txid == txid {
			at = c.Outpoint
		}
	}
	return at
}

// TestCreate_WaitsForLastBlock checks that a request waits, for a limited time, for a UTXO
// that the node has and the index does not have yet, whether the node selects it or the
// caller names it.
func TestCreate_WaitsForLastBlock(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t, ctx := w.t, w.t.Context()
		v := w.vault(testkit.TR, 1_000_000)
		followed := func(ctx context.Context, id, txid string) {
			w.stopFollower() // of an earlier call
			w.startIndexer()
			w.await(ctx, id, txid)
		}
		service := func(await func(context.Context, string, string)) *proposal.Service {
			return proposal.New(slog.New(slog.DiscardHandler), w.store, w.wallets, w.provider, w.clock.now, proposal.Options{Kick: w.follower.Kick, Await: await})
		}
		v.payUnindexed(5_000_000)
		begin := time.Now()
		_, err := service(w.await).Create(ctx, v.access(v.alice, v.alias), pay(4_000_000, 1000))
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Kind != fault.Unavailable || f.Code != "utxo_unknown" {
			t.Fatalf("with a lagging index: %v", err)
		}
		if took := time.Since(begin); took < 2*time.Second {
			t.Errorf("the request waited for %s", took)
		}
		p, err := service(followed).Create(ctx, v.access(v.alice, v.alias), pay(4_000_000, 1000))
		testkit.Check(t, err)
		if p.Sent() != 4_000_000 {
			t.Errorf("the proposal is %+v", p)
		}

		o := pay(6_000_000, 1000)
		o.UTXOs = []btc.Outpoint{v.payUnindexed(7_000_000)}
		var invalid *fault.Error
		if _, err := service(nil).Create(ctx, v.access(v.alice, v.alias), o); !errors.As(err, &invalid) || invalid.Kind != fault.Invalid {
			t.Fatalf("without waiting: %v", err)
		}
		_, err = service(followed).Create(ctx, v.access(v.alice, v.alias), o)
		testkit.Check(t, err)
	})
}

// TestBroadcast_InHistoryImmediately checks that the history contains a payment, and shows
// its inputs as spent, when the broadcast request returns.
func TestBroadcast_InHistoryImmediately(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.vault(testkit.WPKH, 1_000_000)
		for range 3 {
			p := v.broadcast(v.complete(v.create(pay(100_000, 1000))))
			r, err := w.store.TransactionByID(w.t.Context(), p.WalletID, p.FinalTxid)
			testkit.Check(w.t, err)
			if r.Status.Dead() {
				w.t.Errorf("the status is %s", r.Status)
			}
			utxos, err := w.wallets.UTXOs(w.t.Context(), w.access(v.alice, v.alias), btc.Outpoint{}, 10)
			testkit.Check(w.t, err)
			if len(utxos) != 1 || utxos[0].Txid != p.FinalTxid {
				w.t.Errorf("the UTXOs are %+v", utxos)
			}
		}
	})
}
