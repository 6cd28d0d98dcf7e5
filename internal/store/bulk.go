package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/specterd/specterd/internal/store/db"
)

// bulkWriter is a transaction for many small statements. If a statement that returns no
// rows fails, the error may be returned only by a later statement or by flush.
// RowsAffected of a result executes the queued statements first.
type bulkWriter interface {
	db.DBTX
	// flush executes all queued statements. If one of them fails, this call and every
	// later one return the error.
	flush(ctx context.Context) error
}

// inBulkTx runs body as inTx does, with queries for many small statements.
func (s *Store) inBulkTx(ctx context.Context, body func(*db.Queries) error) error {
	return s.retryContention(ctx, bulkPatience, func(ctx context.Context, _ int) error { return s.tryBulkTx(ctx, body) })
}

func (s *Store) tryBulkTx(ctx context.Context, body func(*db.Queries) error) error {
	conn, err := s.rw.Conn(ctx)
	if err != nil {
		return fmt.Errorf("take a connection: %w", err)
	}
	defer conn.Close() //nolint:errcheck // returns it to the pool
	tx, err := begin(ctx, conn, sql.LevelSerializable)
	if err != nil {
		return err
	}
	defer tx.end()
	w := s.engine.bulk(conn, tx.Tx)
	noted := &noting{DBTX: w}
	err = body(db.New(noted))
	if flushed := w.flush(ctx); flushed != nil && !errors.Is(err, flushed) {
		err = errors.Join(flushed, err) // further errors of body follow from the failed statement
	}
	if err != nil {
		return err
	}
	return s.commit(ctx, tx, noted)
}

// preparedTx prepares each statement once. On SQLite, preparing is most of the cost of a
// small statement.
type preparedTx struct{ preparedQueries }

func newPreparedTx(tx *sql.Tx) preparedTx {
	prepared := map[string]*sql.Stmt{} // closed with the transaction
	return preparedTx{preparedQueries{tx, func(ctx context.Context, query string) (*sql.Stmt, error) {
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

// ExecContext checks ctx only once, before executing: the driver would start a goroutine
// to watch it, and the transaction as a whole is watched anyway.
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
