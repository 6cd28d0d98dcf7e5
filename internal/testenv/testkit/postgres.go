package testkit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/specterd/specterd/internal/testenv/pgserver"
)

// postgres is the PostgreSQL server of this test process. It is started on first
// use and ends with the process.
var (
	postgres  = sync.OnceValues(func() (*pgserver.Server, error) { return pgserver.Start(context.Background()) })
	databases atomic.Int64
)

// Postgres returns the URL of a new, empty database on a real PostgreSQL server.
// The database is dropped when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	return PostgresCopy(t, pgserver.Empty)
}

// PostgresCopy returns the URL of a new copy of a database, which must have no
// connections. The copy is dropped when the test ends.
func PostgresCopy(t testing.TB, template string) string {
	t.Helper()
	NeedsServer(t, "PostgreSQL")
	server, err := postgres()
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	url, err := server.Create(t.Context(), name, template)
	Check(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience) // t.Context has already ended
		defer cancel()
		Check(t, server.Drop(ctx, name))
	})
	return url
}

// PostgresDatabase creates an empty database that exists until the test process
// ends, and returns its URL.
func PostgresDatabase(ctx context.Context, name string) (string, error) {
	server, err := postgres()
	if err != nil {
		return "", err
	}
	return server.Create(ctx, name, pgserver.Empty)
}
