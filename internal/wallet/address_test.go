package wallet_test

import (
	"slices"
	"strings"
	"sync"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// testAddresses reveals addresses of a new wallet.
func (r *fixture) testAddresses(v wallet.View) {
	t, ctx := r.t, r.t.Context()
	want, err := r.core.DeriveAddresses(ctx, v.Receive, 0, 9)
	testkit.Check(t, err)
	for i := range 3 {
		peeked, err := r.PeekAddress(ctx, r.access(r.alice, v.Alias), wallet.ReceiveBranch)
		testkit.Check(t, err)
		label := []string{"", "invoice 17", ""}[i]
		a, err := r.NextAddress(ctx, r.access(r.alice, v.Alias), label)
		testkit.Check(t, err)
		if a.Address != want[i] || a.Place != (wallet.Place{Index: uint32(i)}) || a.Label != label || a.Unused != i+1 {
			t.Errorf("address %d is %+v; want %s", i, a, want[i])
		}
		if peeked.Address != a.Address {
			t.Errorf("peeked %s, got %s", peeked.Address, a.Address)
		}
	}
	events, _, err := r.store.EventsOfWallet(ctx, v.ID, 0, []event.Kind{event.WalletCreated, event.AddressRevealed}, 100)
	testkit.Check(t, err)
	if len(events) != 4 {
		t.Errorf("there are %d events", len(events))
	}
	for _, e := range events {
		if want := (event.Actor{UserID: r.alice.UserID, UserName: r.alice.UserName, TokenID: r.alice.TokenID}); e.Actor != want {
			t.Errorf("the actor of %s is %+v", e.Kind, e.Actor)
		}
	}
	change, err := r.PeekAddress(ctx, r.access(r.alice, v.Alias), wallet.ChangeBranch)
	testkit.Check(t, err)
	if change.Place != (wallet.Place{Branch: wallet.ChangeBranch}) {
		t.Errorf("change is %+v", change)
	}
	_, err = r.NextAddress(ctx, r.access(r.alice, v.Alias), strings.Repeat("x", 256))
	wantField(t, err, "label")
	yes := true
	list, err := r.Addresses(ctx, r.access(r.alice, v.Alias), wallet.AddressFilter{Revealed: &yes}, nil, 100)
	testkit.Check(t, err)
	if len(list) != 3 || list[1].Label != "invoice 17" || !list[2].Revealed {
		t.Errorf("revealed: %+v", list)
	}
	list, err = r.Addresses(ctx, r.access(r.alice, v.Alias), wallet.AddressFilter{}, &wallet.Place{Index: 1}, 2)
	testkit.Check(t, err)
	if len(list) != 2 || list[0].Address != want[2] || list[1].Address != want[3] {
		t.Errorf("after the second: %+v", list)
	}
}

// testAddressesAtOnce checks that concurrent calls get different, consecutive
// addresses, even if the range must be extended meanwhile.
func testAddressesAtOnce(r *fixture) {
	t, ctx := r.t, r.t.Context()
	r.storeWatched(r.alice, "vault") // with a few addresses, so that the first call extends the range, and a later one extends it again
	var mu sync.Mutex
	var got []uint32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				a, err := r.NextAddress(ctx, r.access(r.alice, "vault"), "")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				got = append(got, a.Index)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(got)
	for i, index := range got {
		if index != uint32(i) {
			t.Fatalf("%d addresses revealed", got)
		}
	}
	if len(got) != 40 {
		t.Errorf("%d addresses", len(got))
	}
	v, err := r.Get(ctx, r.access(r.alice, "vault"))
	testkit.Check(t, err)
	r.wantAddresses(v)
}

// testRange checks that, when an address is revealed, the node already watches 1000
// addresses past it.
func testRange(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWatched(r.alice, "vault")
	for range 6 {
		a, err := r.NextAddress(ctx, r.access(r.alice, "vault"), "")
		testkit.Check(t, err)
		watched, err := r.core.Wallet(v.CoreName).Descriptors(ctx)
		testkit.Check(t, err)
		for _, d := range watched {
			if d.RangeEnd < int(a.Index)+wallet.Lookahead {
				t.Errorf("index %d is revealed, but Core watches only up to %d", a.Index, d.RangeEnd)
			}
		}
	}
	v, err := r.Get(ctx, r.access(r.alice, "vault"))
	testkit.Check(t, err)
	if v.RangeEnd < v.ReceiveNext+wallet.Lookahead {
		t.Errorf("range end %d with next index %d", v.RangeEnd, v.ReceiveNext)
	}
	r.wantAddresses(v)

	// The indexer may request the same range repeatedly.
	for range 2 {
		w, err := r.EnsureRange(ctx, v.Wallet, v.RangeEnd+77)
		testkit.Check(t, err)
		if w.RangeEnd != v.RangeEnd+77+wallet.Lookahead+1 {
			t.Errorf("the range ends at %d", w.RangeEnd)
		}
	}
	_, err = r.EnsureRange(ctx, v.Wallet, 1<<31-5)
	if err == nil {
		t.Error("no error beyond the maximum index")
	}
	// PeekAddress beyond the range.
	r.setNext("vault", v.RangeEnd+50)
	a, err := r.PeekAddress(ctx, r.access(r.alice, "vault"), wallet.ReceiveBranch)
	testkit.Check(t, err)
	if a.Index != v.RangeEnd+50 {
		t.Errorf("peeked %+v", a)
	}
	v, err = r.Get(ctx, r.access(r.alice, "vault"))
	testkit.Check(t, err)
	r.wantAddresses(v)
	if v.Rescanning() {
		t.Error("extending the range queued a rescan")
	}
}

// testRangeOfALostWallet checks that a wallet that Bitcoin Core lost is created again
// and rescanned.
func testRangeOfALostWallet(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWallet(r.alice, "vault")
	_, err := r.NextAddress(ctx, r.access(r.alice, "vault"), "")
	testkit.Check(t, err)
	r.wantKick(v.ID)
	if v, err = r.Get(ctx, r.access(r.alice, "vault")); err != nil || v.RescanFrom != v.Birthday || !slices.Contains(r.loaded(), v.CoreName) {
		t.Errorf("scan from %d, %v", v.RescanFrom, err)
	}
	r.wantAddresses(v)
}

func testFindAddress(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWallet(r.alice, "vault")
	r.descriptor = multipath(v)
	r.storeWallet(r.bob, "copy")
	a, err := r.PeekAddress(ctx, r.access(r.alice, "vault"), wallet.ChangeBranch)
	testkit.Check(t, err)
	for _, spelling := range []string{a.Address, strings.ToUpper(a.Address), " " + a.Address, "bitcoin:" + a.Address + "?amount=0.1&label=x", strings.ToUpper("bitcoin:" + a.Address)} {
		for who, alias := range map[*auth.Principal]string{r.alice: "vault", r.bob: "copy"} {
			found, err := r.FindAddress(ctx, who, spelling)
			testkit.Check(t, err)
			if len(found) != 1 || found[0].Alias != alias || found[0].Place != a.Place || found[0].Address.Address != a.Address {
				t.Errorf("%s finds %+v", who.UserName, found)
			}
		}
	}
	for _, text := range []string{"", "nonsense", "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"} {
		_, err := r.FindAddress(ctx, r.alice, text)
		wantErr(t, err, wallet.ErrAddressNotFound)
	}
	_, err = r.FindAddress(ctx, r.alice, "bitcoin:"+a.Address+"?req-x=1")
	wantErr(t, err, btc.ErrPaymentURI)
	testkit.Check(t, r.Delete(ctx, r.access(r.alice, "vault"), false))
	_, err = r.FindAddress(ctx, r.alice, a.Address)
	wantErr(t, err, wallet.ErrAddressNotFound)
}
