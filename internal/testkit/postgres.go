package testkit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/specterd/specterd/internal/pgserver"
)

// postgres is the one server of this test process, started at the first need. It
// goes when the process does.
var (
	postgres  = sync.OnceValues(func() (*pgserver.Server, error) { return pgserver.Start(context.Background()) })
	databases atomic.Int64
)

// Postgres returns the URL of a fresh, empty database on a real PostgreSQL
// server. The database is dropped when the test ends.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := postgres()
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	url, err := server.Create(t.Context(), name)
	check(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience) // t.Context has ended
		defer cancel()
		check(t, server.Drop(ctx, name))
	})
	return url
}
