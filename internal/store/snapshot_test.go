package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// backUp makes a backup of the database and opens it.
func (b *fixture) backUp() *backup.File {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "backup.zip")
	testkit.Check(b.t, backup.Save(path, func(out io.Writer) error {
		return b.Snapshot(b.t.Context(), func(src backup.Source) error {
			_, err := backup.Write(b.t.Context(), out, src, "specterd test", b.now)
			return err
		})
	}))
	return openBackup(b.t, path)
}

func openBackup(t testing.TB, path string) *backup.File {
	t.Helper()
	f, err := backup.Open(path)
	testkit.Check(t, err)
	t.Cleanup(func() { testkit.Check(t, f.Close()) })
	testkit.Check(t, f.Check(t.Context()))
	testkit.Check(t, store.CheckBackup(t.Context(), f))
	return f
}

// restoreOptions returns options with the given key as the new signing key.
func (b *fixture) restoreOptions(key string) store.RestoreOptions {
	return store.RestoreOptions{
		Key: func() (string, error) { return key, nil },
		Event: func(tokens int) auth.Event {
			return auth.Event{At: b.now, Action: "backup.restore", Detail: fmt.Sprint(tokens, " tokens")}
		},
	}
}

// openEmpty opens an empty database with the engine of the fixture like.
func openEmpty(t *testing.T, like *fixture) *fixture {
	t.Helper()
	b := openSQLite(t)
	if like.engine == "pgx" {
		b = openPostgres(t)
	}
	testkit.Check(t, b.CheckEmpty(t.Context()))
	return b
}

// openNew opens a database without a schema, as specterd restore does, with the engine of
// the fixture like.
func openNew(t *testing.T, like *fixture) *fixture {
	t.Helper()
	database := filepath.Join(t.TempDir(), "specterd.db")
	dsn := "file:" + database + "?_pragma=busy_timeout(5000)"
	if like.engine == "pgx" {
		database = testkit.Postgres(t)
		dsn = database
	}
	b := openUnmigrated(t, database, like.engine, dsn)
	testkit.Check(t, b.CheckEmpty(t.Context()))
	return b
}

// tables returns the names of all tables according to the database.
func (b *fixture) tables() []string {
	query := "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
	if b.engine == "pgx" {
		query = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name"
	}
	return slices.DeleteFunc(strings.Split(b.rows(query), "\n"), func(name string) bool {
		return name == "goose_db_version" || strings.HasPrefix(name, "sqlite_")
	})
}

// populate inserts rows into every table.
func (b *fixture) populate() (wallet.Wallet, auth.User) {
	t := b.t
	t.Helper()
	alice, bob := b.user("Alice Ä 🪙 \"x\"\n", true), b.user("bob", false)
	w := b.wallet(alice, "vault")
	b.join(w, bob, auth.RoleViewer, "v")
	b.invite(w, alice, "Nobody Ä")
	parent := b.token(alice, "first", "")
	b.token(alice, "second", parent.ID)
	b.token(bob, "bob's", "")
	b.exec("UPDATE tokens SET expires_at = 1 WHERE description = 'second'")
	testkit.Check(t, b.BindKey(t.Context(), "0123456789abcdef"))
	testkit.Check(t, b.CheckChain(t.Context(), "regtest", "00ff"))
	testkit.Check(t, b.RecordFirstStart(t.Context()))
	fee := btc.Amount(150)
	spent := payment(w, "t2", inMempool(true), []wallet.Place{*place(1, 4)}, btc.Outpoint{Txid: "t1", Vout: 0})
	spent.Fee, spent.Raw = &fee, []byte{0, 0xff, '"', '\n'}
	b.write(wallet.Change{
		WalletID: w.ID, Synced: synced(12), CoreTxCount: 2, CoreInfo: `{"a": "ä\u0000"}`, Locked: []btc.Outpoint{utxoNumber(7)},
		Added: []wallet.Transaction{payment(w, "t1", confirmedAt(10), []wallet.Place{*place(0, 0), *place(0, 9)}), spent},
	})
	testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{{Type: "tx", Ref: "t2", Label: new("Miete \\ \"März\" \u2028\x01\x7f")}}, auth.Event{}))
	b.exec("INSERT INTO frozen (wallet_id, txid, vout, created_at) VALUES ($1, 't1', 1, 5)", w.ID)
	b.exec("UPDATE wallets SET rescan_progress = 0.1234567890123456")
	b.exec("UPDATE wallets SET trusted_sat = 9007199254740993")
	testkit.Check(t, b.propose(proposalFor(b, w, 3, utxoNumber(1))))
	ended := proposalFor(b, w, 4, utxoNumber(2))
	testkit.Check(t, b.propose(ended))
	_, err := b.UpdateProposal(t.Context(), w.ID, ended.ID, func(u *proposal.Update) error {
		u.Status, u.Raw = proposal.Cancelled, []byte{1}
		u.Signatures = append(u.Signatures, proposal.Signature{Input: 0, Key: 1, At: b.now, By: proposal.Actor{UserID: "s", UserName: "sam"}})
		u.Changed = true
		return nil
	})
	testkit.Check(t, err)
	claim, _, err := idempotency.New(b.Store, func() time.Time { return b.now }, nil).Begin(t.Context(), keyed(alice, "k", "a"))
	testkit.Check(t, err)
	testkit.Check(t, claim.Keep(t.Context(), idempotency.Answer{Status: 201, Body: []byte("the \xff answer")}))
	b.exec("INSERT INTO rotations (successor_id, predecessor_id, user_id) VALUES ('s', 'p', $1)", bob.ID)
	b.exec("INSERT INTO awaiting_final (wallet_id, txid, block_height) VALUES ($1, 't1', 10)", w.ID)
	b.exec("INSERT INTO imports (kind, origin, id, created_at) VALUES ('user', 'o', 'i', 1)")
	takesLease(t, b.Store, "work", "holder", b.now, b.now.Add(24*time.Hour), true)
	b.populatePolicies(w, ended.ID)
	b.populateWebhook(alice)
	b.session(alice)
	testkit.Check(t, b.SealAudit(t.Context()))
	b.record(auth.Event{At: b.now, Action: "not sealed yet"})
	return w, alice
}

// contents returns all rows of a table, in the same format for both databases.
func (b *fixture) contents(t backup.Table) string {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = c.Name
	}
	text := b.rows("SELECT " + strings.Join(columns, ", ") + " FROM " + t.Name)
	lines := strings.Split(strings.NewReplacer("true", "1", "false", "0").Replace(text), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// wantNewKey checks that only the current key is accepted, and that the old key of the
// backup is not.
func (b *fixture) wantNewKey(old, current string) {
	b.t.Helper()
	keys, err := b.SigningKeys(b.t.Context())
	testkit.Check(b.t, err)
	for _, k := range keys {
		if k.Accepted() != (k.Fingerprint == current) || k.Signs() != k.Accepted() {
			b.t.Errorf("there is the key %+v", k)
		}
	}
	if len(keys) != 2 || !slices.ContainsFunc(keys, func(k auth.SigningKey) bool { return k.Fingerprint == old }) {
		b.t.Errorf("the keys are %+v", keys)
	}
}

// TestBackupAndRestore checks that a backup made on each engine can be restored on both, and
// that all rows are restored except tokens, sessions, leases and signing keys, with one more
// audit event.
func TestBackupAndRestore(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, alice := b.populate()
		f := b.backUp()
		var in []string
		for _, table := range f.Tables {
			in = append(in, table.Name)
			if b.contents(table.Table) == "" {
				t.Errorf("this test has nothing in the table %s", table.Name)
			}
			switch isSecret := table.Name == "webhook_secrets" || table.Name == "sessions"; {
			case table.Rows == 0 && !isSecret:
				t.Errorf("the backup has nothing of the table %s", table.Name)
			case table.Rows > 0 && isSecret:
				t.Errorf("the backup has rows of the table %s", table.Name)
			}
		}
		slices.Sort(in)
		if here := b.tables(); !slices.Equal(in, here) {
			t.Errorf("the backup has the tables\n%v and the database\n%v", in, here)
		}
		for name, to := range map[string]*fixture{"SQLite": openSQLite(t), "PostgreSQL": openPostgres(t)} {
			t.Run("to "+name, func(t *testing.T) {
				r, err := to.Restore(t.Context(), f, to.restoreOptions("another key"))
				testkit.Check(t, err)
				if len(r.Users) != 2 || len(r.Wallets) != 1 || len(r.Wallets[0].Members) != 2 || r.Proposals != 1 {
					t.Errorf("it says %+v", r)
				}
				if got, want := fmt.Sprintf("%q", r.Tokens), fmt.Sprintf("[{%q [\"first\"]} {\"bob\" [\"bob's\"]}]", alice.Name); got != want {
					t.Errorf("of tokens it says %s, want %s", got, want)
				}
				for _, table := range f.Tables {
					switch got, want := to.contents(table.Table), b.contents(table.Table); table.Name {
					case "webhooks", "deliveries": // checked by wantRestoredWebhook
					case "tokens", "leases", "webhook_secrets", "sessions":
						if got != "" {
							t.Errorf("there are %s:\n%s", table.Name, got)
						}
					case "signing_keys": // checked by wantNewKey
					case "audit":
						lines := strings.Split(got, "\n")
						rest := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.Contains(line, "backup.restore   2 tokens") })
						if len(lines) != len(rest)+1 || strings.Join(rest, "\n") != want {
							t.Errorf("the audit record is\n%s\nwant, with one more,\n%s", got, want)
						}
					default:
						if got != want {
							t.Errorf("%s has\n%s\nwant\n%s", table.Name, got, want)
						}
					}
				}
				// The restored database can be used.
				again := to.reopen()
				testkit.Check(t, again.SealAudit(t.Context()))
				if report := to.verify(""); len(report.Problems) > 0 || report.Entries != report.Last.Position || report.Last.Action != "backup.restore" {
					t.Errorf("the audit record: %+v", report)
				}
				_, err = to.signed(alice, "new", "another key", time.Hour)
				testkit.Check(t, err)
				testkit.Check(t, to.propose(proposalFor(to, w, 9, utxoNumber(3))))
				to.wantNewKey("0123456789abcdef", "another key")
				to.wantRestoredWebhook()
				if err := to.CheckEmpty(t.Context()); !errors.Is(err, store.ErrNotEmpty) {
					t.Errorf("it counts as empty: %v", err)
				}
			})
		}
	})
}

// TestSnapshot_Consistent checks that, while tokens are created and deleted in pairs, a
// backup contains either both tokens of a pair or none.
func TestSnapshot_Consistent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		ctx, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		defer writers.Wait()
		defer stop()
		wrote := make(chan struct{})
		for n := range 3 {
			u := b.user(fmt.Sprint("user ", n), false)
			writers.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					parent := tokenFor(u, fmt.Sprint(i), "", b.now)
					err := b.CreateToken(ctx, operator, parent, auth.Event{At: b.now, Action: "parent.create", Target: parent.ID})
					if err == nil {
						err = b.SetLabels(ctx, w.ID, []btc.Label{
							{Type: "tx", Ref: fmt.Sprint("a", n), Label: new(fmt.Sprint(i))}, {Type: "addr", Ref: fmt.Sprint("b", n), Label: new(fmt.Sprint(i))},
						}, auth.Event{})
					}
					if err == nil {
						err = b.DeleteToken(ctx, u.ID, parent.ID, "", func(d *auth.Deletion) error {
							d.Event = auth.Event{At: b.now, Action: "parent.delete", Target: parent.ID}
							return nil
						})
					}
					if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
						t.Error(err)
						return
					}
					select {
					case wrote <- struct{}{}:
					default:
					}
				}
			})
		}
		seen := map[string]bool{}
		for range 5 {
			for range 3 { // there are changes before each backup
				<-wrote
			}
			f := b.backUp()
			rows := map[string][][]any{}
			for _, table := range f.Tables {
				for row, err := range f.Rows(t.Context(), table.Table) {
					testkit.Check(t, err)
					rows[table.Name] = append(rows[table.Name], row)
				}
			}
			open := map[any]bool{} // tokens that exist according to the audit log, whose rows are unordered in the backup
			for _, act := range []string{"parent.create", "parent.delete"} {
				for _, row := range rows["audit"] {
					if row[6] == act {
						open[row[7]] = act == "parent.create"
					}
				}
			}
			maps.DeleteFunc(open, func(_ any, there bool) bool { return !there })
			for _, row := range rows["tokens"] {
				if !open[row[0]] {
					t.Errorf("the token %s exists, but not according to the audit log", row[0])
				}
				delete(open, row[0])
			}
			if len(open) > 0 {
				t.Errorf("the tokens %v exist only according to the audit log", open)
			}
			labels := map[string]any{}
			for _, row := range rows["labels"] {
				labels[row[2].(string)] = row[3]
			}
			for n := range 3 {
				if labels[fmt.Sprint("a", n)] != labels[fmt.Sprint("b", n)] {
					t.Errorf("of two labels that are set together one is %v and one %v", labels[fmt.Sprint("a", n)], labels[fmt.Sprint("b", n)])
				}
			}
			seen[fmt.Sprint(len(rows["audit"]))] = true
		}
		if len(seen) < 5 {
			t.Errorf("nothing was written between the backups: %v", seen)
		}
	})
}

// oldSource is a backup.Source with the tables of an older schema.
type oldSource struct {
	facts  backup.Facts
	tables []backup.Table
	rows   map[string][][]any
}

func (s oldSource) Facts(context.Context) (backup.Facts, error)      { return s.facts, nil }
func (s oldSource) Tables(context.Context) ([]backup.Table, error)   { return s.tables, nil }
func (s oldSource) Wallets(context.Context) ([]backup.Wallet, error) { return nil, nil }

func (s oldSource) Rows(_ context.Context, t backup.Table) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, row := range s.rows[t.Name] {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// writeBackup writes a backup of src, and returns its path.
func writeBackup(t *testing.T, src backup.Source) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), uuid.NewString()+".zip")
	testkit.Check(t, backup.Save(path, func(out io.Writer) error {
		_, err := backup.Write(t.Context(), out, src, "specterd old", time.Unix(1_700_000_000, 0))
		return err
	}))
	return path
}

// oldUser returns a row of the table users with the columns of an older schema.
func oldUser(tables []backup.Table) []any {
	row := []any{"u1", "Alice", "alice", "hash", int64(0), int64(1), nil, int64(5)}
	i := slices.IndexFunc(tables, func(t backup.Table) bool { return t.Name == "users" })
	for _, c := range tables[i].Columns[len(row):] {
		row = append(row, map[string]any{"access_version": int64(0), "quotas": ""}[c.Name])
	}
	return row
}

// TestRestore_OldSchemas checks that a backup of every earlier schema version can be
// restored.
func TestRestore_OldSchemas(t *testing.T) {
	testkit.NeedsTime(t)
	onBothEngines(t, func(t *testing.T, b *fixture) {
		newest, err := b.Schema(t.Context())
		testkit.Check(t, err)
		for version := int64(1); version <= newest.Program; version++ {
			tables, err := store.TablesAt(t.Context(), version)
			testkit.Check(t, err)
			src := oldSource{facts: backup.Facts{Schema: version, Engine: "SQLite", SigningKeys: []string{"old"}}, tables: tables, rows: map[string][][]any{
				"settings": {{"signing_key_fingerprint", "old"}, {"first_start", "2026-11-20T09:00:00Z"}},
				"users":    {oldUser(tables)},
			}}
			if version >= 9 { // version in which the table of keys was added
				src.rows["settings"] = src.rows["settings"][1:]
				src.rows["signing_keys"] = [][]any{{"old", int64(1), nil, nil}}
			}
			to := openNew(t, b)
			r, err := to.Restore(t.Context(), openBackup(t, writeBackup(t, src)), to.restoreOptions("new"))
			if err != nil || len(r.Users) != 1 {
				t.Fatalf("schema %d: %v, %v", version, r, err)
			}
			to.wantNewKey("old", "new")
			u, err := to.reopen().UserByName(t.Context(), "alice")
			if err != nil || !u.Admin || u.ID != "u1" {
				t.Errorf("schema %d: %+v, %v", version, u, err)
			}
		}
	})
}

// TestRestore_Refused checks that invalid backups are refused, and that the database is
// still empty afterwards.
func TestRestore_Refused(t *testing.T) {
	testkit.NeedsTime(t)
	onBothEngines(t, func(t *testing.T, b *fixture) {
		now, err := b.Schema(t.Context())
		testkit.Check(t, err)
		tables, err := store.TablesAt(t.Context(), now.Program)
		testkit.Check(t, err)
		source := func() oldSource {
			return oldSource{facts: backup.Facts{Schema: now.Program, SigningKeys: []string{"old"}}, tables: slices.Clone(tables), rows: map[string][][]any{
				"users":    {oldUser(tables)},
				"settings": {{"first_start", "then"}},
			}}
		}
		check := func(src oldSource, want string) {
			t.Helper()
			f, err := backup.Open(writeBackup(t, src))
			testkit.Check(t, err)
			defer func() { testkit.Check(t, f.Close()) }()
			if err := store.CheckBackup(t.Context(), f); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		newer := source()
		newer.facts.Schema++
		check(newer, "was made by a newer specterd (specterd old)")
		none := source()
		none.facts.Schema = 0
		check(none, "which does not exist: it was altered")
		less := source()
		less.tables = less.tables[1:]
		check(less, "does not have the tables of schema version")

		refuse := func(src oldSource, key, want string) {
			t.Helper()
			_, err := b.Restore(t.Context(), openBackup(t, writeBackup(t, src)), b.restoreOptions(key))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
			testkit.Check(t, b.CheckEmpty(t.Context()))
			if here := b.tables(); len(here) > 0 && here[0] != "" {
				t.Errorf("left behind is %v", here)
			}
		}
		refuse(source(), "old", "set another key")
		orphan := source()
		orphan.rows["members"] = [][]any{{"no wallet", "u1", "owner", "x", int64(1)}}
		refuse(orphan, "new", "restore the table members")
		twice := source()
		twice.rows["users"] = append(twice.rows["users"], twice.rows["users"][0])
		refuse(twice, "new", "restore the table users")
		doctored := source()
		doctored.rows["settings"] = append(doctored.rows["settings"], []any{"restoring", "x"})
		refuse(doctored, "new", "restore the table settings")

		broken := errors.New("no key")
		o := b.restoreOptions("new")
		o.Key = func() (string, error) { return "", broken }
		if _, err := b.Restore(t.Context(), openBackup(t, writeBackup(t, source())), o); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		b.exec("CREATE TABLE something_else (x INTEGER)")
		if err := b.CheckEmpty(t.Context()); !errors.Is(err, store.ErrNotEmpty) || !strings.Contains(err.Error(), "something_else") {
			t.Errorf("a database of something else: %v", err)
		}
	})
}

// TestRestore_Interrupted checks that a database with an interrupted restore is refused,
// and that another restore starts from the beginning.
func TestRestore_Interrupted(t *testing.T) {
	testkit.NeedsTime(t)
	onBothEngines(t, func(t *testing.T, from *fixture) {
		from.populate()
		f := from.backUp()
		b := openEmpty(t, from)
		o := b.restoreOptions("new")
		died := errors.New("died")
		o.Key = func() (string, error) { // simulates the end of the process
			return "", died
		}
		if _, err := b.Restore(t.Context(), f, o); !errors.Is(err, died) {
			t.Fatal(err)
		}
		testkit.Check(t, store.ExitInRestore(t.Context(), b.Store, f, b.restoreOptions("half")))
		if n := b.count("SELECT count(*) FROM users"); n != 2 {
			t.Errorf("this is not the middle: %d users", n)
		}
		s, err := store.Open(t.Context(), b.options)
		testkit.Check(t, err)
		defer func() { testkit.Check(t, s.Close()) }()
		if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "run specterd restore again") {
			t.Errorf("it is used: %v", err)
		}
		if err := s.Snapshot(t.Context(), func(backup.Source) error { return nil }); err == nil || !strings.Contains(err.Error(), "run specterd restore again") {
			t.Errorf("it is backed up: %v", err)
		}
		testkit.Check(t, s.CheckEmpty(t.Context()))
		r, err := s.Restore(t.Context(), f, b.restoreOptions("new"))
		if err != nil || len(r.Users) != 2 {
			t.Errorf("got %+v, %v", r, err)
		}
		testkit.Check(t, s.Migrate(t.Context()))
		testkit.Check(t, s.BindKey(t.Context(), "new"))
	})
}

// TestSnapshot_EmptyDatabase checks that an empty database is not backed up.
func TestSnapshot_EmptyDatabase(t *testing.T) {
	b := openSQLite(t)
	o := b.options
	o.URL = filepath.Join(t.TempDir(), "new.db")
	s, err := store.Open(t.Context(), o)
	testkit.Check(t, err)
	defer func() { testkit.Check(t, s.Close()) }()
	if err := s.Snapshot(t.Context(), func(backup.Source) error { return nil }); !errors.Is(err, store.ErrNothingToBackUp) {
		t.Errorf("got %v", err)
	}
	b.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)")
	if err := b.Snapshot(t.Context(), func(backup.Source) error { return nil }); err == nil || !strings.Contains(err.Error(), "newer specterd") {
		t.Errorf("a newer schema: %v", err)
	}
	if _, err := os.Stat(b.options.BackupFolder); err == nil {
		t.Error("something was made")
	}
}
