// Package testdb creates databases with the current schema for tests, as copies of a
// template that is migrated once per test process. Migrating each database separately
// took a third of the tests' time.
package testdb

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// SQLite returns the path of a new database in its own directory.
func SQLite(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "specterd.db")
	CopySQLite(t, path)
	return path
}

// CopySQLite writes a new database to the file at path.
func CopySQLite(t testing.TB, path string) {
	t.Helper()
	content, err := sqlite()
	if err != nil {
		t.Fatalf("migrate a SQLite database: %v", err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Postgres returns the URL of a new database on a real PostgreSQL server. The
// database is dropped when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	testkit.NeedsServer(t, "PostgreSQL")
	template, err := postgres()
	if err != nil {
		t.Fatalf("migrate a PostgreSQL database: %v", err)
	}
	return testkit.PostgresCopy(t, template)
}

// sqlite returns the content of a migrated database file.
var sqlite = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "specterd-testdb-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	path := filepath.Join(folder, "specterd.db")
	if err := migrate(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// postgres returns the name of a migrated database without connections.
var postgres = sync.OnceValues(func() (string, error) {
	const name = "migrated"
	url, err := testkit.PostgresDatabase(context.Background(), name)
	if err != nil {
		return "", err
	}
	return name, migrate(url)
})

func migrate(url string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{URL: url, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		return err
	}
	if err := s.Migrate(ctx); err != nil {
		_ = s.Close()
		return err
	}
	return s.Close()
}
