package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"log/slog"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// fixture is a separate, migrated database for a test.
type fixture struct {
	*store.Store
	t       testing.TB
	engine  string // sqlite or pgx
	options store.Options
	// shell is a plain connection in addition to the store's, like an admin's SQL shell.
	// On SQLite it does not enforce foreign keys.
	shell *sql.DB
	now   time.Time
}

// onBothEngines runs a test on SQLite and on PostgreSQL, each with a separate database.
func onBothEngines(t *testing.T, test func(t *testing.T, b *fixture)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, openSQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, openPostgres(t))
	})
}

func openSQLite(t testing.TB) *fixture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a folder?", "x %41#.db") // SQLite must not read it as a URL
	mkdir(t, filepath.Dir(path))
	testdb.CopySQLite(t, path)
	return open(t, path, "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(5000)")
}

func openPostgres(t testing.TB) *fixture {
	t.Helper()
	dsn := testdb.Postgres(t)
	return open(t, dsn, "pgx", dsn)
}

func open(t testing.TB, database, driver, dsn string) *fixture {
	t.Helper()
	b := openUnmigrated(t, database, driver, dsn)
	testkit.Check(t, b.Migrate(t.Context()))
	return b
}

// openUnmigrated opens a database that may have no schema.
func openUnmigrated(t testing.TB, database, driver, dsn string) *fixture {
	t.Helper()
	b := &fixture{t: t, engine: driver, now: time.Date(2026, 11, 21, 20, 30, 0, 123456000, time.UTC)}
	b.options = store.Options{
		URL: database, BackupFolder: filepath.Join(t.TempDir(), "backups"),
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return b.now },
	}
	b.Store = b.openStore()
	var err error
	b.shell, err = sql.Open(driver, dsn)
	testkit.Check(t, err)
	t.Cleanup(func() { testkit.Check(t, b.shell.Close()) })
	return b
}

// reopen opens the same database again, as another process would.
func (b *fixture) reopen() *store.Store {
	b.t.Helper()
	s := b.openStore()
	testkit.Check(b.t, s.Migrate(b.t.Context()))
	return s
}

func (b *fixture) openStore() *store.Store {
	b.t.Helper()
	s, err := store.Open(b.t.Context(), b.options)
	testkit.Check(b.t, err)
	b.t.Cleanup(func() { testkit.Check(b.t, s.Close()) })
	return s
}

func (b *fixture) exec(query string, args ...any) {
	b.t.Helper()
	_, err := b.shell.ExecContext(b.t.Context(), query, args...)
	testkit.Check(b.t, err)
}

// count returns the number that the query returns.
func (b *fixture) count(query string, args ...any) int {
	b.t.Helper()
	var n int
	testkit.Check(b.t, b.shell.QueryRowContext(b.t.Context(), query, args...).Scan(&n))
	return n
}

// operator is a principal with all permissions.
var operator = auth.Operator("test")

// caller returns the principal of a token.
func (b *fixture) caller(tokenID string) *auth.Principal {
	b.t.Helper()
	c, err := b.CredentialByID(b.t.Context(), tokenID)
	testkit.Check(b.t, err)
	return c.Principal("192.0.2.1")
}

// byPassword returns the principal of a user who logged in with a password.
func (b *fixture) byPassword(name string) *auth.Principal {
	b.t.Helper()
	u, err := b.UserByName(b.t.Context(), name)
	testkit.Check(b.t, err)
	return u.Credential().Principal("192.0.2.1")
}

// session begins a session of a user, and returns its principal.
func (b *fixture) session(u auth.User) *auth.Principal {
	b.t.Helper()
	who := b.byPassword(u.Name)
	one := auth.Session{ID: uuid.NewString(), UserID: u.ID, CreatedAt: b.now, LastSeenAt: b.now, ProvedAt: b.now}
	one.AccessVersion = int64(b.count("SELECT access_version FROM users WHERE user_id = $1", u.ID))
	testkit.Check(b.t, b.CreateSession(b.t.Context(), who, one, sha256.Sum256([]byte(one.ID)), auth.Event{At: b.now, Action: "session.create"}))
	c, err := b.SessionByID(b.t.Context(), one.ID)
	testkit.Check(b.t, err)
	return c.Principal("192.0.2.1")
}

func (b *fixture) user(name string, admin bool) auth.User {
	b.t.Helper()
	u := auth.User{ID: uuid.NewString(), Name: name, PasswordHash: "x", Admin: admin, CreatedAt: b.now}
	testkit.Check(b.t, b.CreateUser(b.t.Context(), operator, u, auth.Event{At: b.now, Action: "user.create"}))
	return u
}

func (b *fixture) token(u auth.User, description, parent string) auth.Token {
	b.t.Helper()
	t := tokenFor(u, description, parent, b.now)
	testkit.Check(b.t, b.CreateToken(b.t.Context(), operator, t, auth.Event{At: b.now, Action: "token.create"}))
	return t
}

func tokenFor(u auth.User, description, parent string, now time.Time) auth.Token {
	t := auth.Token{
		ID: uuid.NewString(), UserID: u.ID, ParentID: parent, Description: description,
		Scopes: auth.NodeRead | auth.WalletsRead, Lifetime: 90 * time.Minute,
		CreatedAt: now, ExpiresAt: now.Add(90 * time.Minute).Truncate(time.Second),
	}
	copy(t.Hash[:], t.ID)
	return t
}

func (b *fixture) tokenExists(id string) bool {
	b.t.Helper()
	_, err := b.CredentialByID(context.WithoutCancel(b.t.Context()), id)
	switch {
	case err == nil:
		return true
	case !isFault(err, auth.ErrTokenNotFound):
		b.t.Fatal(err)
	}
	return false
}
