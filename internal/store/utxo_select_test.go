package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestSortedUTXOs reads selections in pages of two.
func TestSortedUTXOs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		var added []wallet.Transaction
		for i, txid := range []string{"old", "mid", "new"} {
			p := payment(w, txid, confirmedAt(i+1), []wallet.Place{*place(0, uint32(3*i)), *place(1, uint32(3*i+1)), *place(0, uint32(3*i+2))})
			p.Time = time.Unix(int64(1000*(i+1)), 0).UTC()
			added = append(added, p)
		}
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(10), Added: added}, wallet.Change{WalletID: other.ID, Added: []wallet.Transaction{
			payment(other, "old", confirmedAt(1), []wallet.Place{*place(0, 9)}),
		}})
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{
			{Type: "addr", Ref: addressAt(w.ID, *place(1, 4)), Label: new("rent")},
			{Type: "output", Ref: "old:0", Label: new("rent")},
			{Type: "addr", Ref: addressAt(w.ID, *place(0, 6)), Label: new("other")},
		}, auth.Event{}))
		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{{Txid: "mid", Vout: 1}, {Txid: "old", Vout: 2}}, true, b.now, auth.Event{At: b.now, Action: "freeze"}))
		open := proposalFor(b, w, 2, btc.Outpoint{Txid: "new", Vout: 2})
		testkit.Check(t, b.propose(open))
		testkit.Check(t, b.NoteLock(t.Context(), w.ID, []btc.Outpoint{{Txid: "new", Vout: 1}})) // not reserved
		for name, test := range map[string]struct {
			sel  wallet.UTXOSelection
			want []string
		}{
			"default":           {wallet.UTXOSelection{}, []string{"new:0", "new:1", "new:2", "mid:0", "mid:1", "mid:2", "old:0", "old:1", "old:2"}},
			"oldest":            {wallet.UTXOSelection{Order: wallet.OldestFirst}, []string{"old:0", "old:1", "old:2", "mid:0", "mid:1", "mid:2", "new:0", "new:1", "new:2"}},
			"largest":           {wallet.UTXOSelection{Order: wallet.LargestFirst}, []string{"mid:2", "new:2", "old:2", "mid:1", "new:1", "old:1", "mid:0", "new:0", "old:0"}},
			"smallest":          {wallet.UTXOSelection{Order: wallet.SmallestFirst}, []string{"mid:0", "new:0", "old:0", "mid:1", "new:1", "old:1", "mid:2", "new:2", "old:2"}},
			"amounts":           {wallet.UTXOSelection{Least: 1500, Most: 2000}, []string{"new:1", "mid:1", "old:1"}},
			"label":             {wallet.UTXOSelection{Label: "rent"}, []string{"mid:1", "old:0"}},
			"unknown label":     {wallet.UTXOSelection{Label: "rents"}, nil},
			"frozen":            {wallet.UTXOSelection{Frozen: new(true)}, []string{"mid:1", "old:2"}},
			"reserved":          {wallet.UTXOSelection{Reserved: new(true)}, []string{"new:2"}},
			"available":         {wallet.UTXOSelection{Frozen: new(false), Reserved: new(false)}, []string{"new:0", "new:1", "mid:0", "mid:2", "old:0", "old:1"}},
			"label and amounts": {wallet.UTXOSelection{Label: "rent", Least: 2000}, []string{"mid:1"}},
		} {
			t.Run(name, func(t *testing.T) {
				var got []string
				var sum btc.Amount
				var after *wallet.UTXO
				for {
					page, err := b.SortedUTXOs(t.Context(), w.ID, test.sel, after, 2)
					testkit.Check(t, err)
					for _, c := range page {
						got, sum = append(got, c.String()), sum+c.Amount
						if c.Frozen != (c.Txid == "mid" && c.Vout == 1 || c.Txid == "old" && c.Vout == 2) || c.Reserved != (c.ReservedBy != "") || (c.ReservedBy == open.ID) != (c.String() == "new:2") {
							t.Errorf("%+v", c)
						}
					}
					if len(page) < 2 {
						break
					}
					after = &page[1]
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("got %v, not %v", got, test.want)
				}
				n, total, err := b.UTXOTotal(t.Context(), w.ID, test.sel)
				testkit.Check(t, err)
				if n != len(test.want) || total != sum {
					t.Errorf("the total is %d of %d, not %d of %d", total, n, sum, len(test.want))
				}
			})
		}
	})
}

// TestReceivedBy_Several checks that the result for several addresses has the one for each.
func TestReceivedBy_Several(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(9), Added: []wallet.Transaction{
			payment(w, "mined", confirmedAt(1), []wallet.Place{*place(0, 0), *place(0, 0), *place(0, 1)}),
			payment(w, "next", inMempool(false), []wallet.Place{*place(0, 0)}),
			payment(w, "dead", wallet.State{Status: wallet.Replaced, Replaceable: "yes"}, []wallet.Place{*place(0, 0), *place(0, 2)}),
		}})
		var addresses []string
		for i := range uint32(4) {
			addresses = append(addresses, addressAt(w.ID, *place(0, i)))
		}
		got, err := b.ReceivedBy(t.Context(), w.ID, addresses)
		testkit.Check(t, err)
		if len(got) != 2 {
			t.Errorf("%d of 2 addresses received something", len(got))
		}
		for _, a := range addresses {
			want, err := b.ReceivedBy(t.Context(), w.ID, []string{a})
			testkit.Check(t, err)
			if fmt.Sprint(got[a]) != fmt.Sprint(want[a]) {
				t.Errorf("%s: %v, not %v", a, got[a], want[a])
			}
		}
		if none, err := b.ReceivedBy(t.Context(), other.ID, addresses); err != nil || len(none) != 0 {
			t.Errorf("another wallet received %v, %v", none, err)
		}
	})
}
