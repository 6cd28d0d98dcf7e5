package store_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func place(b wallet.Branch, i uint32) *wallet.Place { return &wallet.Place{Branch: b, Index: i} }

func confirmedAt(height int) wallet.State {
	return wallet.State{
		Status: wallet.Confirmed, Trusted: true, Replaceable: "no",
		Block: &wallet.Block{Height: height, Hash: fmt.Sprint("block ", height), Time: time.Unix(int64(height), 0).UTC()},
	}
}

func inMempool(trusted bool) wallet.State {
	return wallet.State{Status: wallet.InMempool, Trusted: trusted, Replaceable: "yes"}
}

// payment returns a transaction that pays to places of the wallet and spends the given
// outpoints. It pays 1,000 satoshis to the first place, 2,000 to the second, and so on.
func payment(w wallet.Wallet, id string, s wallet.State, to []wallet.Place, spends ...btc.Outpoint) wallet.Transaction {
	t := wallet.Transaction{
		Txid: id, Time: time.Unix(int64(len(id)), 0).UTC(), ReceivedAt: time.Unix(5, 0).UTC(), State: s,
		Category: wallet.Receive, Flow: 1, VSize: 100, Address: "a", Raw: []byte(id),
	}
	for i, at := range to {
		t.Outputs = append(t.Outputs, wallet.Output{Vout: uint32(i), Address: addressAt(w.ID, at), Amount: btc.Amount(1000 * (i + 1)), Own: &at})
	}
	for _, at := range spends {
		t.Inputs = append(t.Inputs, wallet.Input{Prev: at, Amount: 1})
	}
	return t
}

func synced(height int) *wallet.Tip {
	return &wallet.Tip{Height: height, Hash: fmt.Sprint("block ", height)}
}

func (b *fixture) write(changes ...wallet.Change) {
	b.t.Helper()
	testkit.Check(b.t, b.WriteIndex(b.t.Context(), changes))
}

func (b *fixture) load(w wallet.Wallet) wallet.Wallet {
	b.t.Helper()
	w, err := b.WalletByID(b.t.Context(), w.ID)
	testkit.Check(b.t, err)
	return w
}

// rows returns the result of a query as text, with one row per line.
func (b *fixture) rows(query string, args ...any) string {
	b.t.Helper()
	rows, err := b.shell.QueryContext(b.t.Context(), query, args...)
	testkit.Check(b.t, err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	testkit.Check(b.t, err)
	var lines []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		testkit.Check(b.t, rows.Scan(values...))
		line := make([]string, len(values))
		for i, v := range values {
			line[i] = fmt.Sprint(*v.(*any))
			switch line[i] { // PostgreSQL returns booleans, SQLite integers
			case "true":
				line[i] = "1"
			case "false":
				line[i] = "0"
			}
		}
		lines = append(lines, strings.Join(line, " "))
	}
	testkit.Check(b.t, rows.Err())
	return strings.Join(lines, "\n")
}

// index returns all rows of a wallet's index as text.
func (b *fixture) index(w wallet.Wallet) string {
	b.t.Helper()
	var out []string
	for _, q := range []string{
		"SELECT 'wallet', synced_height, synced_hash, core_txcount, core_info, trusted_sat, untrusted_pending_sat, immature_sat, confirmed_sat, receive_next, change_next FROM wallets WHERE wallet_id = $1",
		"SELECT 'transaction', txid, time, status, block_height, block_hash, block_time, category, flow_sat, fee_sat, vsize, replaceable, trusted, address, branch, address_index, conflicts, received_at, raw FROM transactions WHERE wallet_id = $1 ORDER BY txid",
		"SELECT 'output', txid, vout, address, amount_sat, branch, address_index, spent_by FROM outputs WHERE wallet_id = $1 ORDER BY txid, vout",
		"SELECT 'input', txid, prev_txid, prev_vout, amount_sat FROM inputs WHERE wallet_id = $1 ORDER BY txid, prev_txid, prev_vout",
		"SELECT 'unspent', txid, vout, address, amount_sat, branch, address_index, time, status, block_height, generated, trusted FROM utxos WHERE wallet_id = $1 ORDER BY txid, vout",
		"SELECT 'locked', txid, vout FROM locked WHERE wallet_id = $1 ORDER BY txid, vout",
		"SELECT 'used', branch, address_index FROM addresses WHERE wallet_id = $1 AND used ORDER BY branch, address_index",
	} {
		if rows := b.rows(q, w.ID); rows != "" {
			out = append(out, rows)
		}
	}
	return strings.Join(out, "\n")
}

func TestTransactions_RoundTrip(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		fee := btc.Amount(141)
		want := wallet.Transaction{
			Txid: "t", Time: b.now, ReceivedAt: b.now.Add(time.Second),
			State: wallet.State{
				Status: wallet.Confirmed, Block: &wallet.Block{Height: 5, Hash: "h", Time: b.now}, Conflicts: []string{"x", "y"},
				Replaceable: "unknown", Trusted: true,
			},
			Category: wallet.Send, Flow: -21e14, Fee: &fee, VSize: 141, Address: "theirs", Own: place(0, 3), Raw: []byte{0, 1, 255},
			Outputs: []wallet.Output{
				{Vout: 0, Address: "theirs", Amount: 21e14},
				{Vout: 1, Amount: 0},
				{Vout: 2, Address: "mine", Amount: 7, Own: place(1, 9)},
			},
			Inputs: []wallet.Input{{Prev: btc.Outpoint{Txid: "a", Vout: 1}, Amount: 2}, {Prev: btc.Outpoint{Txid: "b", Vout: 4294967295}, Amount: 3}},
		}
		bare := want
		bare.Txid, bare.State = "u", wallet.State{Status: wallet.Conflicted, BuriedAt: 7, Replaceable: "yes"}
		bare.Fee, bare.Own, bare.Inputs, bare.Outputs = nil, nil, nil, nil
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{want, bare}, Synced: synced(6)})
		for _, want := range []wallet.Transaction{want, bare} {
			t.Run(want.Txid, func(t *testing.T) {
				got, err := b.TransactionByID(t.Context(), w.ID, want.Txid)
				testkit.Check(t, err)
				if diff := gocmp.Diff(wallet.Record{Transaction: want}, got); diff != "" {
					t.Error(diff)
				}
				states, err := b.States(t.Context(), w.ID, []string{want.Txid, "none"})
				testkit.Check(t, err)
				if diff := gocmp.Diff(map[string]wallet.State{want.Txid: want.State}, states); diff != "" {
					t.Error(diff)
				}
			})
		}
		_, err := b.TransactionByID(t.Context(), w.ID, "none")
		wantFault(t, err, wallet.ErrTransactionNotFound)
		other := b.wallet(b.user("bob", false), "x")
		_, err = b.TransactionByID(t.Context(), other.ID, "t")
		wantFault(t, err, wallet.ErrTransactionNotFound)
		if n, err := b.CountTransactions(t.Context(), w.ID); n != 2 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestIndexLookUps(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		one := payment(w, "one", confirmedAt(1), []wallet.Place{*place(0, 0), *place(1, 1)})
		one.Outputs = append(one.Outputs, wallet.Output{Vout: 2, Address: "theirs", Amount: 9})
		two := payment(w, "two", inMempool(false), nil, btc.Outpoint{Txid: "one", Vout: 1})
		buried, gone := wallet.State{Status: wallet.Conflicted, Replaceable: "no", BuriedAt: 50}, wallet.State{Status: wallet.Abandoned, Replaceable: "no"}
		b.write(
			wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{one, two, payment(w, "three", buried, nil), payment(w, "four", gone, nil)}},
			wallet.Change{WalletID: other.ID, Added: []wallet.Transaction{payment(other, "one", confirmedAt(1), []wallet.Place{*place(0, 7)})}},
		)
		places, err := b.OwnPlaces(t.Context(), w.ID, []string{addressAt(w.ID, *place(1, 4)), addressAt(other.ID, *place(0, 1)), "x"})
		testkit.Check(t, err)
		if diff := gocmp.Diff(map[string]wallet.Place{addressAt(w.ID, *place(1, 4)): *place(1, 4)}, places); diff != "" {
			t.Error(diff)
		}
		outputs, err := b.OwnOutputs(t.Context(), w.ID, []btc.Outpoint{{Txid: "one", Vout: 1}, {Txid: "one", Vout: 2}, {Txid: "two"}})
		testkit.Check(t, err)
		if diff := gocmp.Diff(map[btc.Outpoint]btc.Amount{{Txid: "one", Vout: 1}: 2000}, outputs); diff != "" {
			t.Error(diff)
		}
		for height, want := range map[int][]string{50: {"four", "three", "two"}, 51: {"four", "two"}} {
			unsettled, err := b.Unsettled(t.Context(), w.ID, height)
			testkit.Check(t, err)
			if got := slices.Sorted(maps.Keys(unsettled)); !slices.Equal(got, want) {
				t.Errorf("unsettled at %d: %v, want %v", height, got, want)
			}
		}
		for i, x := range []struct {
			addresses []string
			at        []btc.Outpoint
			want      []string
		}{
			{nil, nil, nil},
			{[]string{addressAt(w.ID, *place(0, 0)), "x"}, nil, []string{w.ID}},
			{nil, []btc.Outpoint{{Txid: "one", Vout: 0}}, []string{w.ID, other.ID}},
			{nil, []btc.Outpoint{{Txid: "one", Vout: 1}}, []string{w.ID}},
			{nil, []btc.Outpoint{{Txid: "one", Vout: 2}}, nil},
			{[]string{addressAt(other.ID, *place(0, 0))}, []btc.Outpoint{{Txid: "one", Vout: 1}}, []string{w.ID, other.ID}},
		} {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				got, err := b.WalletsWith(t.Context(), x.addresses, x.at)
				testkit.Check(t, err)
				slices.Sort(x.want)
				if !slices.Equal(got, x.want) {
					t.Errorf("with %v, %v: %v, want %v", x.addresses, x.at, got, x.want)
				}
			})
		}
	})
}

func TestWriteIndex_OnlyReadyWallets(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, removing := b.wallet(u, "a"), b.wallet(u, "b")
		_, err := b.EditWallet(t.Context(), removing.ID, func(e *wallet.Edit) error { e.Stage = wallet.Removing; return nil })
		testkit.Check(t, err)
		before := b.index(removing)
		var changes []wallet.Change
		for _, id := range []string{"gone", removing.ID, w.ID} {
			changes = append(changes, wallet.Change{
				WalletID: id, Added: []wallet.Transaction{payment(w, "t", confirmedAt(1), []wallet.Place{*place(0, 0)})},
				Locked: []btc.Outpoint{{Txid: "l"}}, Synced: synced(1),
			})
		}
		b.write(changes...)
		if n := b.count("SELECT count(*) FROM transactions"); n != 1 || b.index(removing) != before || b.load(w).Synced.Height != 1 {
			t.Errorf("%d transactions, %s", n, b.index(removing))
		}
		b.write()
	})
}

func TestWriteIndex_WithoutChanges(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(700), CoreTxCount: 3, CoreInfo: `{"a":1}`})
		got := b.load(w)
		if got.Synced != *synced(700) || got.CoreTxCount != 3 || got.CoreInfo != `{"a":1}` {
			t.Errorf("got %+v", got)
		}
		b.write(wallet.Change{WalletID: w.ID}) // a change without content
		if diff := gocmp.Diff(got, b.load(w)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWriteIndex_NextAddresses(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault") // the next indexes are 1 and 2
		dead := wallet.State{Status: wallet.Abandoned, Replaceable: "no"}
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{
			payment(w, "a", dead, []wallet.Place{*place(0, 5), *place(0, 3)}), payment(w, "b", confirmedAt(1), []wallet.Place{*place(1, 0)}),
		}})
		got := b.load(w)
		if got.ReceiveNext != 6 || got.ChangeNext != 2 {
			t.Errorf("next are %d and %d", got.ReceiveNext, got.ChangeNext)
		}
		want := "0 3\n0 5\n1 0"
		if got := b.rows("SELECT branch, address_index FROM addresses WHERE used ORDER BY 1, 2"); got != want {
			t.Errorf("used: %s", got)
		}
		// An address stays used even if the transaction turns out not to pay to it.
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{payment(w, "a", dead, nil)}})
		if b.count("SELECT count(*) FROM addresses WHERE used") != 3 || b.load(w).ReceiveNext != 6 {
			t.Error("an address is used no more")
		}
	})
}

// TestLocked_UnfrozenDuringSyncRound checks that a UTXO that a user unfreezes during a sync round is
// not shown as locked when the sync round is written.
func TestLocked_UnfrozenDuringSyncRound(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w := b.wallet(u, "vault")
		frozen, reserved := btc.Outpoint{Txid: "x"}, btc.Outpoint{Txid: "x", Vout: 1}
		look := wallet.Change{WalletID: w.ID, Synced: synced(9), Locked: []btc.Outpoint{frozen, reserved}}
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{payment(w, "x", confirmedAt(1), []wallet.Place{*place(0, 0), *place(0, 1)})}})
		wantLocked := func(when string, want ...btc.Outpoint) {
			t.Helper()
			utxos, err := b.UTXOs(t.Context(), w.ID, btc.Outpoint{}, 10)
			testkit.Check(t, err)
			v, err := b.View(t.Context(), u.ID, w.ID)
			testkit.Check(t, err)
			details, err := b.Details(t.Context(), v, [2]uint32{1, 1})
			testkit.Check(t, err)
			var listed, drawn []btc.Outpoint
			for i, c := range utxos {
				if c.Locked {
					listed = append(listed, c.Outpoint)
				}
				if details.Unspent[i].Locked {
					drawn = append(drawn, details.Unspent[i].Outpoint)
				}
			}
			if !slices.Equal(listed, want) || !slices.Equal(drawn, want) {
				t.Errorf("%s, %v and %v are locked, and not %v", when, listed, drawn, want)
			}
		}

		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{frozen}, true, b.now, auth.Event{}))
		p := proposalFor(b, w, 0, reserved)
		testkit.Check(t, b.propose(p))
		wantLocked("before the node was looked at", frozen, reserved)
		b.write(look)
		wantLocked("while frozen or reserved", frozen, reserved)
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(9), Locked: []btc.Outpoint{}})
		wantLocked("after a look that had begun before", frozen, reserved)

		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{frozen}, false, b.now, auth.Event{}))
		_, err := b.UpdateProposal(t.Context(), w.ID, p.ID, func(u *proposal.Update) error {
			u.Status, u.Changed = proposal.Cancelled, true
			return nil
		})
		testkit.Check(t, err)
		wantLocked("let go")
		b.write(look)
		wantLocked("after a look that had begun before")
		testkit.Check(t, b.ForgetReleased(t.Context(), w.ID, look.Locked))
		wantLocked("once the node has been told")
		b.write(look)
		wantLocked("by somebody else", frozen, reserved)
	})
}

func TestLocked_FollowsCore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w, other := b.wallet(u, "a"), b.wallet(u, "b")
		x, y, z := btc.Outpoint{Txid: "x", Vout: 1}, btc.Outpoint{Txid: "x", Vout: 2}, btc.Outpoint{Txid: "z"}
		b.write(wallet.Change{WalletID: other.ID, Locked: []btc.Outpoint{x}})
		for _, step := range []struct {
			locked []btc.Outpoint
			want   string
		}{
			{[]btc.Outpoint{x, y}, "x 1\nx 2"},
			{nil, "x 1\nx 2"},
			{[]btc.Outpoint{y, z}, "x 2\nz 0"},
			{[]btc.Outpoint{y, z}, "x 2\nz 0"},
			{[]btc.Outpoint{}, ""},
		} {
			t.Run(step.want, func(t *testing.T) {
				b.write(wallet.Change{WalletID: w.ID, Locked: step.locked})
				if got := b.rows("SELECT txid, vout FROM locked WHERE wallet_id = $1 ORDER BY 1, 2", w.ID); got != step.want {
					t.Errorf("after %v: %s", step.locked, got)
				}
			})
		}
		b.write(wallet.Change{WalletID: w.ID, Locked: []btc.Outpoint{x}}, wallet.Change{WalletID: w.ID, Locked: []btc.Outpoint{z}})
		if got := b.rows("SELECT txid, vout FROM locked WHERE wallet_id = $1", w.ID); got != "z 0" {
			t.Errorf("after two changes: %s", got)
		}
		if got := b.rows("SELECT txid, vout FROM locked WHERE wallet_id = $1", other.ID); got != "x 1" {
			t.Errorf("the other wallet's: %s", got)
		}
	})
}

func TestCoinbaseMaturity(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		mined := payment(w, "mined", confirmedAt(10), []wallet.Place{*place(0, 0)})
		mined.Category = wallet.Generate
		orphaned := payment(w, "orphaned", inMempool(true), []wallet.Place{*place(0, 0)})
		orphaned.Category = wallet.Generate
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{mined, orphaned}, Synced: synced(10)})
		for height, want := range map[int]wallet.Balances{
			10: {Immature: 1000}, 109: {Immature: 1000}, 110: {Trusted: 1000, Confirmed: 1000},
		} {
			t.Run(fmt.Sprint(height), func(t *testing.T) {
				b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{mined}, Synced: synced(10)}) // indexed from scratch
				b.write(wallet.Change{WalletID: w.ID, Synced: synced(height)})
				if got := b.load(w).Balances; got != want {
					t.Errorf("at %d: %+v", height, got)
				}
				utxos, err := b.UTXOs(t.Context(), w.ID, btc.Outpoint{}, 10)
				testkit.Check(t, err)
				if len(utxos) != 1 || utxos[0].Immature != (want.Immature > 0) || utxos[0].Trusted != (want.Trusted > 0) || utxos[0].Confirmations != height-9 {
					t.Errorf("at %d: %+v", height, utxos)
				}
			})
		}
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(110)})
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(105)}) // a reorganization
		if got, want := b.load(w).Balances, (wallet.Balances{Immature: 1000}); got != want {
			t.Errorf("after a reorganization: %+v", got)
		}
	})
}

// TestWriteIndex_AnyOrder checks that the index depends only on the final
// transactions, and not on the order and number of the changes that led to them.
func TestWriteIndex_AnyOrder(t *testing.T) {
	testkit.NeedsTime(t)
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rounds := uint64(25)
		if b.engine == "pgx" { // slower, and the tested code is the same
			rounds = 10
		}
		for round := range rounds {
			r := rand.New(rand.NewPCG(seed, round))
			inOrder, shuffled := b.wallet(u, fmt.Sprint("a", round)), b.wallet(u, fmt.Sprint("b", round))
			final := randomHistory(r, inOrder, 25)
			locked := []btc.Outpoint{{Txid: "l", Vout: uint32(round)}}
			tip := synced(5 + r.IntN(150))

			b.write(wallet.Change{WalletID: inOrder.ID, Added: final, Locked: locked, Synced: tip})
			want := b.index(inOrder)
			checkNaively(t, b.load(inOrder), final, b.rows("SELECT txid, vout, spent_by FROM outputs WHERE wallet_id = $1 AND spent_by IS NOT NULL ORDER BY 1, 2", inOrder.ID))

			for _, group := range changeGroups(r, shuffled, final) {
				b.write(group...)
			}
			b.write(wallet.Change{WalletID: shuffled.ID, Locked: locked, Synced: tip})
			got := strings.ReplaceAll(b.index(shuffled), shuffled.ID, inOrder.ID)
			got = strings.ReplaceAll(got, addressAt(shuffled.ID, wallet.Place{})[:38], addressAt(inOrder.ID, wallet.Place{})[:38])
			if diff := gocmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Fatalf("round %d: %s", round, diff)
			}
			b.write(wallet.Change{WalletID: inOrder.ID, Added: final, Locked: locked, Synced: tip})
			if again := b.index(inOrder); again != want {
				t.Fatalf("round %d: written again, it is another one: %s", round, gocmp.Diff(want, again))
			}
		}
	})
}

// randomHistory returns transactions. Any of them may be dead, and may spend outputs of
// any earlier ones, including outputs that are already spent.
func randomHistory(r *rand.Rand, w wallet.Wallet, n int) []wallet.Transaction {
	var list []wallet.Transaction
	for i := range n {
		var to []wallet.Place
		for range 1 + r.IntN(3) {
			to = append(to, wallet.Place{Branch: wallet.Branch(r.IntN(2)), Index: uint32(r.IntN(20))})
		}
		t := payment(w, fmt.Sprintf("tx%02d", r.IntN(100)), randomState(r), to)
		if slices.ContainsFunc(list, func(other wallet.Transaction) bool { return other.Txid == t.Txid }) {
			continue
		}
		if r.IntN(5) == 0 {
			t.Category = wallet.Generate
		}
		t.Outputs = append(t.Outputs, wallet.Output{Vout: 9, Address: "theirs", Amount: 5})
		spends := map[btc.Outpoint]bool{}
		for range r.IntN(3) {
			if i == 0 || len(list) == 0 {
				break
			}
			prev := list[r.IntN(len(list))]
			spends[btc.Outpoint{Txid: prev.Txid, Vout: uint32(r.IntN(len(prev.Outputs) - 1))}] = true
		}
		for at := range spends {
			t.Inputs = append(t.Inputs, wallet.Input{Prev: at, Amount: 1})
		}
		list = append(list, t)
	}
	return list
}

func randomState(r *rand.Rand) wallet.State {
	switch r.IntN(7) {
	case 0:
		return inMempool(r.IntN(2) == 0)
	case 1:
		return wallet.State{Status: wallet.Inactive, Replaceable: "no"}
	case 2:
		return wallet.State{Status: wallet.Replaced, Replaceable: "yes", Conflicts: []string{"tx01"}}
	case 3:
		return wallet.State{Status: wallet.Conflicted, Replaceable: "no", BuriedAt: 3}
	case 4:
		return wallet.State{Status: wallet.Abandoned, Replaceable: "no"}
	}
	return confirmedAt(1 + r.IntN(60))
}

// changeGroups returns changes to w that result in the given transactions. Each
// transaction occurs several times, with earlier states before the final one.
func changeGroups(r *rand.Rand, w wallet.Wallet, final []wallet.Transaction) (groups [][]wallet.Change) {
	type event struct {
		at      float64
		t       wallet.Transaction
		changed bool
	}
	var events []event
	for _, t := range final {
		t.Outputs = slices.Clone(t.Outputs)
		for i := range t.Outputs { // the outputs belong to w
			o := &t.Outputs[i]
			if o.Own != nil {
				o.Address = addressAt(w.ID, *o.Own)
			}
		}
		times := []float64{r.Float64(), r.Float64(), r.Float64(), r.Float64()}
		sort.Float64s(times)
		early := t
		early.State = randomState(r)
		if r.IntN(4) == 0 { // an earlier version had less data
			early.Inputs, early.Outputs = nil, early.Outputs[:1]
		}
		last := r.IntN(2) == 0
		middle := t
		if last {
			middle.State = randomState(r)
		}
		events = append(events, event{times[0], early, r.IntN(3) == 0}, event{times[1], middle, false}, event{times[2], t, last})
		if r.IntN(2) == 0 {
			events = append(events, event{times[3], t, r.IntN(2) == 0})
		}
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	for len(events) > 0 {
		var group []wallet.Change
		for range 1 + r.IntN(2) {
			c := wallet.Change{WalletID: w.ID, Changed: map[string]wallet.State{}}
			seen := map[string]bool{}
			for range r.IntN(8) {
				if len(events) == 0 || seen[events[0].t.Txid] {
					break
				}
				e := events[0]
				events = events[1:]
				seen[e.t.Txid] = true
				if e.changed {
					c.Changed[e.t.Txid] = e.t.State
					continue
				}
				if r.IntN(8) == 0 { // twice in one change: the last version must be written
					before := e.t
					before.State = randomState(r)
					c.Added = append(c.Added, before)
				}
				c.Added = append(c.Added, e.t)
			}
			if r.IntN(4) == 0 {
				c.Synced = synced(r.IntN(100))
			}
			group = append(group, c)
		}
		groups = append(groups, group)
	}
	return groups
}

// checkNaively compares the balances and spent outputs of a wallet with the results of a
// simple computation from its transactions, as specified by the interface.
func checkNaively(t *testing.T, w wallet.Wallet, list []wallet.Transaction, spentRows string) {
	t.Helper()
	rank := map[wallet.Status]int{wallet.Confirmed: 3, wallet.InMempool: 2, wallet.Inactive: 1}
	spentBy, ranks := map[btc.Outpoint]string{}, map[btc.Outpoint]int{}
	for _, tx := range list {
		for _, in := range tx.Inputs {
			better := rank[tx.Status] > ranks[in.Prev] || rank[tx.Status] == ranks[in.Prev] && tx.Txid < spentBy[in.Prev]
			if !tx.Status.Dead() && better {
				spentBy[in.Prev], ranks[in.Prev] = tx.Txid, rank[tx.Status]
			}
		}
	}
	var spent []string
	for at, by := range spentBy {
		spent = append(spent, fmt.Sprint(at.Txid, " ", at.Vout, " ", by))
	}
	slices.Sort(spent)
	if got := strings.Join(spent, "\n"); got != spentRows {
		t.Fatalf("spent are\n%s\nwant\n%s", spentRows, got)
	}
	var want wallet.Balances
	for _, tx := range list {
		for _, o := range tx.Outputs {
			if o.Own == nil || spentBy[btc.Outpoint{Txid: tx.Txid, Vout: o.Vout}] != "" {
				continue
			}
			generated := tx.Category == wallet.Generate
			switch {
			case tx.Status == wallet.Confirmed && generated && w.Synced.Height-tx.Block.Height+1 <= 100:
				want.Immature += o.Amount
			case tx.Status == wallet.Confirmed:
				want.Trusted += o.Amount
				want.Confirmed += o.Amount
			case tx.Status == wallet.InMempool && !generated && tx.Trusted:
				want.Trusted += o.Amount
			case tx.Status == wallet.InMempool && !generated:
				want.UntrustedPending += o.Amount
			}
		}
	}
	if w.Balances != want {
		t.Fatalf("balances %+v, want %+v", w.Balances, want)
	}
}

// TestWriteIndex_ConcurrentEdits checks that no update is lost if a user and the indexer
// write to a wallet at the same time.
func TestWriteIndex_ConcurrentEdits(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		done := make(chan error)
		go func() {
			for range 30 {
				if _, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.RescanProgress += 0.01; return nil }); err != nil {
					done <- err
					return
				}
			}
			done <- b.SetLabels(t.Context(), w.ID, []btc.Label{{Type: "tx", Ref: "t1", Label: new("x")}}, auth.Event{})
		}()
		for i := range 30 {
			b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{
				payment(w, fmt.Sprint("t", i), confirmedAt(i), []wallet.Place{*place(0, uint32(i))}),
			}, Synced: synced(i)})
		}
		testkit.Check(t, <-done)
		got := b.load(w)
		if got.ReceiveNext != 30 || got.Synced.Height != 29 || got.RescanProgress < 0.295 || got.Balances.Trusted != 30_000 {
			t.Errorf("got %+v", got)
		}
	})
}
