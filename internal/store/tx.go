package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
	zombiezen "zombiezen.com/go/sqlite"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/store/db"
)

const (
	// maxAttempts takes about as long as txPatience: with each change the audit record
	// grows, so that all changes are in each other's way.
	maxAttempts = 16
	// txPatience bounds a transaction with all its attempts, so that a caller is
	// told in time when somebody else keeps the database to themselves.
	txPatience = 8 * time.Second
	// bulkPatience bounds one with many statements.
	bulkPatience = 30 * time.Second
)

// ErrUnavailable is what a caller is told while the database does not answer.
var ErrUnavailable = fault.New(fault.Unavailable, "database_unavailable",
	"the database does not answer or cannot be written to; nothing was changed. Look at specterd's log").After(5 * time.Second)

// inTx runs body in a write transaction. It runs body again, from the start,
// when the database refuses the transaction for the sake of another one, so
// body must set all of its results afresh each time.
func (s *Store) inTx(ctx context.Context, body func(*db.Queries) error) error {
	return s.patiently(ctx, txPatience, func(ctx context.Context) error { return s.tryTx(ctx, sql.LevelSerializable, body) })
}

// inRowTx runs body as inTx does, for a body that changes one row, begins with a
// statement that locks it, and decides by nothing else that may change. Where
// inTx would be refused and tried again, it waits its turn.
func (s *Store) inRowTx(ctx context.Context, body func(*db.Queries) error) error {
	return s.patiently(ctx, txPatience, func(ctx context.Context) error { return s.tryTx(ctx, sql.LevelReadCommitted, body) })
}

// inUrgentTx runs body as inTx does, also where the disk is full: for what takes
// access away from somebody.
func (s *Store) inUrgentTx(ctx context.Context, body func(*db.Queries) error) error {
	err := s.attempt(ctx, body)
	if s.disk.mind(ctx, err) {
		err = s.attempt(ctx, body)
	}
	return err
}

func (s *Store) attempt(ctx context.Context, body func(*db.Queries) error) error {
	return s.persist(ctx, txPatience, func(ctx context.Context) error { return s.tryTx(ctx, sql.LevelSerializable, body) })
}

// patiently tries until it is not refused any more, for so long at most, unless the
// disk is full.
func (s *Store) patiently(ctx context.Context, patience time.Duration, try func(context.Context) error) error {
	if s.disk.trouble.Load() == ErrDiskFull {
		return ErrDiskFull
	}
	err := s.persist(ctx, patience, try)
	s.disk.mind(ctx, err)
	return err
}

func (s *Store) persist(ctx context.Context, patience time.Duration, try func(context.Context) error) error {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := retry(patient, func() error { return try(patient) })
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case patient.Err() != nil:
		return ErrUnavailable.Because(err)
	}
	return translate(err)
}

// inReadTx runs body in a transaction in which nothing changes, so that what
// several queries return fits together.
func (s *Store) inReadTx(ctx context.Context, body func(*db.Queries) error) error {
	tx, err := s.ro.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return translate(fmt.Errorf("begin: %w", err))
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return translate(body(db.New(s.toRead(tx))))
}

// retry runs do until it is not refused any more for the sake of another
// connection, a few times at most and until ctx ends.
func retry(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if !isContention(err) || ctx.Err() != nil || attempt == maxAttempts {
			return err
		}
		select {
		case <-time.After(backoff(attempt)):
		case <-ctx.Done():
			return err
		}
	}
}

func (s *Store) tryTx(ctx context.Context, level sql.IsolationLevel, body func(*db.Queries) error) error {
	tx, err := s.rw.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	if err := body(s.queries(tx)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// backoff returns 50 % to 150 % of a delay that doubles with each attempt.
func backoff(attempt int) time.Duration {
	d := min(10*time.Millisecond<<attempt, time.Second)
	return d/2 + rand.N(d) //nolint:gosec // jitter, not a secret
}

// isContention reports whether err says that another transaction was in the way.
func isContention(err error) bool {
	switch primaryCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "40001", "40P01", // serialization failure, deadlock
			"42P07": // a table that two begin to create at once
			return true
		}
	}
	return false
}

// isUnique reports whether err says that a row with this key is there already.
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

// isForeignKey reports whether err says that a row that is referred to is gone.
func isForeignKey(err error) bool {
	if sqliteCode(err) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23503"
	}
	return false
}

// sqliteCode returns SQLite's own code of an error, by whichever way it came: that is
// SQLITE_OK for none, and SQLITE_ERROR for one that is not SQLite's.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return int(zombiezen.ErrCode(err))
}

// primaryCode is sqliteCode without the extended part.
func primaryCode(err error) int { return sqliteCode(err) & 0xff }

// translate makes a fault of an error that says that the database is away, full
// or read-only. Other errors stay as they are.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if isFull(err) {
		return ErrDiskFull.Because(err)
	}
	switch primaryCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrUnavailable.Because(err)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code[:2] {
		case "40", "08", "25", "53", "57", "58": // contention, connection, read-only, resources, operator, system
			return ErrUnavailable.Because(err)
		}
		return err
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return ErrUnavailable.Because(err)
	}
	if pgconn.SafeToRetry(err) {
		return ErrUnavailable.Because(err)
	}
	return err
}
