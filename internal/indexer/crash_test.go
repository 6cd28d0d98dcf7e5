package indexer_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestIndexer_CrashConsistency repeatedly crashes the indexer before or after it writes,
// while its wallets change. The final index must equal the index of a new database that
// indexes the same Bitcoin Core wallets from the beginning.
func TestIndexer_CrashConsistency(t *testing.T) {
	w := newWorld(t)
	a, b, stranger := w.hot("a", "wpkh"), w.hot("b", "tr"), w.hot("stranger", "wpkh")
	all := []*watched{a.watch(now), b.watch(now)}
	for range 45 {
		w.node.CLI(t, "generatetoaddress", 1, a.address())
		w.node.CLI(t, "generatetoaddress", 1, stranger.address())
	}
	w.node.Mine(t, 100)
	w.halt()
	crashes := &crashing{Store: w.store, world: w, again: make(chan struct{}, 1)}
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		crashes.keepUp(done)
	}()
	taken := map[string]bool{} // incoming payments that the sender replaced
	for round := range int32(10) {
		first := a.send(map[string]string{b.address(): "0.11", a.address(): "0.2"}, nil)
		hashes := w.node.Mine(t, 1)
		second := a.send(map[string]string{b.address(): "0.13"}, nil)
		a.bump(second, nil)
		cancelled := stranger.send(map[string]string{b.address(): "0.17"}, nil)
		stranger.bump(cancelled, map[string]any{"outputs": []map[string]any{{w.outside(): "0.17"}}})
		taken[cancelled] = true
		w.node.Mine(t, 2)
		w.node.CLI(t, "invalidateblock", hashes[0])
		w.node.CLI(t, "generatetoaddress", 4, w.outside())
		b.node.WalletCLI(t, b.name, "gettransaction", first)
		testkit.Eventually(t, "another crash", func() bool { return crashes.count.Load() > round })
	}
	close(done)
	<-ended
	w.start()
	for _, v := range all {
		v.wantSynced()
	}
	t.Logf("%d crashes", crashes.count.Load())
	fresh := w.fresh(all)
	for _, v := range all {
		other := fresh.same(v)
		other.wantSynced()
		got, want := v.index(), other.index()
		gone := map[string]bool{} // addresses that only received replaced payments
		for txid := range taken {
			_, listed := want[txid]
			if r, had := got[txid]; had && !listed { // Core no longer lists these
				if !r.Status.Dead() {
					t.Errorf("%s is %s", txid, r.Status)
				}
				delete(got, txid)
				gone[r.Address] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: differs from a new index: -new +crashed\n%s", v.alias, diff)
		}
		if diff := cmp.Diff(other.view().Balances, v.view().Balances); diff != "" {
			t.Errorf("%s: balances: %s", v.alias, diff)
		}
		used := slices.DeleteFunc(v.usedAddresses(), func(a wallet.Address) bool { return gone[a.Address] })
		if diff := cmp.Diff(other.usedAddresses(), used); diff != "" {
			t.Errorf("%s: addresses: %s", v.alias, diff)
		}
	}
}

// crashing is a store that crashes the indexer on about every second write.
type crashing struct {
	*store.Store
	world *world
	again chan struct{}
	count atomic.Int32
}

var errCrash = errors.New("crashed")

// WriteIndex crashes the indexer in half of the calls, before or after the write.
func (c *crashing) WriteIndex(ctx context.Context, changes []wallet.Change) error {
	switch rand.IntN(4) {
	case 0:
		c.crash()
		return errCrash
	case 1:
		err := c.Store.WriteIndex(ctx, changes)
		c.crash()
		return err
	}
	return c.Store.WriteIndex(ctx, changes)
}

func (c *crashing) crash() {
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// keepUp starts an indexer, and another one after each crash, until done.
func (c *crashing) keepUp(done <-chan struct{}) {
	for {
		c.world.startOn(c)
		select {
		case <-c.again:
			c.world.halt()
			c.count.Add(1)
		case <-done:
			c.world.halt()
			return
		}
	}
}

// fresh returns another specterd with the same Bitcoin Core wallets and an empty
// index.
func (w *world) fresh(wallets []*watched) *world {
	w.t.Helper()
	other := worldOn(w.t, w.node, filepath.Join(w.t.TempDir(), "fresh.db"))
	other.halt()
	for _, v := range wallets {
		old := v.view()
		addresses := v.addresses()
		for i := range addresses {
			addresses[i].Used, addresses[i].Revealed = false, false
		}
		made := old.Wallet
		made.Stage, made.Synced, made.CoreTxCount, made.ReceiveNext, made.ChangeNext = wallet.Creating, wallet.Tip{Height: -1}, -1, 0, 0
		made.Balances = wallet.Balances{}
		testkit.Check(w.t, other.store.AddWallet(w.t.Context(), made, other.who.UserID, old.Alias, addresses, auth.Event{At: time.Now()}))
		_, err := other.store.EditWallet(w.t.Context(), made.ID, func(e *wallet.Edit) error {
			e.Stage = wallet.Ready
			return nil
		})
		testkit.Check(w.t, err)
	}
	other.start()
	return other
}

// same returns the wallet of w that corresponds to v, a wallet of another world.
func (w *world) same(v *watched) *watched {
	return &watched{world: w, alias: v.alias, core: v.core, id: v.id}
}

func (v *watched) addresses() []wallet.Address {
	v.t.Helper()
	list, err := v.service.Addresses(v.t.Context(), v.access(v.who, v.alias), wallet.AddressFilter{}, nil, 1_000_000)
	testkit.Check(v.t, err)
	return list
}

func (v *watched) usedAddresses() []wallet.Address {
	return slices.DeleteFunc(v.addresses(), func(a wallet.Address) bool { return !a.Used })
}

// index returns all indexed data of each transaction, inputs included.
func (v *watched) index() map[string]wallet.Record {
	v.t.Helper()
	all := map[string]wallet.Record{}
	for txid := range v.history() {
		r, err := v.service.Transaction(v.t.Context(), v.access(v.who, v.alias), txid)
		testkit.Check(v.t, err)
		all[txid] = r
	}
	return all
}
