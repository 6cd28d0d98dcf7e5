package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
	zombiezen "zombiezen.com/go/sqlite"

	"github.com/specterd/specterd/internal/backoff"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/store/db"
)

const (
	// maxAttempts is the maximum number of attempts. With the delays between them, they
	// take about as long as txPatience.
	maxAttempts = 16
	// concurrentAttempts is the number of attempts in which a transaction runs concurrently
	// with others. Later attempts run without concurrent transactions, so that the database
	// has no reason to abort them.
	concurrentAttempts = 3
	// txPatience is the time limit for a transaction including its retries, so that a
	// caller gets an error soon if another transaction blocks the database.
	txPatience = 8 * time.Second
	// bulkPatience is the time limit for a transaction with many statements.
	bulkPatience = 30 * time.Second
	// commitPatience is the time limit for a commit. It is longer, because nothing is known
	// about the result of a commit that is given up.
	commitPatience = 30 * time.Second
	// minRetryDelay and maxRetryDelay limit the delay between two attempts.
	minRetryDelay = 20 * time.Millisecond
	maxRetryDelay = time.Second
)

// ErrUnavailable is returned while the database does not respond, cannot be written to, or
// is corrupt.
var ErrUnavailable = fault.New(fault.Unavailable, "database_unavailable",
	"the database does not respond or cannot be written to, and nothing was changed; check specterd's log").WithRetryAfter(5 * time.Second)

// ErrUnconfirmed is returned if the connection to the database is lost, or the database does
// not respond, during a commit.
var ErrUnconfirmed = fault.New(fault.Unavailable, "change_unconfirmed",
	"the database did not confirm the change, which may have been made; check before you repeat the request")

// inTx runs body in a write transaction. It runs body again, from the start, if the
// database aborts the transaction because of another one; body must therefore reset all
// of its results each time.
func (s *Store) inTx(ctx context.Context, body func(*db.Queries) error) error {
	return s.retryContention(ctx, txPatience, s.atLevel(sql.LevelSerializable, body))
}

// inRowTx runs body like inTx. It is for a body that changes one row, begins with a
// statement that locks the row, and depends on no other data that may change. Such a
// transaction waits for the lock, whereas inTx would be aborted and retried.
func (s *Store) inRowTx(ctx context.Context, body func(*db.Queries) error) error {
	return s.retryContention(ctx, txPatience, s.atLevel(sql.LevelReadCommitted, body))
}

// inUrgentTx runs body like inTx, but also if the disk is full. It is for transactions
// that revoke access.
func (s *Store) inUrgentTx(ctx context.Context, body func(*db.Queries) error) error {
	err := s.attempt(ctx, body)
	if s.disk.observe(ctx, err) {
		err = s.attempt(ctx, body)
	}
	return err
}

func (s *Store) attempt(ctx context.Context, body func(*db.Queries) error) error {
	return s.persist(ctx, txPatience, s.atLevel(sql.LevelSerializable, body))
}

// atLevel returns a function that runs body in a new transaction with the given isolation
// level.
func (s *Store) atLevel(level sql.IsolationLevel, body func(*db.Queries) error) func(ctx context.Context, attempt int) error {
	return func(ctx context.Context, attempt int) error { return s.tryTx(ctx, level, attempt, body) }
}

// retryContention calls try again if contention aborted it, until the time limit patience.
// It returns ErrDiskFull at once if the disk is full.
func (s *Store) retryContention(ctx context.Context, patience time.Duration, try func(ctx context.Context, attempt int) error) error {
	if s.disk.trouble.Load() == ErrDiskFull {
		return ErrDiskFull
	}
	err := s.persist(ctx, patience, try)
	s.disk.observe(ctx, err)
	return err
}

func (s *Store) persist(ctx context.Context, patience time.Duration, try func(ctx context.Context, attempt int) error) error {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := retry(patient, func(attempt int) error { return try(patient, attempt) })
	switch {
	case err == nil || errors.Is(err, ErrUnconfirmed):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case patient.Err() != nil:
		return ErrUnavailable.WithCause(err)
	}
	return translate(err)
}

// inReadTx runs body in a read-only transaction with a consistent snapshot, so that the
// results of several queries match.
func (s *Store) inReadTx(ctx context.Context, body func(*db.Queries) error) error {
	tx, err := s.ro.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return translate(fmt.Errorf("begin: %w", err))
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return translate(body(db.New(s.toRead(tx))))
}

// retry calls do with the number of the attempt, starting at 1, until it succeeds, fails
// for another reason than a conflict with another connection, or has failed maxAttempts
// times. It returns the last error of do, even if ctx ends.
func retry(ctx context.Context, do func(attempt int) error) error {
	return backoff.New(minRetryDelay, maxRetryDelay).Retry(ctx, maxAttempts, isContention, do)
}

func (s *Store) tryTx(ctx context.Context, level sql.IsolationLevel, attempt int, body func(*db.Queries) error) error {
	tx, err := begin(ctx, s.rw, level)
	if err != nil {
		return err
	}
	defer tx.end()
	if err := s.engine.admit(ctx, tx.Tx, attempt > concurrentAttempts); err != nil {
		return fmt.Errorf("wait for other transactions: %w", err)
	}
	noted := &noting{DBTX: s.toWrite(tx.Tx)}
	if err := body(db.New(noted)); err != nil {
		return err
	}
	return s.commit(ctx, tx, noted)
}

// commit commits a transaction, and remembers whether it changed something.
func (s *Store) commit(ctx context.Context, tx *openTx, noted *noting) error {
	if err := tx.commit(ctx); err != nil {
		return err
	}
	if noted.changed {
		s.changed.Store(true)
	}
	return nil
}

// openTx is a write transaction. Its context can end it until the commit begins: a commit must
// not be interrupted, because it may succeed nevertheless.
type openTx struct {
	*sql.Tx
	protect func() bool // from the context; false if the context has ended
	cancel  context.CancelFunc
}

// begin begins a transaction. The caller must call end.
func begin(ctx context.Context, on interface {
	BeginTx(ctx context.Context, options *sql.TxOptions) (*sql.Tx, error)
}, level sql.IsolationLevel,
) (*openTx, error) {
	open, cancel := context.WithCancel(context.WithoutCancel(ctx))
	protect := context.AfterFunc(ctx, cancel)
	tx, err := on.BeginTx(open, &sql.TxOptions{Isolation: level})
	if err != nil {
		protect()
		cancel()
		return nil, fmt.Errorf("begin: %w", err)
	}
	return &openTx{tx, protect, cancel}, nil
}

// end rolls the transaction back unless it was committed.
func (t *openTx) end() {
	_ = t.Rollback()
	t.protect()
	t.cancel()
}

// commit commits the transaction, or returns the error of ctx, with which the transaction was
// begun, if it has ended before. It returns ErrUnconfirmed if the result is unknown.
func (t *openTx) commit(ctx context.Context) error {
	if !t.protect() {
		return fmt.Errorf("commit: %w", ctx.Err())
	}
	limit := time.AfterFunc(commitPatience, t.cancel)
	defer limit.Stop()
	err := t.Commit()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("commit: %w", err)
	if !isAnswer(err) {
		return ErrUnconfirmed.WithCause(err)
	}
	return err
}

// isAnswer reports whether an error of a commit means that nothing was changed: the database
// said so, or the transaction had ended before. An error of the connection never does: pgx
// reports a connection that was lost after the commit was sent as closed before.
func isAnswer(err error) bool {
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*sqlite.Error](err); ok {
		return true
	}
	return errors.Is(err, pgx.ErrTxCommitRollback) || errors.Is(err, sql.ErrTxDone)
}

// IsBusy reports whether err means that another program has locked an SQLite database.
func IsBusy(err error) bool {
	code := primaryCode(err)
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}

// isContention reports whether err was caused by a conflict with another transaction.
func isContention(err error) bool {
	switch primaryCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "40001", "40P01", // serialization failure, deadlock
			"42P07": // two processes create the same table at the same time
			return true
		}
	}
	return false
}

// isUnique reports whether err is a violation of a unique constraint or a primary key.
func isUnique(err error) bool {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505"
	}
	return false
}

// isForeignKey reports whether err is a violation of a foreign key: a referenced row does
// not exist.
func isForeignKey(err error) bool {
	if sqliteCode(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23503"
	}
	return false
}

// sqliteCode returns the extended SQLite error code of an error from either driver:
// SQLITE_OK for nil, and SQLITE_ERROR for an error that is not from SQLite.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return int(zombiezen.ErrCode(err))
}

// primaryCode returns the primary SQLite error code of err; see sqliteCode.
func primaryCode(err error) int { return sqliteCode(err) & 0xff }

// translate converts an error into ErrDiskFull if it means that the disk is full, and into
// ErrUnavailable if it means that the database is unreachable, busy, read-only or corrupt.
// It returns other errors unchanged.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if isFull(err) {
		return ErrDiskFull.WithCause(err)
	}
	switch primaryCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrUnavailable.WithCause(err)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code[:2] {
		case "40", "08", "25", "53", "57", "58": // contention, connection, read-only, resources, operator, system
			return ErrUnavailable.WithCause(err)
		}
		return err
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return ErrUnavailable.WithCause(err)
	}
	if pgconn.SafeToRetry(err) {
		return ErrUnavailable.WithCause(err)
	}
	return err
}
