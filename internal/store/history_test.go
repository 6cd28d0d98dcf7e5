package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// at returns a transaction with the given time in seconds since 1970.
func at(w wallet.Wallet, id string, seconds int64, s wallet.State) wallet.Transaction {
	t := payment(w, id, s, nil)
	t.Time = time.Unix(seconds, 0).UTC()
	return t
}

// pages reads a whole history page by page, and calls between after each full page.
func (b *fixture) pages(w wallet.Wallet, f wallet.Filter, limit int, between func()) []wallet.Record {
	b.t.Helper()
	var all []wallet.Record
	for after := (wallet.HistoryCursor{}); ; {
		page, err := b.Transactions(b.t.Context(), w.ID, f, after, limit)
		testkit.Check(b.t, err)
		all = append(all, page...)
		if len(page) < limit {
			return all
		}
		last := page[len(page)-1]
		after = wallet.HistoryCursor{Time: last.Time, Txid: last.Txid, WalletID: w.ID}
		if between != nil {
			between()
		}
	}
}

func txids(records []wallet.Record) string {
	var out []string
	for _, r := range records {
		out = append(out, r.Txid)
	}
	return strings.Join(out, " ")
}

func TestHistory_Filters(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		send := at(w, "send", 30, confirmedAt(3))
		send.Category, send.Address = wallet.Send, "theirs"
		send.Outputs = []wallet.Output{{Address: "theirs", Amount: 1}}
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(10), Added: []wallet.Transaction{
			at(w, "old", 10, confirmedAt(1)), at(w, "b20", 20, confirmedAt(2)), at(w, "a20", 20, confirmedAt(2)), send,
			at(w, "dead", 40, wallet.State{Status: wallet.Replaced, Replaceable: "yes"}),
			at(w, "gone", 41, wallet.State{Status: wallet.Conflicted, Replaceable: "no", BuriedAt: 9}),
			at(w, "idle", 42, wallet.State{Status: wallet.Inactive, Replaceable: "no"}),
			at(w, "new", 50, inMempool(true)),
		}}, wallet.Change{WalletID: other.ID, Added: []wallet.Transaction{at(other, "foreign", 25, confirmedAt(1))}})
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{
			{Type: "tx", Ref: "old", Label: new("rent")}, {Type: "addr", Ref: "theirs", Label: new("rent")}, {Type: "tx", Ref: "foreign", Label: new("rent")},
		}, auth.Event{}))
		second := func(s int64) time.Time { return time.Unix(s, 0) }
		for _, x := range []struct {
			f    wallet.Filter
			want string
		}{
			{wallet.Filter{}, "new idle send b20 a20 old"},
			{wallet.Filter{Dead: true}, "new idle gone dead send b20 a20 old"},
			{wallet.Filter{Unconfirmed: true}, "new idle"},
			{wallet.Filter{Unconfirmed: true, Dead: true}, "new idle gone dead"},
			{wallet.Filter{Unconfirmed: true, Until: second(50)}, "idle"},
			{wallet.Filter{Since: second(20), Until: second(30)}, "b20 a20"},
			{wallet.Filter{Since: second(20)}, "new idle send b20 a20"},
			{wallet.Filter{Until: second(20)}, "old"},
			{wallet.Filter{Category: wallet.Send}, "send"},
			{wallet.Filter{Category: wallet.Receive, Until: second(30)}, "b20 a20 old"},
			{wallet.Filter{Label: "rent"}, "send old"},
			{wallet.Filter{Label: "Rent"}, ""},
		} {
			t.Run(x.want, func(t *testing.T) {
				for _, limit := range []int{1, 2, 100} {
					if got := txids(b.pages(w, x.f, limit, nil)); got != x.want {
						t.Errorf("%+v, %d at a time: %q, want %q", x.f, limit, got, x.want)
					}
					reverse := x.f
					reverse.Ascending = true
					all := b.pages(w, reverse, limit, nil)
					slices.Reverse(all)
					if got := txids(all); got != x.want {
						t.Errorf("%+v, %d at a time: the reverse is %q, want %q", reverse, limit, got, x.want)
					}
				}
			})
		}
		for _, r := range b.pages(w, wallet.Filter{}, 100, nil) {
			label, addressLabel := "", ""
			switch r.Txid {
			case "old":
				label = "rent"
			case "send":
				addressLabel = "rent"
			}
			if r.Label != label || r.AddressLabel != addressLabel || r.Raw != nil || r.Outputs != nil {
				t.Errorf("got %+v", r)
			}
		}
	})
}

// TestHistory_FilterByAnyOutput checks that a transaction is found by the label and the address
// of any of its outputs, even if too many transactions match to look them up
// individually.
func TestHistory_FilterByAnyOutput(t *testing.T) {
	testkit.NeedsTime(t)
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "a")
		first, second := addressAt(w.ID, *place(0, 0)), addressAt(w.ID, *place(0, 1))
		two := payment(w, "two", confirmedAt(1), []wallet.Place{*place(0, 0), *place(0, 1)})
		again := payment(w, "again", inMempool(true), []wallet.Place{*place(0, 1), *place(0, 1)})
		dead := payment(w, "dead", wallet.State{Status: wallet.Replaced, Replaceable: "yes"}, []wallet.Place{*place(0, 1)})
		batch := payment(w, "batch1", confirmedAt(2), []wallet.Place{*place(1, 0)})
		batch.Category, batch.Address = wallet.Send, "theirs"
		batch.Outputs = append(batch.Outputs, wallet.Output{Vout: 1, Address: "theirs", Amount: 1}, wallet.Output{Vout: 2, Address: "hers", Amount: 2}, wallet.Output{Vout: 3, Amount: 0})
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(2), Added: []wallet.Transaction{two, again, dead, batch}})
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{
			{Type: "addr", Ref: first, Label: new("invoice 17")},
			{Type: "addr", Ref: second, Label: new("invoice 18")},
			{Type: "addr", Ref: "hers", Label: new("wages")},
			{Type: "output", Ref: "batch1:0", Label: new("change")},
			{Type: "output", Ref: "two:1", Label: new("wages")},
			{Type: "output", Ref: "batch1:7", Label: new("none")},
			{Type: "tx", Ref: "again", Label: new("change")},
			{Type: "addr", Ref: "elsewhere", Label: new("none")},
		}, auth.Event{}))
		list := func(f wallet.Filter, want string) {
			t.Helper()
			for _, f.Outputs = range []bool{false, true} {
				for _, limit := range []int{1, 100} {
					f.Ascending = false
					down := b.pages(w, f, limit, nil)
					f.Ascending = true
					up := b.pages(w, f, limit, nil)
					if slices.Reverse(up); txids(down) != want || txids(up) != want {
						t.Errorf("%+v, %d at a time: %q and %q, want %q", f, limit, txids(down), txids(up), want)
					}
				}
			}
		}
		all := func(before string) {
			t.Helper()
			for label, want := range map[string]string{"invoice 17": before + "two", "invoice 18": "again two", "wages": "batch1 two", "change": "batch1 again", "none": "", "Wages": ""} {
				list(wallet.Filter{Label: label}, want)
			}
			for address, want := range map[string]string{first: before + "two", second: "again two", "theirs": "batch1", "hers": "batch1", "elsewhere": ""} {
				list(wallet.Filter{Address: address}, want)
			}
			list(wallet.Filter{Label: "invoice 17", Address: second}, "two")
			list(wallet.Filter{Label: "invoice 18", Address: first}, "two")
			list(wallet.Filter{Label: "invoice 18", Unconfirmed: true}, "again")
			list(wallet.Filter{Address: second, Dead: true}, "again dead two")
			list(wallet.Filter{Label: "wages", Category: wallet.Send}, "batch1")
			list(wallet.Filter{Label: "invoice 18", Until: time.Unix(5, 0)}, "two")
		}
		all("")
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{{Type: "tx", Ref: "many", Label: new("many")}}, auth.Event{}))
		many := at(w, "many", 1000, confirmedAt(2))
		for i := range uint32(10_001) {
			many.Outputs = append(many.Outputs, wallet.Output{Vout: i, Address: first, Amount: 1, Own: place(0, 0)})
		}
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{many}})
		all("many ")
		list(wallet.Filter{Label: "many", Address: first}, "many")
	})
}

// TestHistory_WithAndWithoutOutputs checks that histories with and without outputs, which are
// read differently, have the same transactions.
func TestHistory_WithAndWithoutOutputs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "a")
		all := longHistory(20, addressesFor(w.ID, 0, rangeEnd))
		all[3].Fee, all[4].Own, all[5].Raw = nil, &wallet.Place{Branch: 1, Index: 7}, []byte{1}
		all[6].State = wallet.State{Status: wallet.Conflicted, Replaceable: "yes", BuriedAt: 9, Conflicts: []string{all[0].Txid, all[1].Txid}}
		all[7].State = inMempool(false)
		all[8].Address, all[9].Flow = "", 21e14
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(10), Added: all})
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{
			{Type: "tx", Ref: all[0].Txid, Label: new("räksmörgås")}, {Type: "addr", Ref: all[1].Address, Label: new("rent")},
		}, auth.Event{}))
		for _, f := range []wallet.Filter{{}, {Raw: true}, {Ascending: true}, {Ascending: true, Raw: true}} {
			f.Dead = true
			bare := b.pages(w, f, 100, nil)
			f.Outputs = true
			full := b.pages(w, f, 100, nil)
			for i := range full {
				full[i].Outputs = nil
			}
			if diff := cmp.Diff(full, bare); diff != "" || len(bare) != len(all) {
				t.Errorf("%d, %+v: %s", len(bare), f, diff)
			}
		}
	})
}

// TestHistory_SameInEveryPage checks that pages of any size and in either order show each
// transaction as it is shown alone, in a history in which many have the same time, some have no
// outputs, and labels are on transactions, outputs, own and foreign addresses.
func TestHistory_SameInEveryPage(t *testing.T) {
	onBothEngines(t, func(_ *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "a")
		r := rand.New(rand.NewPCG(3, 4))
		var all []wallet.Transaction
		for i := range 60 {
			var to []wallet.Place
			for j := range r.IntN(4) {
				to = append(to, *place(wallet.Branch(j%2), uint32(4*i+j)))
			}
			one := payment(w, fmt.Sprintf("%02x%d", r.IntN(256), i), confirmedAt(1), to)
			one.Time = time.Unix(int64(r.IntN(8)), 0).UTC()
			foreign := fmt.Sprint("foreign", i)
			switch {
			case i%3 == 0: // sent: all outputs are stored, and a foreign address represents it
				one.Category, one.Address = wallet.Send, foreign
				one.Outputs = append(one.Outputs, wallet.Output{Vout: 9, Address: foreign, Amount: 7})
			case len(to) > 0:
				one.Address, one.Own = one.Outputs[0].Address, one.Outputs[0].Own
			default: // no output is stored, but an address represents it
				one.Address = foreign
			}
			if i%5 == 0 {
				one.State = wallet.State{Status: wallet.Replaced, Replaceable: "yes"}
			}
			all = append(all, one)
		}
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(1), Added: all})
		for _, types := range [][]string{{}, {"addr"}, {"addr", "tx", "output"}} {
			b.label(w, all, types, r)
			for _, f := range []wallet.Filter{
				{},
				{Dead: true},
				{Ascending: true},
				{Ascending: true, Dead: true},
				{Category: wallet.Send},
				{Since: time.Unix(2, 0), Until: time.Unix(6, 0)},
				{Unconfirmed: true, Dead: true},
			} {
				f.Outputs, f.Raw = true, true
				for _, limit := range []int{1, 4, 60, 100} {
					b.sameAlone(w, f, b.pages(w, f, limit, nil))
				}
			}
		}
	})
}

// label gives half of the transactions and their addresses and outputs a label of the given types.
func (b *fixture) label(w wallet.Wallet, all []wallet.Transaction, types []string, r *rand.Rand) {
	b.t.Helper()
	var labels []btc.Label
	add := func(kind, ref string) {
		if slices.Contains(types, kind) && ref != "" && r.IntN(2) == 0 {
			labels = append(labels, btc.Label{Type: kind, Ref: ref, Label: new(kind + " " + ref)})
		}
	}
	for _, t := range all {
		add("tx", t.Txid)
		add("addr", t.Address)
		for _, o := range t.Outputs {
			add("output", fmt.Sprint(t.Txid, ":", o.Vout))
			add("addr", o.Address)
		}
	}
	testkit.Check(b.t, b.SetLabels(b.t.Context(), w.ID, labels, auth.Event{}))
}

// sameAlone checks that each record of a history is the same as when it is read alone.
func (b *fixture) sameAlone(w wallet.Wallet, f wallet.Filter, records []wallet.Record) {
	b.t.Helper()
	if len(records) == 0 {
		b.t.Errorf("%+v: no records", f)
	}
	for _, got := range records {
		want, err := b.TransactionByID(b.t.Context(), w.ID, got.Txid)
		testkit.Check(b.t, err)
		want.Inputs = nil
		if diff := cmp.Diff(want, got); diff != "" {
			b.t.Errorf("%+v: %s", f, diff)
		}
	}
}

func TestHistory_ReaderStops(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "a")
		ended, end := context.WithCancel(t.Context())
		end()
		for _, f := range []wallet.Filter{{}, {Ascending: true}} {
			if _, err := b.Transactions(ended, w.ID, f, wallet.HistoryCursor{}, 10); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
		if got := b.pages(w, wallet.Filter{}, 10, nil); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

func TestHistory_InputsAndOutputs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "a")
		one := payment(w, "one", confirmedAt(1), []wallet.Place{*place(0, 0), *place(1, 1)})
		two := payment(w, "two", confirmedAt(2), []wallet.Place{*place(0, 1)}, btc.Outpoint{Txid: "one"})
		two.Time = two.Time.Add(time.Hour)
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(2), Added: []wallet.Transaction{one, two}})
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{
			{Type: "output", Ref: "one:1", Label: new("change")},
			{Type: "addr", Ref: addressAt(w.ID, *place(1, 1)), Label: new("hidden")},
			{Type: "addr", Ref: addressAt(w.ID, *place(0, 1)), Label: new("shop")},
			{Type: "output", Ref: "one:10", Label: new("no")},
		}, auth.Event{}))
		one.Outputs[1].Label, two.Outputs[0].Label = "change", "shop"
		one.Outputs[1].AddressLabel, two.Outputs[0].AddressLabel = "hidden", "shop"
		one.Inputs, two.Inputs = nil, nil
		want := []wallet.Record{{Transaction: two}, {Transaction: one}}
		if diff := cmp.Diff(want, b.pages(w, wallet.Filter{Raw: true, Outputs: true}, 1, nil)); diff != "" {
			t.Error(diff)
		}
		for i := range want {
			want[i].Raw = nil
		}
		if diff := cmp.Diff(want, b.pages(w, wallet.Filter{Outputs: true}, 10, nil)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestHistory_PagesHaveNoGaps checks that a client that reads page after page while transactions
// arrive gets every transaction that existed at the first page exactly once.
func TestHistory_PagesHaveNoGaps(t *testing.T) {
	for name, ascending := range map[string]bool{"asc": true, "desc": false} {
		t.Run(name, func(t *testing.T) { testPages(t, ascending) })
	}
}

func testPages(t *testing.T, ascending bool) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "a")
		r := rand.New(rand.NewPCG(1, 2))
		n := 0
		add := func(count int) []wallet.Transaction {
			var list []wallet.Transaction
			for range count {
				n++
				list = append(list, at(w, fmt.Sprintf("%02x%d", r.IntN(256), n), int64(r.IntN(8)), confirmedAt(1)))
			}
			b.write(wallet.Change{WalletID: w.ID, Added: list})
			return list
		}
		var want []string
		for _, t := range add(60) {
			want = append(want, t.Txid)
		}
		got := strings.Fields(txids(b.pages(w, wallet.Filter{Outputs: true, Ascending: ascending}, 7, func() { add(3) })))
		seen := map[string]int{}
		for _, id := range got {
			seen[id]++
		}
		for _, id := range want {
			if seen[id] != 1 {
				t.Errorf("%s is there %d times", id, seen[id])
			}
		}
		for id, times := range seen {
			if times > 1 {
				t.Errorf("%s is there %d times", id, times)
			}
		}
	})
}

// TestHistory_PagesUseIndex checks that queries read pages from an index and do not
// sort, so that a page takes the same time regardless of the length of the history.
func TestHistory_PagesUseIndex(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "a")
		var first, last int64  // times of the first and last of 100 transactions
		if b.engine == "pgx" { // PostgreSQL plans by table statistics; SQLite does not
			list := b.history(w, 2000)
			first, last = list[1000].Time.UnixMicro(), list[1099].Time.UnixMicro()
			b.exec("INSERT INTO labels (wallet_id, type, ref, label) SELECT wallet_id, 'addr', address, 'to ' || address FROM outputs WHERE branch IS NULL")
			b.exec("ANALYZE") // the server's autovacuum does this within a minute
		}
		for name, q := range map[string]struct {
			query, uses string // uses is a part of the query plan; alternatives are separated by |
			args        []any
		}{
			"all":            {db.Transactions, "transactions_by_time", []any{w.ID, false, false, int64(1 << 60), "", 0, int64(1 << 60), true, 0, 0, true, "", false, true, "", true, "", 100}},
			"unconfirmed":    {db.UnconfirmedTransactions, "transactions_unsettled", []any{w.ID, false, false, int64(1 << 60), "", 0, int64(1 << 60), true, 0, 0, true, "", false, true, "", true, "", 100}},
			"all, ascending": {db.TransactionsAscending, "transactions_by_time", []any{w.ID, false, false, 0, "", 0, int64(1 << 60), true, 0, 0, true, "", false, true, "", true, "", 100}},
			"unconfirmed, ascending": {
				db.UnconfirmedTransactionsAscending, "transactions_unsettled",
				[]any{w.ID, false, false, 0, "", 0, int64(1 << 60), true, 0, 0, true, "", false, true, "", true, "", 100},
			},
			"label":   {db.TransactionsWithLabel, "labels_by_label", []any{w.ID, "rent", 100}},
			"address": {db.TransactionsWithAddress, "outputs_by_address", []any{w.ID, "theirs", 100}},
			"outputs": {db.OutputsBetween, "COVERING INDEX outputs_by_time (wallet_id=? AND (time,txid)>(?,?) AND (time,txid)<(?,?))|outputs_by_time", []any{w.ID, first, "x", last, "y"}},
			"utxos":   {db.UTXOs, "SEARCH u USING PRIMARY KEY|utxos_pkey", []any{w.ID, "", 0, true, "", true, "", true, false, 100}},
		} {
			t.Run(name, func(t *testing.T) {
				plan := b.plan(q.query, q.args...)
				uses := slices.ContainsFunc(strings.Split(q.uses, "|"), func(index string) bool { return strings.Contains(plan, index) })
				sorts := slices.ContainsFunc([]string{"TEMP B-TREE", "Sort Key: t.", "Sort Key: u."}, func(sort string) bool { return strings.Contains(plan, sort) })
				if !uses || sorts || strings.Contains(plan, "Seq Scan on labels") {
					t.Errorf("%s: %s", name, plan)
				}
			})
		}
	})
}

// TestHistory_FewMatchesUseIndex checks that a few transactions are looked up by
// their ids, regardless of the length of the history. PostgreSQL always uses the index,
// since the ids are passed as an array.
func TestHistory_FewMatchesUseIndex(t *testing.T) {
	b := openSQLite(t)
	w := b.wallet(b.user("alice", false), "a")
	for after, ascending := range map[int64]bool{0: true, 1 << 60: false} {
		plan := b.plan(db.TransactionsAmong, w.ID, false, false, `["x","y"]`, ascending, after, "", 0, int64(1<<60), false, true, "", true, 0, 0, false, "rent", true, "", 100)
		if !strings.Contains(plan, "SEARCH t USING INDEX sqlite_autoindex_transactions_1 (wallet_id=? AND txid=?)") {
			t.Errorf("ascending %t: %s", ascending, plan)
		}
	}
}

// plan returns the database's query plan.
func (b *fixture) plan(query string, args ...any) string {
	b.t.Helper()
	explain := "EXPLAIN "
	if b.engine == "sqlite" {
		explain = "EXPLAIN QUERY PLAN "
	}
	return b.rows(explain+query, args...)
}

func TestUTXOs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(10), Locked: []btc.Outpoint{{Txid: "b"}, {Txid: "x"}}, Added: []wallet.Transaction{
			payment(w, "b", confirmedAt(3), []wallet.Place{*place(0, 0), *place(1, 4), *place(0, 2)}),
			payment(w, "a", inMempool(false), []wallet.Place{*place(0, 1)}, btc.Outpoint{Txid: "b", Vout: 2}),
			payment(w, "c", inMempool(true), []wallet.Place{*place(1, 0)}),
			payment(w, "d", wallet.State{Status: wallet.Inactive, Replaceable: "no"}, []wallet.Place{*place(1, 0)}, btc.Outpoint{Txid: "c"}),
			payment(w, "e", wallet.State{Status: wallet.Abandoned, Replaceable: "no"}, []wallet.Place{*place(1, 0)}, btc.Outpoint{Txid: "b"}),
		}}, wallet.Change{WalletID: other.ID, Added: []wallet.Transaction{payment(other, "b", confirmedAt(3), []wallet.Place{*place(0, 9)})}})
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{
			{Type: "addr", Ref: addressAt(w.ID, *place(1, 4)), Label: new("address")},
			{Type: "output", Ref: "b:0", Label: new("output")},
			{Type: "addr", Ref: addressAt(w.ID, *place(0, 0)), Label: new("hidden")},
		}, auth.Event{}))
		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{{Txid: "b", Vout: 1}}, true, b.now, auth.Event{At: b.now, Action: "freeze"}))
		utxo := func(txid string, vout uint32, at wallet.Place, c wallet.UTXO) wallet.UTXO {
			c.Outpoint, c.Place, c.Address, c.Amount = btc.Outpoint{Txid: txid, Vout: vout}, at, addressAt(w.ID, at), btc.Amount(1000*(vout+1))
			c.Time = time.Unix(1, 0).UTC()
			return c
		}
		want := []wallet.UTXO{
			utxo("a", 0, *place(0, 1), wallet.UTXO{Status: wallet.InMempool}),
			utxo("b", 0, *place(0, 0), wallet.UTXO{Status: wallet.Confirmed, Height: 3, Confirmations: 8, Trusted: true, Locked: true, Label: "output"}),
			utxo("b", 1, *place(1, 4), wallet.UTXO{Status: wallet.Confirmed, Height: 3, Confirmations: 8, Trusted: true, Frozen: true, Locked: true, Label: "address"}),
		}
		var got []wallet.UTXO
		for after := (btc.Outpoint{}); ; {
			page, err := b.UTXOs(t.Context(), w.ID, after, 2)
			testkit.Check(t, err)
			got = append(got, page...)
			if len(page) < 2 {
				break
			}
			after = page[1].Outpoint
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for _, c := range want {
			t.Run(c.String(), func(t *testing.T) {
				one, err := b.UTXO(t.Context(), w.ID, c.Outpoint)
				testkit.Check(t, err)
				if diff := cmp.Diff(c, one); diff != "" {
					t.Error(diff)
				}
			})
		}
		for _, none := range []btc.Outpoint{{Txid: "b", Vout: 2}, {Txid: "c"}, {Txid: "d"}, {Txid: "e"}, {Txid: "a", Vout: 7}, {}} {
			t.Run(none.String(), func(t *testing.T) {
				_, err := b.UTXO(t.Context(), w.ID, none)
				wantFault(t, err, wallet.ErrUTXONotFound)
			})
		}
		_, err := b.UTXO(t.Context(), other.ID, btc.Outpoint{Txid: "b", Vout: 1})
		wantFault(t, err, wallet.ErrUTXONotFound)
	})
}

func TestFrozenUTXOs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w := b.wallet(u, "a")
		mined := payment(w, "mined", confirmedAt(5), []wallet.Place{*place(0, 5)})
		mined.Category = wallet.Generate
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(10), Added: []wallet.Transaction{
			payment(w, "a", confirmedAt(3), []wallet.Place{*place(0, 0), *place(0, 1), *place(0, 2)}),
			payment(w, "b", inMempool(false), []wallet.Place{*place(0, 3)}, btc.Outpoint{Txid: "a", Vout: 2}), mined,
		}})
		// Only trusted UTXOs count in Balances.Frozen; the others are untrusted, immature,
		// spent or unknown.
		for i, at := range []btc.Outpoint{{Txid: "a"}, {Txid: "a", Vout: 1}, {Txid: "b"}, {Txid: "mined"}, {Txid: "a", Vout: 2}, {Txid: "x"}} {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				for range 2 {
					testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{at}, true, b.now, auth.Event{At: b.now, Action: "freeze"}))
				}
			})
		}
		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{{Txid: "a"}}, false, b.now, auth.Event{}))
		v, err := b.View(t.Context(), u.ID, w.ID)
		testkit.Check(t, err)
		views := []wallet.View{v}
		testkit.Check(t, b.FillHeldBack(t.Context(), views))
		want := wallet.Balances{Trusted: 3000, Confirmed: 3000, UntrustedPending: 1000, Immature: 1000, Frozen: 2000}
		if got := views[0].Balances; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		frozen, err := b.FrozenUTXOs(t.Context(), w.ID)
		testkit.Check(t, err)
		if diff := cmp.Diff([]btc.Outpoint{{Txid: "a", Vout: 1}, {Txid: "b"}, {Txid: "mined"}}, frozen); diff != "" {
			t.Error(diff)
		}
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'freeze'"); n != 12 {
			t.Errorf("%d entries in the audit record", n)
		}
		wantFault(t, b.SetFrozen(t.Context(), "none", []btc.Outpoint{{Txid: "a"}}, true, b.now, auth.Event{}), wallet.ErrNotFound)
	})
}
