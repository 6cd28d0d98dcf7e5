package store_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/replay"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// events returns the events of a wallet after a number.
func (b *fixture) events(w wallet.Wallet, after int64) []event.Event {
	b.t.Helper()
	list, _, err := b.EventsOfWallet(b.t.Context(), w.ID, after, nil, math.MaxInt32)
	testkit.Must(b.t, err)
	return list
}

// userEvents returns the events of a user that are not events of a wallet.
func (b *fixture) userEvents(u auth.User) []event.Event {
	b.t.Helper()
	list, _, err := b.EventsOfUser(b.t.Context(), u.ID, nil, 0, nil, math.MaxInt32)
	testkit.Must(b.t, err)
	return list
}

// summary returns the kinds and subjects of events, one per line.
func summary(list []event.Event) string {
	var lines []string
	for _, e := range list {
		lines = append(lines, string(e.Kind)+" "+e.Subject)
	}
	return strings.Join(lines, "\n")
}

// wantEvents checks the kinds and subjects of the events after a number, and returns the
// number of the last one.
func (b *fixture) wantEvents(w wallet.Wallet, after int64, want ...string) int64 {
	b.t.Helper()
	list := b.events(w, after)
	if got := summary(list); got != strings.Join(want, "\n") {
		b.t.Errorf("the events are\n%s\nand not\n%s", got, strings.Join(want, "\n"))
	}
	return after + int64(len(list))
}

// wantReplay checks that the events of a wallet lead to its index.
func (b *fixture) wantReplay(w wallet.Wallet) {
	b.t.Helper()
	var r replay.Wallet
	if wrong := r.Differences(b.t.Context(), b, w.ID); wrong != nil {
		b.t.Errorf("%s\nafter these events:\n%s", strings.Join(wrong, "\n"), summary(b.events(w, 0)))
	}
}

// quiet creates a wallet without a rescan, and returns the number of its last event.
func (b *fixture) quiet(u auth.User) (w wallet.Wallet, n int64) {
	b.t.Helper()
	w = b.wallet(u, "vault")
	_, err := b.EditWallet(b.t.Context(), w.ID, func(e *wallet.Edit) error { e.EndRescan(""); return nil })
	testkit.Must(b.t, err)
	return w, b.wantEvents(w, 0, "wallet.created "+w.ID, "rescan.started "+w.ID, "rescan.finished "+w.ID)
}

func in(status wallet.Status) wallet.State { return wallet.State{Status: status, Replaceable: "yes"} }

// TestTransactionEvents: each change of a transaction has one event, and an update of the
// index that changes nothing has none.
func TestTransactionEvents(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, n := b.quiet(b.user("alice", false))
		change := func(c wallet.Change) {
			c.WalletID = w.ID
			b.write(c)
		}
		states := func(id string, s wallet.State) map[string]wallet.State { return map[string]wallet.State{id: s} }
		change(wallet.Change{Synced: synced(100)})
		n = b.wantEvents(w, n, "wallet.synced "+w.ID)
		received := payment(w, "t1", inMempool(false), []wallet.Place{*place(0, 4)})
		change(wallet.Change{Added: []wallet.Transaction{received}})
		n = b.wantEvents(w, n, "transaction.seen t1", "address.used "+addressAt(w.ID, *place(0, 4)))
		trusted := inMempool(true)
		trusted.Conflicts = []string{"x"}
		change(wallet.Change{Added: []wallet.Transaction{received}, Changed: states("t1", trusted), Synced: synced(101)})
		n = b.wantEvents(w, n)
		change(wallet.Change{Changed: states("t1", confirmedAt(102)), Synced: synced(102)})
		n = b.wantEvents(w, n, "transaction.confirmed t1")
		change(wallet.Change{Changed: states("t1", in(wallet.Inactive)), Synced: synced(101)})
		change(wallet.Change{Changed: states("t1", inMempool(true))})
		change(wallet.Change{Changed: states("t1", in(wallet.Inactive))})
		change(wallet.Change{Changed: states("t1", in(wallet.Replaced))})
		change(wallet.Change{Changed: states("t1", wallet.State{Status: wallet.Conflicted, BuriedAt: 103, Replaceable: "yes"}), Synced: synced(103)})
		change(wallet.Change{Changed: states("t1", in(wallet.Abandoned)), Synced: synced(102)})
		n = b.wantEvents(w, n, "transaction.unconfirmed t1", "transaction.seen t1", "transaction.dropped t1", "transaction.replaced t1",
			"transaction.conflicted t1", "transaction.dropped t1")
		change(wallet.Change{Changed: states("t1", confirmedAt(103)), Synced: synced(107)})
		n = b.wantEvents(w, n, "transaction.confirmed t1")
		change(wallet.Change{Synced: synced(108)})
		n = b.wantEvents(w, n, "transaction.final t1")
		change(wallet.Change{Synced: synced(107)})
		change(wallet.Change{Synced: synced(109)})
		n = b.wantEvents(w, n)
		spend := payment(w, "t2", inMempool(true), []wallet.Place{*place(1, 0), *place(0, 4)}, btc.Outpoint{Txid: "t1"})
		change(wallet.Change{Added: []wallet.Transaction{spend}})
		n = b.wantEvents(w, n, "transaction.seen t2", "spend.unproposed t2", "address.used "+addressAt(w.ID, *place(1, 0)))
		b.wantReplay(w)

		list := b.events(w, n-3)
		var d event.TransactionData
		testkit.Check(t, json.Unmarshal(list[0].Data, &d))
		if d.Before != nil || d.After.Status != "mempool" || d.Flow != 1 {
			t.Errorf("%s", list[0].Data)
		}
		if want := fmt.Sprintf(`{"wallet_id":%q,"n":%d,`, w.ID, n-2); !strings.HasPrefix(string(list[0].Data), want) {
			t.Errorf("%s does not begin with %s", list[0].Data, want)
		}
	})
}

// TestFinalAfter: a wallet's number of confirmations applies to transactions that are not
// yet final, and a final transaction has only one event.
func TestFinalAfter(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, n := b.quiet(b.user("alice", false))
		write := func(tip int, added ...wallet.Transaction) {
			b.write(wallet.Change{WalletID: w.ID, Added: added, Synced: synced(tip)})
		}
		require := func(confirmations int) {
			_, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.FinalAfter = confirmations; return nil })
			testkit.Must(t, err)
		}
		tx := func(id string, height int) wallet.Transaction {
			return payment(w, id, confirmedAt(height), []wallet.Place{*place(0, 0)})
		}
		write(100)
		n = b.wantEvents(w, n, "wallet.synced "+w.ID)
		require(2)
		write(101, tx("t1", 101))
		n = b.wantEvents(w, n, "transaction.confirmed t1", "address.used "+addressAt(w.ID, *place(0, 0)))
		write(102, tx("t2", 102))
		n = b.wantEvents(w, n, "transaction.confirmed t2", "transaction.final t1")
		require(4)
		write(104)
		n = b.wantEvents(w, n)
		write(105)
		n = b.wantEvents(w, n, "transaction.final t2")
		require(1)
		write(106, tx("t3", 106))
		b.wantEvents(w, n, "transaction.confirmed t3", "transaction.final t3")
	})
}

// TestEventsOfUser_Joining: a user who joins a wallet while events are read gets its events
// with the next read, because the position does not pass them.
func TestEventsOfUser_Joining(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		w, _ := b.quiet(alice)
		join := func() {
			testkit.Check(t, b.EditMembers(t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error {
				e.Members = append(e.Members, wallet.Member{UserID: bob.ID, UserName: "bob", Role: auth.RoleViewer, Alias: "v", CreatedAt: b.now})
				return nil
			}))
		}
		own := b.wallet(bob, "own")
		all := func(string) bool { return true }
		_, start, err := b.EventsOfUser(t.Context(), bob.ID, all, 0, nil, 100)
		testkit.Must(t, err)
		_, err = b.EditWallet(t.Context(), own.ID, func(e *wallet.Edit) error { e.Name = "own 2"; return nil })
		testkit.Must(t, err)
		list, bounds, err := b.EventsOfUser(t.Context(), bob.ID, func(string) bool {
			if join != nil {
				join()
			}
			join = nil
			return true
		}, start.Last, nil, 100)
		testkit.Must(t, err)
		if got := summary(list); got != "wallet.renamed "+own.ID {
			t.Errorf("at first %s", got)
		}
		list, _, err = b.EventsOfUser(t.Context(), bob.ID, all, bounds.Last, nil, 100)
		testkit.Must(t, err)
		if got := summary(list); got != "member.added bob" {
			t.Errorf("after %d: %s", bounds.Last, got)
		}
	})
}

// TestImportedHistory: the first sync and a rescan report the transactions of old blocks by
// one event, also if their parts are written separately, and do not report any twice.
func TestImportedHistory(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, n := b.quiet(b.user("alice", false))
		tx := func(id string, s wallet.State) wallet.Transaction {
			return payment(w, id, s, []wallet.Place{*place(0, 0)})
		}
		imported := func(n int64) int64 {
			list := b.events(w, n)
			var d event.SyncData
			testkit.Check(t, json.Unmarshal(list[len(list)-1].Data, &d))
			return d.Imported
		}
		old, recent := tx("old", confirmedAt(5)), tx("recent", confirmedAt(98))
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{old}})
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{old, recent, tx("new", inMempool(false))}, Synced: synced(100)})
		b.wantEvents(w, n, "wallet.synced "+w.ID)
		if got := imported(n); got != 3 {
			t.Errorf("%d transactions were imported", got)
		}
		n++
		b.write(wallet.Change{WalletID: w.ID, Changed: map[string]wallet.State{"new": confirmedAt(101)}, Synced: synced(103)})
		n = b.wantEvents(w, n, "transaction.confirmed new", "transaction.final recent")
		b.wantReplay(w)

		edit := func(do func(e *wallet.Edit)) {
			_, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { do(e); return nil })
			testkit.Check(t, err)
		}
		edit(func(e *wallet.Edit) { e.StartRescan(0) })
		found := []wallet.Transaction{old, tx("found", confirmedAt(7)), tx("live", inMempool(false)), tx("block", confirmedAt(104))}
		b.write(wallet.Change{WalletID: w.ID, Rescanned: true, Added: found, Synced: synced(104)})
		n = b.wantEvents(w, n, "rescan.started "+w.ID, "transaction.seen live", "transaction.confirmed block")
		edit(func(e *wallet.Edit) { e.EndRescan("") })
		b.wantEvents(w, n, "rescan.finished "+w.ID, "wallet.synced "+w.ID)
		if got := imported(n); got != 1 {
			t.Errorf("%d transactions were imported", got)
		}
		n += 2
		edit(func(e *wallet.Edit) { e.StartRescan(0) })
		edit(func(e *wallet.Edit) { e.EndRescan("the node is pruned") })
		edit(func(e *wallet.Edit) { e.StartRescan(0) })
		edit(func(e *wallet.Edit) { e.EndRescan(""); e.Aborted = true })
		n = b.wantEvents(w, n, "rescan.started "+w.ID, "rescan.failed "+w.ID, "rescan.started "+w.ID, "rescan.aborted "+w.ID)
		reorganized := tx("reorganized", confirmedAt(103)) // in a block that replaces one that was indexed
		b.write(wallet.Change{WalletID: w.ID, Added: []wallet.Transaction{reorganized}, Synced: synced(105)})
		b.wantEvents(w, n, "transaction.confirmed reorganized")
		b.wantReplay(w)
	})
}

// TestPaymentBeforeFirstSync: a payment to a new wallet that arrives before its first sync has
// events; older transactions are imported.
func TestPaymentBeforeFirstSync(t *testing.T) {
	onBothEngines(t, func(_ *testing.T, b *fixture) {
		w, n := b.quiet(b.user("alice", false))
		at := func(id string, s wallet.State, age time.Duration) wallet.Transaction {
			tx := payment(w, id, s, []wallet.Place{*place(0, 0)})
			tx.Time = b.now.Add(-age)
			return tx
		}
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(100), Added: []wallet.Transaction{
			at("old", confirmedAt(90), 24*time.Hour), at("new", inMempool(false), 0), at("block", confirmedAt(100), 10*time.Minute),
		}})
		b.wantEvents(w, n, "transaction.seen new", "transaction.confirmed block", "address.used "+addressAt(w.ID, *place(0, 0)), "wallet.synced "+w.ID)
		b.wantReplay(w)
	})
}

// TestEventsOfChanges: what users do has events, with who did it.
func TestEventsOfChanges(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		w, n := b.quiet(alice)
		did := auth.Event{At: b.now, UserID: alice.ID, UserName: "alice", TokenID: "t", Action: "x"}
		edit := func(do func(e *wallet.Edit)) {
			_, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.Event = did; do(e); return nil })
			testkit.Check(t, err)
		}
		members := func(do func(e *wallet.MemberEdit)) {
			testkit.Check(t, b.EditMembers(t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error { e.Event = did; do(e); return nil }))
		}
		edit(func(e *wallet.Edit) { e.Name = "Vault" })
		edit(func(e *wallet.Edit) { e.ReceiveNext += 2 })
		edit(func(e *wallet.Edit) { e.Problem = "not shown" })
		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{utxoNumber(1)}, true, b.now, did))
		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{utxoNumber(1), utxoNumber(2)}, true, b.now, did))
		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{utxoNumber(1)}, false, b.now, did))
		b.join(w, bob, auth.RoleViewer, "v")
		members(func(e *wallet.MemberEdit) { e.Members[1].Role = auth.RoleSigner })
		members(func(e *wallet.MemberEdit) { e.Members[1].Alias = "w" })
		members(func(e *wallet.MemberEdit) { e.Members = e.Members[:1] })
		b.wantEvents(w, n, "wallet.renamed "+w.ID, "address.revealed "+addressAt(w.ID, *place(0, 1)), "address.revealed "+addressAt(w.ID, *place(0, 2)),
			"utxo.frozen "+utxoNumber(1).String(), "utxo.frozen "+utxoNumber(2).String(), "utxo.unfrozen "+utxoNumber(1).String(),
			"member.added bob", "member.changed bob", "member.removed bob")
		view := b.rows("SELECT wallet_name, n, user_name, kind, at, subject, actor_user, actor_token FROM v_events WHERE kind = 'wallet.renamed' OR (kind = 'member.removed' AND n IS NULL) ORDER BY seq")
		if want := fmt.Sprintf("Vault 4 <nil> wallet.renamed 2026-11-21T20:30:00Z %s alice t\n<nil> <nil> bob member.removed 2026-11-21T20:30:00Z %s alice t", w.ID, w.ID); view != want {
			t.Errorf("the view is\n%s\nand not\n%s", view, want)
		}
		if by := b.events(w, n)[0].Actor; by != (event.Actor{UserID: alice.ID, UserName: "alice", TokenID: "t"}) {
			t.Errorf("the actor is %+v", by)
		}
		b.join(w, bob, auth.RoleViewer, "v")
		edit(func(e *wallet.Edit) { e.Stage = wallet.Removing })
		if got, want := summary(b.userEvents(bob)), "member.removed "+w.ID+"\nwallet.removed "+w.ID; got != want {
			t.Errorf("bob's events are\n%s", got)
		}
		testkit.Check(t, b.DeleteWallet(t.Context(), w.ID, auth.Event{}))
		if n := b.count("SELECT count(*) FROM events WHERE wallet_id IS NOT NULL"); n != 0 {
			t.Errorf("%d events of a deleted wallet are left", n)
		}
	})
}

// TestEventsOfDevices: a new name of a device is an event of each wallet with a key of it, and of
// no wallet that is being created.
func TestEventsOfDevices(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		first, n := b.quiet(alice)
		second := b.wallet(alice, "second")
		other, _ := b.quiet(bob)
		creating, addresses := walletFor(b.now)
		testkit.Check(t, b.AddWallet(t.Context(), creating, alice.ID, "creating", addresses, auth.Event{At: b.now, Action: "wallet.create"}))
		before := map[string]int{second.ID: len(b.events(second, 0)), other.ID: len(b.events(other, 0))}
		who := alice.Credential().Principal("")
		rename := func(alias, newAlias, name string) {
			_, err := b.RenameDevice(t.Context(), who, alias, newAlias, name, who.Event(b.now, "device.rename", "", ""))
			testkit.Check(t, err)
		}
		rename("0badcafe", "jade", "Jade")
		rename("jade", "jade", "Jade") // changes nothing
		id := b.rows("SELECT device_id FROM devices WHERE alias = 'jade'")
		b.wantEvents(first, n, "device.renamed "+id)
		b.wantEvents(second, int64(before[second.ID]), "device.renamed "+id)
		b.wantEvents(other, int64(before[other.ID]))
		b.wantEvents(creating, 0)
		e := b.events(first, n)[0]
		if want := fmt.Sprintf(`{"wallet_id":%q,"n":%d,"before":{"device":"0badcafe","name":"0badcafe"},"after":{"device":"jade","name":"Jade"}}`, first.ID, n+1); string(e.Data) != want {
			t.Errorf("the data is %s, want %s", e.Data, want)
		}
		if e.Actor != (event.Actor{UserID: alice.ID, UserName: "alice"}) {
			t.Errorf("the actor is %+v", e.Actor)
		}
		b.wantReplay(first)
	})
}

// wantTokenEvents checks that the tokens with events, except revoked tokens, are the
// tokens of the user, and that none was revoked twice.
func (b *fixture) wantTokenEvents(u auth.User) {
	b.t.Helper()
	left := map[string]bool{}
	for _, e := range b.userEvents(u) {
		if e.Kind != event.TokenRevoked {
			left[e.Subject] = true
			continue
		}
		var d event.RevokedData
		testkit.Check(b.t, json.Unmarshal(e.Data, &d))
		for _, t := range d.Tokens {
			if !left[t.TokenID] || t.Description == "" {
				b.t.Errorf("%+v was revoked twice, or has no event", t)
			}
			delete(left, t.TokenID)
		}
	}
	var exist []string
	for id := range strings.FieldsSeq(b.rows("SELECT token_id FROM tokens WHERE user_id = $1", u.ID)) {
		exist = append(exist, id)
	}
	if got := slices.Sorted(maps.Keys(left)); !slices.Equal(got, slices.Sorted(slices.Values(exist))) {
		b.t.Errorf("according to the events, the tokens are %v, and not %v", got, exist)
	}
}

// TestEventsOfTokens: tokens that are deleted together are in one event, or in few.
func TestEventsOfTokens(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		parent := b.token(alice, "parent", "")
		child := b.token(alice, "child", parent.ID)
		other := b.token(alice, "other", "")
		testkit.Check(t, b.DeleteToken(t.Context(), alice.ID, parent.ID, "", func(*auth.Deletion) error { return nil }))
		list := b.userEvents(alice)
		want := []string{"token.created " + parent.ID, "token.created " + child.ID, "token.created " + other.ID}
		if got := summary(list[:3]); len(list) != 4 || list[3].Kind != event.TokenRevoked || got != strings.Join(want, "\n") {
			t.Errorf("the events are\n%s", summary(list))
		}
		b.wantTokenEvents(alice)
		for i := range 120 {
			b.token(alice, fmt.Sprint("token ", i), "")
		}
		_, err := b.EditUser(t.Context(), operator, "alice", func(e *auth.UserEdit) error { e.DropTokens = true; return nil })
		testkit.Check(t, err)
		b.wantTokenEvents(alice)
		if n := b.count("SELECT count(*) FROM events WHERE kind = 'token.revoked'"); n != 3 {
			t.Errorf("%d events of revocations", n)
		}
	})
}

// TestRevocationWithoutEvents: if events cannot be written, access can still be revoked, and
// nothing else can be done.
func TestRevocationWithoutEvents(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		w, _ := b.quiet(alice)
		b.join(w, bob, auth.RoleViewer, "v")
		testkit.Check(t, b.BindKey(t.Context(), "k1"))
		leaked, err := b.signed(alice, "leaked", "k1", time.Hour)
		testkit.Check(t, err)
		single, err := b.signed(alice, "single", "k1", time.Hour)
		testkit.Check(t, err)
		ofBob, err := b.signed(bob, "of bob", "k1", time.Hour)
		testkit.Check(t, err)
		testkit.Check(t, b.rotate("k1", "k2"))
		before := b.count("SELECT count(*) FROM events")
		if b.engine == "sqlite" {
			b.exec("CREATE TRIGGER no_events BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no events'); END")
		} else {
			b.exec("CREATE FUNCTION no_events() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no events'; END $$")
			b.exec("CREATE TRIGGER no_events BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_events()")
		}
		if _, err := b.signed(alice, "another", "k2", time.Hour); err == nil {
			t.Error("a token was created without an event")
		}
		testkit.Check(t, b.DeleteToken(t.Context(), alice.ID, single.ID, "", func(*auth.Deletion) error { return nil }))
		testkit.Check(t, b.EditMembers(t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error { e.Members = e.Members[:1]; return nil }))
		_, err = b.EditUser(t.Context(), operator, "bob", func(e *auth.UserEdit) error { e.DropTokens = true; return nil })
		testkit.Check(t, err)
		if dropped := b.dropKeys(true); dropped != "[{k1 1}]" {
			t.Errorf("dropped %s", dropped)
		}
		for _, gone := range []auth.Token{leaked, single, ofBob} {
			if b.tokenExists(gone.ID) {
				t.Errorf("%q is still there", gone.Description)
			}
		}
		if n := b.count("SELECT count(*) FROM members"); n != 1 {
			t.Errorf("%d members", n)
		}
		if n := b.count("SELECT count(*) FROM events"); n != before {
			t.Errorf("%d events were added", n-before)
		}
	})
}

// TestEventsOfDeletedUser: the events of a user are deleted with the user, also in a shell.
func TestEventsOfDeletedUser(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		b.token(alice, "a", "")
		b.token(bob, "b", "")
		b.exec("DELETE FROM users WHERE user_id = $1", alice.ID)
		if n := b.count("SELECT count(*) FROM events"); n != 1 || len(b.userEvents(bob)) != 1 {
			t.Errorf("%d events are left", n)
		}
	})
}

// TestEventLocks: on PostgreSQL, a transaction with events waits for no row of a user or of a
// wallet, which could be locked by a transaction that waits for the events; and it cannot
// stay idle for long.
func TestEventLocks(t *testing.T) {
	b := openPostgres(t)
	alice := b.user("alice", false)
	w, n := b.quiet(alice)
	other, err := b.shell.BeginTx(t.Context(), nil)
	testkit.Check(t, err)
	defer func() { _ = other.Rollback() }()
	do := func(query string, args ...any) {
		t.Helper()
		_, err := other.ExecContext(t.Context(), query, args...)
		testkit.Check(t, err)
	}
	do("SELECT 1 FROM users WHERE user_id = $1 FOR UPDATE", alice.ID)
	do("UPDATE wallets SET problem = problem WHERE wallet_id = $1", w.ID)
	tx, err := b.shell.BeginTx(t.Context(), nil)
	testkit.Check(t, err)
	defer func() { _ = tx.Rollback() }()
	var idle string
	for _, query := range []string{
		"SET LOCAL lock_timeout = '2s'",
		"INSERT INTO events (user_id, kind, at, subject, data, actor_user, actor_token) VALUES ('" + alice.ID + "', 'token.created', 0, '', '{}', '', '')",
		"UPDATE event_numbers SET last = last + 1",
		fmt.Sprintf("INSERT INTO events (wallet_id, n, kind, at, subject, data, actor_user, actor_token) VALUES ('%s', %d, 'wallet.renamed', 0, '', '{}', '', '')", w.ID, n+1),
	} {
		_, err := tx.ExecContext(t.Context(), query)
		testkit.Check(t, err)
	}
	testkit.Check(t, tx.QueryRowContext(t.Context(), "SHOW idle_in_transaction_session_timeout").Scan(&idle))
	if idle != "10s" {
		t.Errorf("it may be idle for %s", idle)
	}
}

// TestProposalAndIndex: a proposal can be created while another transaction writes the
// wallet's row, as the indexer does.
func TestProposalAndIndex(t *testing.T) {
	b := openPostgres(t)
	w, _ := b.quiet(b.user("alice", false))
	tx, err := b.shell.BeginTx(t.Context(), nil)
	testkit.Check(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(t.Context(), "UPDATE wallets SET problem = problem WHERE wallet_id = $1", w.ID)
	testkit.Check(t, err)
	testkit.Check(t, b.propose(proposalFor(b, w, 3, utxoNumber(1))))
}

// TestRestore_PrunedEvents: if all events of a backup had been pruned, the events after its
// restore, whose positions begin again, are not taken for pruned ones.
func TestRestore_PrunedEvents(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		b.token(alice, "a", "")
		b.token(alice, "b", "")
		_, err := b.PruneEvents(t.Context(), b.now.Add(time.Hour), 1<<40)
		testkit.Check(t, err)
		to := openNew(t, b)
		_, err = to.Restore(t.Context(), b.backUp(), to.restoreOptions("new"))
		testkit.Check(t, err)
		_, err = to.signed(alice, "c", "new", time.Hour)
		testkit.Check(t, err)
		list, bounds, err := to.EventsOfUser(t.Context(), alice.ID, nil, 0, nil, 10)
		testkit.Check(t, err)
		if len(list) != 1 || bounds.First > list[0].Seq {
			t.Errorf("the events are %+v with the bounds %+v", list, bounds)
		}
	})
}

// TestProposalEvents: each change of a proposal has its events; one for a signature that
// completes it, and one for the status.
func TestProposalEvents(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, n := b.quiet(b.user("alice", false))
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(1)})
		n++
		p := proposalFor(b, w, 3, utxoNumber(1))
		testkit.Check(t, b.propose(p))
		_, err := b.TryProposal(t.Context(), proposalFor(b, w, 4, utxoNumber(2)), b.moment(), nil)
		testkit.Check(t, err)
		update := func(do func(u *proposal.Update)) {
			_, err := b.UpdateProposal(t.Context(), w.ID, p.ID, func(u *proposal.Update) error {
				do(u)
				u.Changed = true
				return nil
			})
			testkit.Check(t, err)
		}
		sig := proposal.Signature{At: b.now, By: proposal.Actor{UserID: "s", UserName: "sam"}}
		update(func(u *proposal.Update) {
			u.Status, u.Signatures = proposal.PartiallySigned, append(u.Signatures, sig)
		})
		update(func(u *proposal.Update) {
			sig.Key = 1
			u.Status, u.Signatures = proposal.Complete, append(u.Signatures, sig)
		})
		update(func(u *proposal.Update) { u.Status = proposal.Conflicted })
		update(func(u *proposal.Update) { u.Status = proposal.Complete })
		update(func(u *proposal.Update) { u.Status = proposal.Cancelled })
		b.wantEvents(w, n, "proposal.created "+p.ID, "proposal.signed "+p.ID, "proposal.signed "+p.ID, "proposal.complete "+p.ID,
			"proposal.conflicted "+p.ID, "proposal.reopened "+p.ID, "proposal.cancelled "+p.ID)
		if by := b.events(w, n)[1].Actor.UserName; by != "sam" {
			t.Errorf("signed by %q", by)
		}
		b.wantReplay(w)
	})
}

// TestEventFold_RandomHistories: whatever happens to transactions, the events lead to the
// index.
func TestEventFold_RandomHistories(t *testing.T) {
	seed := testkit.Seed(t)
	onBothEngines(t, func(_ *testing.T, b *fixture) {
		r := rand.New(rand.NewPCG(seed, 1))
		w, _ := b.quiet(b.user("alice", false))
		var known []wallet.Transaction
		height, isSynced := 100, false
		for range testkit.Size(60, 2000) {
			c := wallet.Change{WalletID: w.ID, Changed: map[string]wallet.State{}, Rescanned: r.IntN(5) == 0}
			for range r.IntN(4) {
				t := payment(w, fmt.Sprint("t", r.IntN(400)), randomState(r), []wallet.Place{*place(wallet.Branch(r.IntN(2)), uint32(r.IntN(10)))})
				c.Added = append(c.Added, t)
			}
			for range min(len(known), r.IntN(6)) {
				c.Changed[known[r.IntN(len(known))].Txid] = randomState(r)
			}
			for _, t := range c.Added {
				delete(c.Changed, t.Txid)
			}
			if r.IntN(3) > 0 || isSynced {
				height = max(1, height+r.IntN(5)-1)
				c.Synced, isSynced = synced(height), true
			}
			known = append(known, c.Added...)
			b.write(c)
		}
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(height)})
		b.wantReplay(w)
	})
}

// TestEventsAtOnce: events of several writers are in the order of their positions for a
// reader that reads at the same time, and their numbers have no gaps.
func TestEventsAtOnce(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		var wallets []wallet.Wallet
		var ids []string
		for i := range 4 {
			w := b.wallet(alice, fmt.Sprint("vault", i))
			_, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.EndRescan(""); return nil })
			testkit.Check(t, err)
			wallets, ids = append(wallets, w), append(ids, w.ID)
		}
		other := b.reopen() // as another process
		const each = 25
		var writers sync.WaitGroup
		for i, w := range wallets {
			writers.Go(func() {
				for k := range each {
					_, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.Name = fmt.Sprint(k); return nil })
					testkit.Check(t, err)
				}
			})
			writers.Go(func() {
				for k := range each {
					at := []btc.Outpoint{{Txid: fmt.Sprint(i), Vout: uint32(k)}}
					testkit.Check(t, other.SetFrozen(t.Context(), w.ID, at, true, b.now, auth.Event{}))
				}
			})
		}
		done := make(chan struct{})
		go func() { writers.Wait(); close(done) }()
		var read []event.Event
		position := int64(0)
		for last := false; ; {
			list, _, err := b.EventsOfUser(t.Context(), alice.ID, func(id string) bool { return slices.Contains(ids, id) }, position, nil, 7)
			testkit.Check(t, err)
			for _, e := range list {
				position = e.Seq
			}
			read = append(read, list...)
			if len(list) > 0 {
				continue
			}
			if last {
				break
			}
			select {
			case <-done:
				last = true
			default:
			}
		}
		next := map[string]int64{}
		for _, e := range read {
			if next[e.WalletID]++; e.N != next[e.WalletID] {
				t.Fatalf("event %d of a wallet was read as number %d", e.N, next[e.WalletID])
			}
		}
		for _, w := range wallets {
			if n := next[w.ID]; n != 3+2*each {
				t.Errorf("%d events of a wallet were read, not %d", n, 3+2*each)
			}
		}
	})
}

// TestPruneEvents: old events and those beyond the maximum are deleted, the oldest first.
func TestPruneEvents(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, _ := b.quiet(b.user("alice", false))
		rename := func(name string) {
			_, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.Name = name; return nil })
			testkit.Check(t, err)
		}
		begin := b.now
		for i := range 9 {
			b.now = b.now.Add(time.Hour)
			rename(fmt.Sprint("name", i))
		}
		bounds := func() event.Bounds {
			_, bounds, err := b.EventsOfWallet(t.Context(), w.ID, 0, nil, 0)
			testkit.Check(t, err)
			return bounds
		}
		prune := func(before time.Time, keep int64, want event.Bounds) {
			t.Helper()
			_, err := b.PruneEvents(t.Context(), before, keep)
			testkit.Check(t, err)
			if got := bounds(); got != want {
				t.Errorf("the events are %+v, not %+v", got, want)
			}
		}
		prune(begin, 100, event.Bounds{First: 1, Last: 12})
		prune(begin.Add(3*time.Hour), 100, event.Bounds{First: 6, Last: 12})
		prune(begin, 2, event.Bounds{First: 11, Last: 12})
		prune(begin.Add(24*time.Hour), 100, event.Bounds{First: 13, Last: 12})
		rename("last")
		if got := b.events(w, 12); len(got) != 1 || got[0].N != 13 {
			t.Errorf("the next event is %+v", got)
		}
		_, pruned, err := b.EventsOfUser(t.Context(), "", nil, 0, nil, 0)
		testkit.Check(t, err)
		if pruned.First != pruned.Last {
			t.Errorf("the log has the bounds %+v", pruned)
		}
	})
}
