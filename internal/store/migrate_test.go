package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/migrations"
)

func TestMigrate_Idempotent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		b.user("alice", true)
		again := b.reopen()
		if _, err := again.UserByName(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(b.options.BackupFolder); !errors.Is(err, fs.ErrNotExist) {
			t.Error("a backup was made although there was nothing to migrate")
		}
	})
}

func TestMigrate_NewerSchema(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		b.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)")
		s, err := store.Open(t.Context(), b.options)
		testkit.Check(t, err)
		t.Cleanup(func() { _ = s.Close() })
		err = s.Migrate(t.Context())
		if err == nil || !strings.Contains(err.Error(), "9999") || !strings.Contains(err.Error(), "newer specterd") {
			t.Errorf("got %v", err)
		}
	})
}

func TestOpen_UnreachableDatabase(t *testing.T) {
	_, err := store.Open(t.Context(), store.Options{
		URL: "postgres://nobody@127.0.0.1:1/none?connect_timeout=1", Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err == nil || strings.Contains(err.Error(), "panic") {
		t.Errorf("got %v", err)
	}
}

// TestQueries_ParameterOrder checks that the parameters of each query first appear in
// ascending order. modernc.org/sqlite binds $1, $2, … in the order in which they first
// appear, regardless of their numbers, and PostgreSQL binds them by number.
func TestQueries_ParameterOrder(t *testing.T) {
	parameter := regexp.MustCompile(`\$(\d+)`)
	for name, query := range generatedQueries(t) {
		highest := "0"
		for _, p := range parameter.FindAllStringSubmatch(query, -1) {
			if len(p[1]) > len(highest) || len(p[1]) == len(highest) && p[1] > highest {
				if next := increment(highest); p[1] != next {
					t.Errorf("%s: $%s comes before $%s", name, p[1], next)
				}
				highest = p[1]
			}
		}
	}
}

// generatedQueries returns all generated queries by their names.
func generatedQueries(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("db/*.sql.go")
	testkit.Check(t, err)
	constant := regexp.MustCompile("(?s)const (\\w+) = `(.*?)`")
	queries := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		testkit.Check(t, err)
		for _, m := range constant.FindAllStringSubmatch(string(text), -1) {
			queries[m[1]] = m[2]
		}
	}
	if len(queries) < 100 {
		t.Fatalf("only %d generated queries", len(queries))
	}
	return queries
}

func increment(digits string) string {
	n := 0
	for _, d := range digits {
		n = 10*n + int(d-'0')
	}
	n++
	var out []byte
	for ; n > 0; n /= 10 {
		out = append([]byte{byte('0' + n%10)}, out...)
	}
	return string(out)
}

func TestMigrations_SameForBothEngines(t *testing.T) {
	names := func(f fs.FS, dir string) []string {
		entries, err := fs.ReadDir(f, dir)
		testkit.Check(t, err)
		var out []string
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	lite, postgres := names(migrations.SQLite, "sqlite"), names(migrations.Postgres, "postgres")
	if strings.Join(lite, " ") != strings.Join(postgres, " ") {
		t.Errorf("sqlite has %v, postgres %v", lite, postgres)
	}
	for dir, f := range map[string]fs.FS{"sqlite": migrations.SQLite, "postgres": migrations.Postgres} {
		for _, name := range lite {
			text, err := fs.ReadFile(f, dir+"/"+name)
			testkit.Check(t, err)
			if strings.Contains(string(text), "NO TRANSACTION") {
				t.Errorf("%s/%s is not one transaction", dir, name)
			}
		}
	}
}

func TestSQLite_Durability(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	b := open(t, path, "sqlite", "file:"+path)
	info, err := os.Stat(path)
	testkit.Check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's rights are %v", info.Mode())
	}
	var mode string
	testkit.Check(t, b.shell.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode))
	if mode != "wal" {
		t.Errorf("journal mode %s", mode)
	}
}

func TestLockedDatabase(t *testing.T) {
	testkit.NeedsTime(t)
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	testdb.CopySQLite(t, path)
	b := open(t, path, "sqlite", "file:"+path+"?_pragma=busy_timeout(100)")
	u := b.user("alice", false)
	// Another connection holds the write lock for longer than the busy timeout.
	tx, err := b.shell.BeginTx(t.Context(), nil)
	testkit.Check(t, err)
	_, err = tx.ExecContext(t.Context(), "UPDATE users SET name = name")
	testkit.Check(t, err)
	begin := time.Now()
	err = b.CreateToken(t.Context(), operator, tokenFor(u, "x", "", b.now), auth.Event{})
	if fault.KindOf(err) != fault.Unavailable || time.Since(begin) > 30*time.Second {
		t.Errorf("got %v after %v", err, time.Since(begin))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.CreateToken(ctx, operator, tokenFor(u, "x", "", b.now), auth.Event{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a caller who gave up: %v", err)
	}
	testkit.Check(t, tx.Rollback())
	if n := b.count("SELECT count(*) FROM tokens"); n != 0 {
		t.Error("a token is there whose creation was refused")
	}
}

func TestSQLViews(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("Alice", true)
		b.token(u, "old", "")
		b.exec("UPDATE tokens SET last_used_at = 1700000000123456, last_used_address = '::1', last_used_agent = 'curl'")
		var name, role, status, created string
		var disabled sql.NullString
		var tokens int
		testkit.Check(t, b.shell.QueryRowContext(t.Context(), "SELECT name, role, status, tokens, created_at, disabled_at FROM v_users").
			Scan(&name, &role, &status, &tokens, &created, &disabled))
		if name != "Alice" || role != "admin" || status != "active" || tokens != 1 || created != "2026-11-21T20:30:00Z" || disabled.Valid {
			t.Error(name, role, status, tokens, created, disabled)
		}
		var used, expires, scopes string
		testkit.Check(t, b.shell.QueryRowContext(t.Context(), "SELECT user_name, status, scopes, expires_at, last_used_at FROM v_tokens").
			Scan(&name, &status, &scopes, &expires, &used))
		if name != "Alice" || scopes != "node:read wallets:read" || expires != "2026-11-21T22:00:00Z" || used != "2023-11-14T22:13:20Z" {
			t.Error(name, scopes, expires, used)
		}
		b.exec("UPDATE tokens SET expires_at = 1000000")
		testkit.Check(t, b.shell.QueryRowContext(t.Context(), "SELECT status FROM v_tokens").Scan(&status))
		if status != "expired" {
			t.Error(status)
		}
		for _, view := range []string{"v_users", "v_tokens"} {
			for _, secret := range []string{"password_hash", "token_hash"} {
				if _, err := b.shell.ExecContext(t.Context(), "SELECT "+secret+" FROM "+view); err == nil {
					t.Errorf("%s shows %s", view, secret)
				}
			}
		}
	})
}

func TestSQLViews_Sessions(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		v := newVisitors(b, "alice")
		b.now = time.Now() // the view uses the clock of the database
		_, who := v.start("alice")
		const query = "SELECT session_id, user_name, status, address, agent, created_at FROM v_sessions"
		at := b.now.UTC().Format("2006-01-02T15:04:05Z")
		if got, want := b.rows(query), who.SessionID+" alice active "+clientAddress+" "+clientAgent+" "+at; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		micro := func(d time.Duration) int64 { return b.now.Add(d).UnixMicro() }
		set := func(created, seen time.Duration) func() {
			return func() {
				b.exec("UPDATE sessions SET created_at = $1, last_seen_at = $2", micro(created), micro(seen))
			}
		}
		for _, c := range []struct {
			name, status string
			change       func()
		}{
			{"in use", "active", set(-11*time.Hour-59*time.Minute, -time.Minute)},
			{"nearly idle", "active", set(-time.Hour, -29*time.Minute)},
			{"idle", "ended", set(-time.Hour, -31*time.Minute)},
			{"old", "ended", set(-12*time.Hour-time.Minute, -time.Minute)},
			{"in the future", "active", set(time.Hour, 2*time.Hour)},
			{"old in the future", "ended", set(time.Hour, 14*time.Hour)},
			{"another role", "ended", func() {
				set(0, 0)()
				b.exec("UPDATE users SET is_admin = FALSE WHERE name = 'alice'")
			}},
		} {
			c.change()
			if got := b.rows("SELECT status FROM v_sessions"); got != c.status {
				t.Errorf("%s: %s", c.name, got)
			}
		}
		if _, err := b.shell.ExecContext(t.Context(), "SELECT secret_hash FROM v_sessions"); err == nil {
			t.Error("the view shows the hash of the secret")
		}
	})
}

func TestSQLViews_Wallets(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		bob, alice := b.user("bob", false), b.user("Alice", false)
		w := b.wallet(bob, "vault")
		b.join(w, alice, auth.RoleViewer, "v")
		fee := btc.Amount(150)
		sent := payment(w, "t2", inMempool(true), nil)
		sent.Category, sent.Flow, sent.Fee, sent.Address, sent.Time = wallet.Send, -1150, &fee, "theirs", b.now
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(12), Added: []wallet.Transaction{
			payment(w, "t1", confirmedAt(10), []wallet.Place{*place(0, 0)}), sent,
		}})
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{
			{Type: "tx", Ref: "t2", Label: new("rent")}, {Type: "addr", Ref: "theirs", Label: new("landlord")},
		}, auth.Event{}))
		got := b.rows("SELECT name, members, status, problem, script, signatures_required, keys, trusted_sat, untrusted_pending_sat, immature_sat, confirmed_sat, transactions, synced_height, synced_hash, core_name, created_at FROM v_wallets")
		want := w.Name + " Alice (viewer), bob (owner) rescanning  wsh 2 2 1000 0 0 1000 2 12 block 12 " + w.CoreName + " 2026-11-21T20:30:00Z"
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		b.exec("UPDATE wallets SET rescan_from = NULL")
		if got := b.rows("SELECT status FROM v_wallets"); got != "ready" {
			t.Error(got)
		}
		got = b.rows("SELECT txid, time, category, status, confirmations, flow_sat, fee_sat, vsize, address, address_label, label, block_height, block_hash, block_time FROM v_transactions WHERE wallet_name = $1 ORDER BY txid", w.Name)
		want = "t1 1970-01-01T00:00:02Z receive confirmed 3 1 <nil> 100 a   10 block 10 1970-01-01T00:00:10Z\n" +
			"t2 2026-11-21T20:30:00Z send mempool 0 -1150 150 100 theirs landlord rent <nil>  <nil>"
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// TestSQLViews_Outputs checks that the views show all addresses and labels of a transaction
// with several outputs.
func TestSQLViews_Outputs(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		two := payment(w, "two", confirmedAt(10), []wallet.Place{*place(0, 0), *place(0, 1), *place(0, 0)})
		batch := payment(w, "batch", inMempool(true), []wallet.Place{*place(1, 3)})
		batch.Category, batch.Address, batch.Time = wallet.Send, "theirs", b.now
		batch.Outputs = append(batch.Outputs,
			wallet.Output{Vout: 1, Address: "theirs", Amount: 5}, wallet.Output{Vout: 2}, wallet.Output{Vout: 3, Address: "hers", Amount: 7})
		bare := payment(w, "bare", confirmedAt(11), nil)
		b.write(wallet.Change{WalletID: w.ID, Synced: synced(12), Added: []wallet.Transaction{two, batch, bare}})
		first, second := addressAt(w.ID, *place(0, 0)), addressAt(w.ID, *place(0, 1))
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{
			{Type: "addr", Ref: first, Label: new("invoice 17")},
			{Type: "addr", Ref: second, Label: new("invoice 18")},
			{Type: "output", Ref: "two:0", Label: new("deposit")},
			{Type: "output", Ref: "two:2", Label: new("invoice 18")},
			{Type: "addr", Ref: "hers", Label: new("wages")},
			{Type: "output", Ref: "batch:0", Label: new("change")},
		}, auth.Event{}))
		got := b.rows("SELECT txid, addresses, output_labels FROM v_transactions ORDER BY txid")
		want := "bare a \nbatch theirs hers change | wages\ntwo " + first + " " + second + " deposit | invoice 17 | invoice 18"
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		got = b.rows("SELECT wallet_name, txid, vout, time, status, address, amount_sat, branch, address_index, spent_by, output_label, address_label FROM v_outputs ORDER BY txid, vout")
		change := addressAt(w.ID, *place(1, 3))
		want = strings.ReplaceAll("$ batch 0 2026-11-21T20:30:00Z mempool "+change+" 1000 change 3 <nil> change \n"+
			"$ batch 1 2026-11-21T20:30:00Z mempool theirs 5 foreign <nil> <nil>  \n"+
			"$ batch 2 2026-11-21T20:30:00Z mempool  0 foreign <nil> <nil>  \n"+
			"$ batch 3 2026-11-21T20:30:00Z mempool hers 7 foreign <nil> <nil>  wages\n"+
			"$ two 0 1970-01-01T00:00:03Z confirmed "+first+" 1000 receive 0 <nil> deposit invoice 17\n"+
			"$ two 1 1970-01-01T00:00:03Z confirmed "+second+" 2000 receive 1 <nil>  invoice 18\n"+
			"$ two 2 1970-01-01T00:00:03Z confirmed "+first+" 3000 receive 0 <nil> invoice 18 invoice 17", "$", w.Name)
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// TestSQLShell_AddOwnerToWallet runs the statements of docs/sql.md for wallets
// without an owner.
func TestSQLShell_AddOwnerToWallet(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		w, kept := b.wallet(b.user("bob", false), "vault"), b.wallet(alice, "kept")
		b.exec("DELETE FROM users WHERE name = 'bob'")
		orphans := "SELECT wallet_id FROM v_wallets WHERE members IS NULL OR members NOT LIKE '%(owner)%'"
		if got := b.rows(orphans); got != w.ID {
			t.Errorf("without an owner are %s", got)
		}
		for _, id := range []string{w.ID, kept.ID} {
			b.exec(`INSERT INTO members (wallet_id, user_id, role, alias, created_at)
				SELECT $1, user_id, 'owner', 'inherited', 0 FROM users WHERE name = 'alice'
				ON CONFLICT (wallet_id, user_id) DO UPDATE SET role = excluded.role`, id)
		}
		if got := b.rows(orphans); got != "" {
			t.Errorf("still without an owner is %s", got)
		}
		v, err := b.View(t.Context(), alice.ID, w.ID)
		testkit.Check(t, err)
		if v.ID != w.ID || len(v.Keys) != 2 || v.Keys[0].Device != "" {
			t.Errorf("got %+v", v)
		}
		if n := b.count("SELECT count(*) FROM devices WHERE user_id <> $1", alice.ID) + b.count("SELECT count(*) FROM device_keys WHERE device_id NOT IN (SELECT device_id FROM devices)"); n != 0 {
			t.Errorf("%d rows of bob's devices are left", n)
		}
	})
}

// TestDamagedFile checks that damage of a file is detected, and that the database
// counts as unavailable afterwards.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	testdb.CopySQLite(t, path)
	b := open(t, path, "sqlite", "file:"+path)
	u := b.user("alice", false)
	for i := range 50 {
		b.token(u, strconv.Itoa(i), "")
	}
	testkit.Check(t, b.Verify(t.Context()))
	testkit.Check(t, b.Ping(t.Context()))

	b.exec("PRAGMA wal_checkpoint(TRUNCATE)")
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	testkit.Check(t, err)
	info, err := file.Stat()
	testkit.Check(t, err)
	_, err = file.WriteAt(bytes.Repeat([]byte{0xA5}, 4096), info.Size()-4096) // the last page
	testkit.Check(t, errors.Join(err, file.Close()))

	second := b.reopen()
	err = second.Verify(t.Context())
	if err == nil {
		t.Fatal("the damage is not found")
	}
	_, password := second.UserByName(t.Context(), "alice")
	_, token := second.CredentialByID(t.Context(), "x")
	for what, got := range map[string]error{"ping": second.Ping(t.Context()), "a password": password, "a token": token} {
		t.Run(what, func(t *testing.T) {
			if fault.KindOf(got) != fault.Unavailable {
				t.Errorf("%s: %v; the damage is %v", what, got, err)
			}
		})
	}
}

// TestMigrate_Concurrent checks that several processes that start at once on an empty
// PostgreSQL database migrate it only once. On SQLite, the serving lock ensures this.
func TestMigrate_Concurrent(t *testing.T) {
	dsn := testkit.Postgres(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := store.Open(t.Context(), store.Options{URL: dsn, Log: slog.New(slog.DiscardHandler), Now: time.Now})
			if err == nil {
				err = errors.Join(s.Migrate(t.Context()), s.Close())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
