package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func TestAddresses(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w := b.wallet(u, "a") // the next indexes are 1 and 2
		b.wallet(u, "b")
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{payment(w, "t", confirmedAt(1), []wallet.Place{*place(0, 2), *place(1, 0)})}})
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{{Type: "addr", Ref: addressAt(w.ID, *place(0, 1)), Label: new("shop")}}, auth.Event{}))
		yes, no, receive, change := true, false, wallet.ReceiveBranch, wallet.ChangeBranch
		shop, nothing := "shop", ""
		for _, x := range []struct {
			f     wallet.AddressFilter
			count int
			first string
		}{
			{wallet.AddressFilter{}, 60, "0/0 0/1 0/2 0/3 0/4"},
			{wallet.AddressFilter{Branch: &receive}, 30, "0/0 0/1 0/2 0/3 0/4"},
			{wallet.AddressFilter{Branch: &change}, 30, "1/0 1/1 1/2 1/3 1/4"},
			{wallet.AddressFilter{Used: &yes}, 2, "0/2 1/0"},
			{wallet.AddressFilter{Used: &no}, 58, "0/0 0/1 0/3 0/4 0/5"},
			{wallet.AddressFilter{Revealed: &yes}, 5, "0/0 0/1 0/2 1/0 1/1"},
			{wallet.AddressFilter{Revealed: &no, Branch: &change}, 28, "1/2 1/3 1/4 1/5 1/6"},
			{wallet.AddressFilter{Revealed: &yes, Used: &no}, 3, "0/0 0/1 1/1"},
			{wallet.AddressFilter{Label: &shop}, 1, "0/1"},
			{wallet.AddressFilter{Label: &nothing, Branch: &receive}, 29, "0/0 0/2 0/3 0/4 0/5"},
		} {
			t.Run(x.first, func(t *testing.T) {
				for _, limit := range []int{7, 100} {
					var got []string
					for after := (*wallet.Place)(nil); ; {
						page, err := b.AddressesOf(t.Context(), w.ID, x.f, after, limit)
						testkit.Check(t, err)
						for _, a := range page {
							got = append(got, fmt.Sprint(a.Branch, "/", a.Index))
							after = &a.Place
						}
						if len(page) < limit {
							break
						}
					}
					if first := strings.Join(got[:min(5, len(got))], " "); len(got) != x.count || first != x.first {
						t.Errorf("%+v, %d at a time: %d, from %s; want %d, from %s", x.f, limit, len(got), first, x.count, x.first)
					}
				}
			})
		}
		got, err := b.AddressAt(t.Context(), w.ID, *place(0, 1))
		testkit.Check(t, err)
		want := wallet.Address{Address: addressAt(w.ID, *place(0, 1)), Place: *place(0, 1), Label: "shop", Revealed: true}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, none := range []wallet.Place{{Branch: 0, Index: rangeEnd}, {Branch: 1, Index: rangeEnd}} {
			_, err = b.AddressAt(t.Context(), w.ID, none)
			wantFault(t, err, wallet.ErrAddressNotFound)
		}
	})
}

func TestFindAddress(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		w := b.wallet(alice, "vault")
		b.wallet(bob, "vault")
		at := *place(1, 1)
		find := func(u auth.User) (aliases []string) {
			t.Helper()
			found, err := b.FindAddress(t.Context(), u.ID, addressAt(w.ID, at))
			testkit.Check(t, err)
			for _, a := range found {
				aliases = append(aliases, a.Alias)
				if a.Place != at || !a.Revealed || a.Used || a.Address.Address != addressAt(w.ID, at) {
					t.Errorf("got %+v", a)
				}
			}
			return aliases
		}
		if got := find(alice); !slices.Equal(got, []string{"vault"}) {
			t.Errorf("got %v", got)
		}
		if got := find(bob); got != nil {
			t.Errorf("another user finds it: %v", got)
		}
		b.join(w, bob, auth.RoleViewer, "seen")
		if got := find(bob); !slices.Equal(got, []string{"seen"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestUnusedAddresses(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "a")
		unused := func() int {
			n, err := b.UnusedInARow(t.Context(), w.ID)
			testkit.Check(t, err)
			return n
		}
		if n := unused(); n != 1 {
			t.Errorf("%d, want the first", n)
		}
		_, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.ReceiveNext = 10; return nil })
		testkit.Check(t, err)
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{payment(w, "t", confirmedAt(1), []wallet.Place{*place(0, 3), *place(1, 9)})}})
		if n := unused(); n != 6 {
			t.Errorf("%d, want 6: the indexes from 4 to 9", n)
		}
		_, err = b.UnusedInARow(t.Context(), "none")
		wantFault(t, err, wallet.ErrNotFound)
	})
}

func TestLabels(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		all := func(w wallet.Wallet) (list []btc.Label) {
			t.Helper()
			for l, err := range b.Labels(t.Context(), w.ID) {
				testkit.Check(t, err)
				list = append(list, l)
			}
			return list
		}
		var want, empty []btc.Label
		for i := range 2500 {
			want = append(want, btc.Label{Type: "addr", Ref: fmt.Sprintf("a%04d", i), Label: new(fmt.Sprint("☕ ", i))})
			empty = append(empty, btc.Label{Type: "addr", Ref: want[i].Ref, Label: new("")})
		}
		want = append(want, btc.Label{Type: "tx", Ref: "t", Label: new("x"), Origin: "wpkh([d34db33f])"})
		backwards := slices.Clone(want)
		slices.Reverse(backwards)
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, backwards, auth.Event{At: b.now, Action: "labels"}))
		if diff := cmp.Diff(want, all(w)); diff != "" {
			t.Error(diff)
		}
		among := testkit.Value(b.LabelsAmong(t.Context(), w.ID, "addr", []string{"a0001", "a2499", "a2500", "t", "\""}))(t)
		if diff := cmp.Diff(map[string]string{"a0001": "☕ 1", "a2499": "☕ 2499"}, among); diff != "" {
			t.Error(diff)
		}
		if among = testkit.Value(b.LabelsAmong(t.Context(), other.ID, "addr", []string{"a0001"}))(t); len(among) > 0 {
			t.Errorf("the other wallet has %v", among)
		}
		for _, err := range b.Labels(t.Context(), w.ID) {
			testkit.Check(t, err)
			break // checks that the iterator stops after an early break
		}
		if got := all(other); got != nil {
			t.Errorf("the other wallet has %v", got)
		}
		empty[7].Label, want[7].Label = new("other"), new("other")
		empty[8].Label = nil // nil leaves the label unchanged
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, empty, auth.Event{At: b.now, Action: "labels"}))
		if diff := cmp.Diff([]btc.Label{want[7], want[8], want[2500]}, all(w)); diff != "" {
			t.Error(diff)
		}
		wantFault(t, b.SetLabels(t.Context(), "none", want[:1], auth.Event{At: b.now, Action: "labels"}), wallet.ErrNotFound)
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'labels'"); n != 2 {
			t.Errorf("%d entries in the audit record", n)
		}
	})
}

// TestReceivedBy checks that every output to an address counts as received, unless its
// transaction is dead or is neither in a block nor in the mempool.
func TestReceivedBy(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		spent := payment(w, "spent", confirmedAt(1), []wallet.Place{*place(0, 0), *place(0, 0), *place(0, 1)})
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(9), Added: []wallet.Transaction{
			spent, payment(w, "next", inMempool(false), []wallet.Place{*place(0, 0)}, btc.Outpoint{Txid: "spent"}),
			payment(w, "idle", wallet.State{Status: wallet.Inactive, Replaceable: "no"}, []wallet.Place{*place(0, 0)}),
			payment(w, "dead", wallet.State{Status: wallet.Replaced, Replaceable: "yes"}, []wallet.Place{*place(0, 0)}),
		}})
		for at, want := range map[wallet.Place]wallet.Received{
			*place(0, 0): {Total: 4000, Confirmed: 3000, Transactions: 3}, *place(0, 1): {Total: 3000, Confirmed: 3000, Transactions: 1}, *place(0, 2): {},
		} {
			t.Run(fmt.Sprint(at), func(t *testing.T) {
				a, err := b.AddressOf(t.Context(), w.ID, addressAt(w.ID, at))
				testkit.Check(t, err)
				same, err := b.AddressAt(t.Context(), w.ID, at)
				testkit.Check(t, err)
				received, err := b.ReceivedBy(t.Context(), w.ID, []string{a.Address})
				testkit.Check(t, err)
				got := received[a.Address]
				if a != same || a.Place != at || got.Total != want.Total || got.Confirmed != want.Confirmed || got.Transactions != want.Transactions {
					t.Errorf("%v: got %+v, %+v", at, a, got)
				}
				_, err = b.AddressOf(t.Context(), other.ID, a.Address)
				wantFault(t, err, wallet.ErrAddressNotFound)
			})
		}
	})
}

// TestLastPaid checks that payments in a block or in the mempool count, except the one that is
// replaced, and that they are looked up by address.
func TestLastPaid(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		paid := func(w wallet.Wallet, txid string, s wallet.State, second int64, at wallet.Place) wallet.Change {
			p := payment(w, txid, s, []wallet.Place{at})
			p.Time = time.Unix(second, 0).UTC()
			return wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{p}}
		}
		b.write(
			paid(w, "t1", confirmedAt(1), 10, *place(0, 1)), paid(w, "t2", inMempool(true), 30, *place(0, 1)), paid(w, "t3", confirmedAt(1), 20, *place(0, 1)),
			paid(w, "t4", inMempool(true), 40, *place(0, 2)),
			paid(w, "t5", wallet.State{Status: wallet.Abandoned, Replaceable: "no"}, 50, *place(0, 3)),
			paid(other, "t6", confirmedAt(1), 60, *place(0, 4)),
		)
		var addresses []string
		for i := range uint32(6) {
			addresses = append(addresses, addressAt(w.ID, *place(0, i)))
		}
		for replaced, want := range map[string]map[string]time.Time{
			"":   {addresses[1]: time.Unix(30, 0).UTC(), addresses[2]: time.Unix(40, 0).UTC()},
			"t4": {addresses[1]: time.Unix(30, 0).UTC()},
			"t2": {addresses[1]: time.Unix(20, 0).UTC(), addresses[2]: time.Unix(40, 0).UTC()},
		} {
			t.Run("without "+replaced, func(t *testing.T) {
				got, err := b.LastPaid(t.Context(), w.ID, addresses, replaced)
				testkit.Check(t, err)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
		if b.engine == "sqlite" { // PostgreSQL plans by table statistics
			plan := b.plan(db.LastPaid, w.ID, `["x","y"]`, "")
			if !strings.Contains(plan, "outputs_by_address (wallet_id=? AND address=?)") || !strings.Contains(plan, "(wallet_id=? AND txid=?)") {
				t.Errorf("the plan is %s", plan)
			}
		}
	})
}
