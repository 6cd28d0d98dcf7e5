package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/specterd/specterd/internal/store/db"
)

// bulkWriter is a transaction for many small statements. An error of one that
// returns no rows may only be told by a later one, or by flush; to ask how many
// rows it changed has it executed at once.
type bulkWriter interface {
	db.DBTX
	// flush has everything executed that was not yet. It returns the first
	// error that such a statement met with, each time.
	flush(ctx context.Context) error
}

// inBulkTx runs body as inTx does, with queries for many small statements.
func (s *Store) inBulkTx(ctx context.Context, body func(*db.Queries) error) error {
	return s.patiently(ctx, bulkPatience, func(ctx context.Context) error { return s.tryBulkTx(ctx, body) })
}

func (s *Store) tryBulkTx(ctx context.Context, body func(*db.Queries) error) error {
	conn, err := s.rw.Conn(ctx)
	if err != nil {
		return fmt.Errorf("take a connection: %w", err)
	}
	defer conn.Close() //nolint:errcheck // gives it back to the pool
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	w := s.engine.bulk(conn, tx)
	err = body(db.New(w))
	if flushed := w.flush(ctx); flushed != nil && !errors.Is(err, flushed) {
		err = errors.Join(flushed, err) // what body met with after that follows from it
	}
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// preparedTx prepares each statement once. On SQLite that is most of what a
// small statement costs.
type preparedTx struct{ preparedReads }

func newPreparedTx(tx *sql.Tx) preparedTx {
	prepared := map[string]*sql.Stmt{} // which are closed with the transaction
	return preparedTx{preparedReads{tx, func(ctx context.Context, query string) (*sql.Stmt, error) {
		if s := prepared[query]; s != nil {
			return s, nil
		}
		s, err := tx.PrepareContext(ctx, query)
		if err == nil {
			prepared[query] = s
		}
		return s, err
	}}}
}

// ExecContext looks at ctx once, before: the driver would start a goroutine to
// watch it, and the transaction as a whole is watched anyway.
func (t preparedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := t.statement(ctx, query) //nolint:sqlclosecheck // closed with the transaction
	if err != nil {
		return nil, err
	}
	return s.ExecContext(context.WithoutCancel(ctx), args...)
}

func (preparedTx) flush(context.Context) error { return nil }
