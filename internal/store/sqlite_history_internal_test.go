package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

func openHistories(t *testing.T) *sqliteHistories {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	created, err := zombiezen.OpenConn(path)
	testkit.Check(t, errors.Join(err, created.Close()))
	r, err := sqliteEngine{path: path}.histories(nil)
	testkit.Check(t, err)
	return r.(*sqliteHistories)
}

// TestSQLiteHistories_Connections checks that readers get the connection that was used last,
// that connections are opened only as needed, and that a reader waits if all are in use.
func TestSQLiteHistories_Connections(t *testing.T) {
	r := openHistories(t)
	ctx := t.Context()
	used := map[*zombiezen.Conn]bool{}
	use := func(conn *zombiezen.Conn) error {
		used[conn] = true
		return nil
	}
	for range 3 {
		testkit.Check(t, r.with(ctx, use))
	}
	if len(used) != 1 || len(r.free) != 1 {
		t.Errorf("one reader after the other: %d connections, %d free", len(used), len(r.free))
	}
	var nested func(left int) error
	nested = func(left int) error {
		return r.with(ctx, func(conn *zombiezen.Conn) error {
			used[conn] = true
			if left > 1 {
				return nested(left - 1)
			}
			waiting, end := context.WithCancel(ctx)
			end()
			if err := r.with(waiting, use); !errors.Is(err, context.Canceled) {
				t.Errorf("with all connections in use: %v", err)
			}
			return nil
		})
	}
	testkit.Check(t, nested(historyConns))
	if len(used) != historyConns || len(r.free) != historyConns {
		t.Errorf("%d connections were used, %d are free", len(used), len(r.free))
	}
	var first *zombiezen.Conn
	testkit.Check(t, r.with(ctx, func(conn *zombiezen.Conn) error { first = conn; return nil }))
	testkit.Check(t, r.with(ctx, func(conn *zombiezen.Conn) error {
		if conn != first {
			t.Error("got another connection than the one that was used last")
		}
		return nil
	}))
	testkit.Check(t, r.close())
}

// TestSQLiteHistories_Close checks that closing interrupts a reader, whose query would never end,
// and that there are no readers afterwards.
func TestSQLiteHistories_Close(t *testing.T) {
	r := openHistories(t)
	running, ended := make(chan struct{}), make(chan error)
	go func() {
		ended <- r.with(t.Context(), func(conn *zombiezen.Conn) error {
			close(running)
			return sqlitex.ExecuteTransient(conn, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", nil)
		})
	}()
	<-running
	closed := make(chan error)
	go func() { closed <- r.close() }()
	if err := <-ended; zombiezen.ErrCode(err) != zombiezen.ResultInterrupt {
		t.Errorf("got %v", err)
	}
	testkit.Check(t, <-closed)
	if err := r.with(t.Context(), func(*zombiezen.Conn) error { return nil }); err == nil {
		t.Error("a closed database was read")
	}
}
