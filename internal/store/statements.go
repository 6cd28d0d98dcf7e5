package store

import (
	"context"
	"database/sql"
	"sync"

	"github.com/specterd/specterd/internal/store/db"
)

// statements keeps the queries of a pool prepared: on SQLite to prepare one costs
// as much as to run it. There are as many as the code has, and they are closed with
// the pool.
type statements struct {
	pool     *sql.DB
	prepared sync.Map // of *sql.Stmt, by the query
}

// get returns a query prepared. Two who are the first to ask may both prepare it.
func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	if one, ok := s.prepared.Load(query); ok {
		return one.(*sql.Stmt), nil
	}
	one, err := s.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if other, there := s.prepared.LoadOrStore(query, one); there {
		_ = one.Close() //nolint:sqlclosecheck // nothing was done with it
		return other.(*sql.Stmt), nil
	}
	return one, nil
}

// on returns queries that are prepared, on the pool itself or within one of its
// transactions.
func (s *statements) on(d db.DBTX) db.DBTX {
	tx, ok := d.(*sql.Tx)
	if !ok {
		return preparedReads{d, s.get}
	}
	return preparedReads{d, func(ctx context.Context, query string) (*sql.Stmt, error) {
		one, err := s.get(ctx, query)
		if err != nil {
			return nil, err
		}
		return tx.StmtContext(ctx, one), nil
	}}
}

// preparedReads has what returns rows go to statements that somebody prepares and
// closes.
type preparedReads struct {
	db.DBTX
	statement func(ctx context.Context, query string) (*sql.Stmt, error)
}

// QueryContext implements db.DBTX.
func (p preparedReads) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	one, err := p.statement(ctx, query) //nolint:sqlclosecheck // see preparedReads
	if err != nil {
		return nil, err
	}
	return one.QueryContext(ctx, args...)
}

// QueryRowContext implements db.DBTX.
func (p preparedReads) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	one, err := p.statement(ctx, query) //nolint:sqlclosecheck // see preparedReads
	if err != nil {
		return p.DBTX.QueryRowContext(ctx, query, args...) // which meets with the same error
	}
	return one.QueryRowContext(ctx, args...)
}
