package store

import (
	"context"
	"database/sql"
	"sync"

	"github.com/specterd/specterd/internal/store/db"
)

// statements caches prepared statements of a pool: on SQLite, preparing a query costs as
// much as running it. The number of queries in the code bounds the cache. The statements
// are closed with the pool.
type statements struct {
	pool      *sql.DB
	prepared  sync.Map        // *sql.Stmt by query
	preparing sync.Map        // queries that prepareSoon prepares
	running   *sync.WaitGroup // of the goroutines that prepare them
}

// get returns the prepared query. Two concurrent first calls may both prepare it.
func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	if one, ok := s.prepared.Load(query); ok {
		return one.(*sql.Stmt), nil
	}
	one, err := s.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if other, there := s.prepared.LoadOrStore(query, one); there {
		_ = one.Close() //nolint:sqlclosecheck // never used
		return other.(*sql.Stmt), nil
	}
	return one, nil
}

// prepareSoon prepares a query on another connection, without waiting for it.
func (s *statements) prepareSoon(ctx context.Context, query string) {
	if _, is := s.preparing.LoadOrStore(query, true); is {
		return
	}
	s.running.Go(func() {
		defer s.preparing.Delete(query)
		_, _ = s.get(ctx, query) //nolint:sqlclosecheck // closed with the pool; after an error, the next call tries again
	})
}

// on returns a DBTX that runs prepared queries on d, which is the pool or one of its
// transactions. A transaction never waits for a query to be prepared: that takes a further
// connection, and all of them may belong to transactions that wait for one.
func (s *statements) on(d db.DBTX) db.DBTX {
	tx, ok := d.(*sql.Tx)
	if !ok {
		return preparedQueries{d, s.get}
	}
	return preparedQueries{d, func(ctx context.Context, query string) (*sql.Stmt, error) {
		one, ok := s.prepared.Load(query)
		if !ok {
			s.prepareSoon(context.WithoutCancel(ctx), query)
			return nil, nil
		}
		return tx.StmtContext(ctx, one.(*sql.Stmt)), nil
	}}
}

// preparedQueries uses prepared statements. It gets them from the function statement, which
// returns nil for a query that is not prepared, and does not close them: they are closed with
// the pool or the transaction.
type preparedQueries struct {
	db.DBTX
	statement func(ctx context.Context, query string) (*sql.Stmt, error)
}

// ExecContext implements db.DBTX.
func (p preparedQueries) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	one, err := p.statement(ctx, query) //nolint:sqlclosecheck // see preparedQueries
	if err != nil {
		return nil, err
	}
	if one == nil {
		return p.DBTX.ExecContext(ctx, query, args...)
	}
	return one.ExecContext(ctx, args...)
}

// QueryContext implements db.DBTX.
func (p preparedQueries) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	one, err := p.statement(ctx, query) //nolint:sqlclosecheck // see preparedQueries
	if err != nil {
		return nil, err
	}
	if one == nil {
		return p.DBTX.QueryContext(ctx, query, args...)
	}
	return one.QueryContext(ctx, args...)
}

// QueryRowContext implements db.DBTX.
func (p preparedQueries) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	one, err := p.statement(ctx, query) //nolint:sqlclosecheck // see preparedQueries
	if err != nil || one == nil {
		return p.DBTX.QueryRowContext(ctx, query, args...) // returns the same error
	}
	return one.QueryRowContext(ctx, args...)
}
