package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func TestDetails(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		first, far := *place(wallet.ReceiveBranch, 0), *place(wallet.ChangeBranch, rangeEnd-1)
		for _, one := range []wallet.Wallet{w, other} {
			b.write(wallet.Change{
				WalletID: one.ID, Synced: synced(20), Locked: []btc.Outpoint{{Txid: "x", Vout: 1}, {Txid: "elsewhere"}},
				Added: []wallet.Transaction{
					payment(one, "x", confirmedAt(7), []wallet.Place{first, first, far}),
					payment(one, "y", inMempool(true), nil, btc.Outpoint{Txid: "x"}),
					payment(one, "z", wallet.State{Status: wallet.Replaced, Replaceable: "yes"}, []wallet.Place{first}),
				},
			})
		}
		label := "label"
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{
			{Type: "addr", Ref: "foreign", Label: &label}, {Type: "addr", Ref: addressAt(w.ID, far), Label: &label}, {Type: "tx", Ref: "x", Label: &label},
		}, auth.Event{}))
		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{{Txid: "x", Vout: 2}}, true, b.now, auth.Event{}))

		v, err := b.View(t.Context(), u.ID, w.ID)
		testkit.Check(t, err)
		got, err := b.Details(t.Context(), v, [2]uint32{2, 1})
		testkit.Check(t, err)
		want := wallet.Details{View: v}
		want.Addresses[0] = []wallet.PlainAddress{{Address: addressAt(w.ID, first), Used: true}, {Address: addressAt(w.ID, *place(0, 1))}}
		want.Addresses[1] = []wallet.PlainAddress{{Address: addressAt(w.ID, *place(1, 0))}}
		want.Labelled = []wallet.LabelledAddress{{Address: addressAt(w.ID, far), Own: &far, Used: true, Label: label}, {Address: "foreign", Label: label}}
		want.Unspent = []wallet.Unspent{
			{Outpoint: btc.Outpoint{Txid: "x", Vout: 1}, Address: addressAt(w.ID, first), Amount: 2000, Locked: true},
			{Outpoint: btc.Outpoint{Txid: "x", Vout: 2}, Address: addressAt(w.ID, far), Amount: 3000, Locked: true, Frozen: true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
