package wallet_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// write adds transactions to the index of a wallet, and sets its height.
func (r *fixture) write(v wallet.View, height int, transactions ...wallet.Transaction) {
	r.t.Helper()
	tip := wallet.Tip{Height: height, Hash: fmt.Sprintf("%064d", height)}
	testkit.Check(r.t, r.store.WriteIndex(r.t.Context(), []wallet.Change{{WalletID: v.ID, Added: transactions, Synced: &tip, CoreTxCount: len(transactions)}}))
}

func testHistory(r *fixture) {
	t, ctx := r.t, r.t.Context()
	random := rand.New(rand.NewPCG(3, 4))
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var mine, theirs []string
	views := []wallet.View{r.storeWallet(r.alice, "a"), r.storeWallet(r.alice, "b"), r.storeWallet(r.alice, "c"), r.storeWallet(r.bob, "d")}
	ids := map[string]wallet.View{}
	for i, v := range views {
		ids[v.ID] = v
		var all []wallet.Transaction
		seen := map[string]bool{}
		for len(all) < 150 {
			txid := strings.Repeat(fmt.Sprintf("%02x", random.IntN(256)), 32) // some are in several wallets
			if seen[txid] {
				continue
			}
			seen[txid] = true
			at := begin.Add(time.Duration(random.IntN(40)) * time.Hour)
			all = append(all, wallet.Transaction{
				Txid: txid, Time: at, ReceivedAt: at, Category: wallet.Receive, Flow: 1, VSize: 100, Raw: []byte{1},
				State: wallet.State{Status: wallet.Confirmed, Block: &wallet.Block{Height: 5, Hash: "00", Time: at}, Replaceable: "no", Trusted: true},
			})
			line := fmt.Sprint(at.Unix(), " ", txid, " ", v.ID)
			if i < 3 {
				mine = append(mine, line)
			} else {
				theirs = append(theirs, line)
			}
		}
		r.write(v, 100+10*i, all...)
	}
	for _, list := range [][]string{mine, theirs} {
		slices.SortFunc(list, func(a, b string) int { // latest first, highest txid first, lowest wallet first
			x, y := strings.Fields(a), strings.Fields(b)
			return cmp.Or(strings.Compare(y[0], x[0]), strings.Compare(y[1], x[1]), strings.Compare(x[2], y[2]))
		})
	}
	line := func(r wallet.Record) string {
		if ids[r.WalletID].Alias != r.Alias {
			t.Errorf("the record of wallet %s has the alias %s", ids[r.WalletID].Alias, r.Alias)
		}
		return fmt.Sprint(r.Time.Unix(), " ", r.Txid, " ", r.WalletID)
	}
	check := func(who *auth.Principal, alias string, height int, want []string) {
		t.Helper()
		set := wallet.All(who)
		if alias != "" {
			set = wallet.One(r.access(who, alias))
		}
		tip, records, err := r.EachTransaction(ctx, set, wallet.Filter{})
		testkit.Check(t, err)
		for range 2 { // it can be iterated again
			var got []string
			for record, err := range records {
				testkit.Check(t, err)
				got = append(got, line(record))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d records of %q streamed, want %d", len(got), alias, len(want))
			}
		}
		for _, limit := range []int{1, 7, 100, 1000} {
			var got []string
			for after := (wallet.HistoryCursor{}); ; {
				page, at, err := r.Transactions(ctx, set, wallet.Filter{}, after, limit)
				testkit.Check(t, err)
				if at != tip || tip.Height != height {
					t.Fatalf("as of %+v and %+v, want %d", at, tip, height)
				}
				for _, record := range page {
					got = append(got, line(record))
					after = wallet.HistoryCursor{Time: record.Time, Txid: record.Txid, WalletID: record.WalletID}
				}
				if len(page) < limit || limit == 1 && len(got) == 30 {
					break
				}
			}
			if limit == 1 {
				if !slices.Equal(got, want[:30]) {
					t.Errorf("pages of one: %q", got)
				}
			} else if !slices.Equal(got, want) {
				t.Errorf("%d records of %q in pages of %d, want %d", len(got), alias, limit, len(want))
			}
		}
	}
	in := func(keep ...wallet.View) []string {
		return slices.DeleteFunc(slices.Clone(mine), func(line string) bool {
			return !slices.ContainsFunc(keep, func(v wallet.View) bool { return strings.HasSuffix(line, v.ID) })
		})
	}
	check(r.alice, "", 100, mine)
	check(r.alice, "b", 110, in(views[1]))
	check(r.bob, "", 130, theirs)
	check(limited(r.alice, views[1].ID, views[2].ID), "", 110, in(views[1], views[2]))

	one, err := r.Transaction(ctx, r.access(r.alice, "a"), strings.Fields(in(views[0])[0])[1])
	testkit.Check(t, err)
	if one.Alias != "a" || one.WalletID != views[0].ID {
		t.Errorf("got %+v", one)
	}
	_, err = r.Transaction(ctx, r.access(r.alice, "a"), strings.Repeat("0123", 16))
	wantErr(t, err, wallet.ErrTransactionNotFound)

	// A token without wallets gets an empty result.
	page, tip, err := r.Transactions(ctx, wallet.All(limited(r.alice)), wallet.Filter{}, wallet.HistoryCursor{}, 10)
	if err != nil || len(page) != 0 || tip.Height != -1 {
		t.Errorf("%d records, tip %+v, %v", len(page), tip, err)
	}
	// A wallet that was never synced makes the tip unknown.
	r.storeWallet(r.alice, "new")
	if _, tip, err = r.Transactions(ctx, wallet.All(r.alice), wallet.Filter{}, wallet.HistoryCursor{}, 10); err != nil || tip.Height != -1 {
		t.Errorf("tip %+v, %v", tip, err)
	}
}

func testWaitForHeight(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v, other := r.storeWallet(r.alice, "vault"), r.storeWallet(r.alice, "other")
	r.write(v, 100)
	got, err := r.WaitForHeight(ctx, wallet.One(r.access(r.alice, "vault")), 100)
	testkit.Check(t, err)
	if got.ID != v.ID || got.Synced.Height != 100 {
		t.Errorf("got %+v", got)
	}
	go func() {
		time.Sleep(300 * time.Millisecond)
		r.write(v, 102)
	}()
	if got, err = r.WaitForHeight(ctx, wallet.One(r.access(r.alice, "vault")), 101); err != nil || got.Synced.Height != 102 {
		t.Errorf("at %d, %v", got.Synced.Height, err)
	}

	if !r.isSQLite {
		return // tested on one database only, because this case takes ten seconds
	}
	begin := time.Now()
	_, err = r.WaitForHeight(ctx, wallet.All(r.alice), 102) // the other wallet has not reached it
	wantFault(t, err, fault.Conflict, "index_behind")
	f := faultOf(err)
	if took := time.Since(begin); took < 9*time.Second || took > 15*time.Second {
		t.Errorf("the request took %v", took)
	}
	if f.Details["indexed_height"] != "-1" || !strings.Contains(f.Message, "other") {
		t.Errorf("got the error %s, %v", f.Message, f.Details)
	}
	r.write(other, 102)
	if got, err = r.WaitForHeight(ctx, wallet.All(r.alice), 102); err != nil || got.Synced.Height != 102 {
		t.Errorf("at %d, %v", got.Synced.Height, err)
	}
}
