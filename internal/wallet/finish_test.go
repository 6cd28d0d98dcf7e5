package wallet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// storeCreating stores a wallet in the state after a crash before Bitcoin Core was
// called.
func (r *fixture) storeCreating(who *auth.Principal, alias string, birthday int) wallet.Wallet {
	r.t.Helper()
	text := r.descriptor
	if text == "" {
		text = descriptor()
	}
	p, err := btc.FromDescriptors(text, "", btc.Regtest)
	testkit.Check(r.t, err)
	id := uuid.NewString()
	w := wallet.Wallet{
		ID: id, Name: alias, Stage: wallet.Creating, CoreName: "specterd-" + id, Script: p.Script, SignaturesRequired: p.SignaturesRequired,
		Receive: p.Receive.String(), Change: p.Change.String(), CreatedAt: time.Now(), Birthday: birthday, RescanFrom: -1,
		RangeEnd: 5, Synced: wallet.Tip{Height: -1}, CoreTxCount: -1,
	}
	var addresses []wallet.Address
	for branch, d := range []btc.Descriptor{p.Receive, p.Change} {
		deriver, err := d.Deriver()
		testkit.Check(r.t, err)
		for index := range w.RangeEnd {
			address, err := deriver.Address(index)
			testkit.Check(r.t, err)
			addresses = append(addresses, wallet.Address{Address: address, Place: wallet.Place{Branch: wallet.Branch(branch), Index: index}})
		}
	}
	testkit.Check(r.t, r.store.AddWallet(r.t.Context(), w, who.UserID, alias, addresses, auth.Event{At: time.Now()}))
	return w
}

// storeWallet creates a wallet only in the store, which is fast.
func (r *fixture) storeWallet(who *auth.Principal, name string) wallet.View {
	r.t.Helper()
	w := r.storeCreating(who, name, 0)
	_, err := r.store.EditWallet(r.t.Context(), w.ID, func(e *wallet.Edit) error {
		e.Stage = wallet.Ready
		return nil
	})
	testkit.Check(r.t, err)
	v, err := r.Get(r.t.Context(), r.access(who, name))
	testkit.Check(r.t, err)
	return v
}

// storeWatched is storeWallet with a range that Bitcoin Core watches.
func (r *fixture) storeWatched(who *auth.Principal, name string) wallet.View {
	r.t.Helper()
	v := r.storeWallet(who, name)
	_, err := r.provider.Provide(r.t.Context(), v.NodeWallet(), v.Receive, v.Change, v.RangeEnd)
	testkit.Check(r.t, err)
	return v
}

func testFinish(r *fixture) {
	t, ctx := r.t, r.t.Context()
	tip, _ := r.provider.Chain(wallet.NodeWallet{})
	for name, c := range map[string]struct{ birthday, from int }{
		"immediately": {tip, -1},          // no new blocks since then
		"later":       {tip - 5, tip - 5}, // new blocks since then, which Core's new wallet has not scanned
	} {
		w := r.storeCreating(r.alice, strings.ReplaceAll(name, " ", "_"), c.birthday)
		if _, err := r.Get(ctx, r.access(r.alice, w.Name)); !errors.Is(err, wallet.ErrNotFound) {
			t.Errorf("a wallet in creation is visible: %v", err)
		}
		testkit.Check(t, r.Finish(ctx, w))
		r.wantKick(w.ID)
		testkit.Check(t, r.Finish(ctx, w)) // with an outdated row
		v, err := r.Get(ctx, r.access(r.alice, w.Name))
		testkit.Check(t, err)
		if v.RescanFrom != c.from || v.Stage != wallet.Ready {
			t.Errorf("%s: scan from %d, want %d", name, v.RescanFrom, c.from)
		}
		if !slices.Contains(r.loaded(), w.CoreName) {
			t.Errorf("%s: missing in Core", name)
		}
		testkit.Check(t, r.Finish(ctx, v.Wallet)) // nothing to do
	}
}

// testFinishGivesUp checks that a wallet that Bitcoin Core refuses to watch is
// removed, and that its alias is free again.
func testFinishGivesUp(r *fixture) {
	t, ctx := r.t, r.t.Context()
	w := r.storeCreating(r.alice, "doomed", 0)
	r.node.CLI(t, "createwallet", w.CoreName) // has private keys, so it cannot import watch-only descriptors
	testkit.Check(t, r.Finish(ctx, w))
	if n := r.count("SELECT count(*) FROM wallets"); n != 0 {
		t.Errorf("%d wallets are left", n)
	}
	if slices.Contains(r.loaded(), w.CoreName) {
		t.Error("Core's wallet is still loaded")
	}
	if !strings.Contains(r.log.String(), "wallet creation failed") || strings.Contains(r.log.String(), "tpub") {
		t.Errorf("logged %s", r.log)
	}
	if n := r.count("SELECT count(*) FROM audit WHERE action = 'wallet.delete' AND target = $1", w.ID); n != 1 {
		t.Errorf("%d removals are recorded", n)
	}
	again := r.storeCreating(r.alice, "doomed", 0)
	testkit.Check(t, r.Finish(ctx, again))
}

// racingStore simulates an indexer that acts immediately: it deletes a wallet as soon as
// the wallet is marked for removal.
type racingStore struct{ *store.Store }

func (o racingStore) EditWallet(ctx context.Context, id string, edit func(*wallet.Edit) error) (wallet.Wallet, error) {
	w, err := o.Store.EditWallet(ctx, id, edit)
	if err == nil && w.Stage == wallet.Removing {
		err = o.DeleteWallet(ctx, id, auth.Event{})
	}
	return w, err
}

func testDelete_Concurrent(r *fixture) {
	v := r.storeWallet(r.alice, "hasty")
	s := racingStore{r.store}
	if err := wallet.New(r.logger(), s, s, r.provider, time.Now, r.kick).Delete(r.t.Context(), r.access(r.alice, v.Alias), false); err != nil {
		r.t.Errorf("delete: %v", err)
	}
	if _, err := r.Get(r.t.Context(), r.access(r.alice, v.Alias)); !errors.Is(err, wallet.ErrNotFound) {
		r.t.Errorf("afterwards: %v", err)
	}
}

func testDelete(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWatched(r.alice, "vault")
	r.member("vault", r.bob, auth.RoleSigner)
	testkit.Check(t, r.Delete(ctx, r.access(r.alice, "vault"), false))
	r.wantKick(v.ID)
	r.wantEvent(r.alice, "wallet.delete", v.ID)
	for _, who := range []*auth.Principal{r.alice, r.bob} {
		if _, err := r.Get(ctx, r.access(who, "vault")); !errors.Is(err, wallet.ErrNotFound) {
			t.Errorf("%s still sees the wallet: %v", who.UserName, err)
		}
		if views, err := r.List(ctx, who, "", 0); err != nil || len(views) != 0 {
			t.Errorf("%s still has %+v, %v", who.UserName, views, err)
		}
	}
	// Its alias is free before Core has unloaded it.
	if again := r.storeWallet(r.alice, "vault"); again.ID == v.ID {
		t.Error("the deleted wallet exists again")
	}
	row, err := r.store.WalletByID(ctx, v.ID)
	testkit.Check(t, err)
	testkit.Check(t, r.Finish(ctx, row))
	testkit.Check(t, r.Finish(ctx, row))
	if _, err := r.store.WalletByID(ctx, v.ID); !errors.Is(err, wallet.ErrNotFound) {
		t.Errorf("the row is still there: %v", err)
	}
	if slices.Contains(r.loaded(), v.CoreName) {
		t.Error("still loaded in Core")
	}
	if n := r.count("SELECT count(*) FROM addresses WHERE wallet_id = $1", v.ID); n != 0 {
		t.Errorf("%d addresses are left", n)
	}
}
