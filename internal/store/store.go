// Package store stores all data in SQLite or PostgreSQL. It implements the Store
// interfaces that the domain packages declare, and contains no business rules: the domain
// packages decide how a row may change.
//
// Exported methods open at most one transaction at a time; the unexported functions that
// they call receive the transaction. No transaction type is exported. Every error that a
// client of the API can act on is a fault.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/keymutex"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// Options configure the database.
type Options struct {
	// URL is a postgres://… URL or the path of an SQLite file.
	URL string
	// BackupFolder is the directory for copies of an SQLite database made before
	// migrations.
	BackupFolder string
	Log          *slog.Logger
	Now          func() time.Time
	// Quotas are the limits of users without limits set by an admin.
	Quotas auth.Limits
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	log    *slog.Logger
	now    func() time.Time
	engine engine
	quotas auth.Limits
	rw, ro *sql.DB // the same pool on PostgreSQL
	// toWrite and toRead wrap a DBTX to make its statements faster.
	toWrite, toRead func(d db.DBTX) db.DBTX
	// damage is the corruption that Verify found in the file, or nil.
	damage atomic.Pointer[error]
	disk   disk
	// changed is set after the first commit of a transaction that Changed reports.
	changed atomic.Bool
	// eventSignal wakes the reader of new events of this process.
	eventSignal chan struct{}
	// quotaLocks serializes the transactions that charge a quota, by user or wallet.
	quotaLocks keymutex.Mutex
	// credentials reads the rows that authorize requests. It is faster than the pool if
	// the engine supports that.
	credentials credentialReader
	// histories reads many rows of transactions. It is faster than the pool if the engine
	// supports that.
	histories historyReader
	policies  policies
	// preparing is waited for before the pools are closed: a connection that it opens afterwards
	// would create files.
	preparing sync.WaitGroup
}

// engine has the operations that differ between SQLite and PostgreSQL.
type engine interface {
	// name returns the name of the database for messages.
	name() string
	// open returns the pools for writing and for reading.
	open(ctx context.Context) (rw, ro *sql.DB, err error)
	// credentials returns a reader of credentials on the open pools.
	credentials(ctx context.Context, ro *sql.DB) (credentialReader, error)
	// histories returns a reader for long histories, which must be closed.
	histories(ro *sql.DB) (historyReader, error)
	// writes returns a function that wraps a transaction of the pool for writing, to make its
	// statements faster.
	writes(rw *sql.DB) func(d db.DBTX) db.DBTX
	// reads returns the same for read-only queries, on the pool for reading or in one of its
	// transactions.
	reads(ro *sql.DB) func(d db.DBTX) db.DBTX
	// admit must be called as the first statement of a transaction. It waits until no
	// transaction that must run alone is running or, if alone is set, until no
	// transaction at all is running. It ignores transactions of inBulkTx, which take
	// long.
	admit(ctx context.Context, tx *sql.Tx, alone bool) error
	// bulk returns a writer for many small statements in a transaction of the connection.
	bulk(conn *sql.Conn, tx *sql.Tx) bulkWriter
	// listTables returns a query for the names of all tables except goose's.
	listTables() string
	// fill inserts rows into an empty table, in a transaction of conn.
	fill(ctx context.Context, conn *sql.Conn, tx *sql.Tx, t backup.Table, rows iter.Seq2[[]any, error]) error
	// lead waits until no other process writes the index, and acquires the indexer lock.
	lead(ctx context.Context, rw *sql.DB) (*leadership, error)
	// migrations returns the configuration of goose.
	migrations() (migrationSource, error)
	// verify checks the whole database and returns an error if it is corrupt.
	verify(ctx context.Context, ro *sql.DB) error
	// backup copies the database before it is migrated from the given version.
	backup(ctx context.Context, rw *sql.DB, version int64) error
}

// credentialReader reads the current rows that authorize requests.
type credentialReader interface {
	credential(ctx context.Context, tokenID string) (*auth.Credential, error)
	// remember returns the result of load, or of an earlier load with the same key if the
	// database has not changed since. It caches small results, which must not be modified.
	remember(ctx context.Context, key any, load func() (result any, small bool, err error)) (any, error)
	close() error
}

// recordReader reads a page of a history.
type recordReader interface {
	records(ctx context.Context, p db.TransactionsParams, ascending bool) ([]wallet.Record, error)
}

// historyReader is a recordReader that must be closed.
type historyReader interface {
	recordReader
	close() error
}

// IsPostgres reports whether a database URL names a PostgreSQL database.
func IsPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// Open opens the database. It creates a missing SQLite file but does not migrate the
// schema. Callers must call Migrate before all other methods, except those for checking,
// backing up and restoring a database.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: o.Log, now: o.Now, quotas: o.Quotas, disk: disk{log: o.Log}, policies: policies{Evaluator: policy.NewEvaluator()}, eventSignal: make(chan struct{}, 1)}
	if IsPostgres(o.URL) {
		s.engine = postgresEngine{url: o.URL}
	} else {
		s.engine = sqliteEngine{path: o.URL, backupFolder: o.BackupFolder, now: o.Now, preparing: &s.preparing}
		s.disk.path = reservePath(o.URL)
		s.disk.takeOverReserve(o.URL)
	}
	var err error
	s.rw, s.ro, err = s.engine.open(ctx)
	if err != nil && s.disk.observe(ctx, err) { // opening also needs disk space
		s.rw, s.ro, err = s.engine.open(ctx)
	}
	if err != nil {
		return nil, err
	}
	s.toWrite, s.toRead = s.engine.writes(s.rw), s.engine.reads(s.ro)
	return s, nil
}

// remember returns the result of load, or of an earlier load with the same key if the database has
// not changed since; see credentialReader. Before Migrate, it calls load.
func remember[T any](ctx context.Context, s *Store, key any, load func() (result T, small bool, err error)) (T, error) {
	if s.credentials == nil {
		result, _, err := load()
		return result, err
	}
	result, err := s.credentials.remember(ctx, key, func() (any, bool, error) { return load() })
	if err != nil {
		var none T
		return none, err
	}
	return result.(T), nil
}

// Close closes the database. The store must not be used afterwards.
func (s *Store) Close() error {
	s.preparing.Wait()
	var err error
	if s.credentials != nil {
		err = s.credentials.close()
	}
	if s.histories != nil {
		err = errors.Join(err, s.histories.close())
	}
	if s.ro != s.rw {
		err = errors.Join(err, s.ro.Close())
	}
	return errors.Join(err, s.rw.Close())
}

// Verify checks the whole database, which may take seconds. If it finds corruption, it
// returns the error. From then on, all authentication fails and Ping returns ErrUnavailable,
// because data read from a corrupt file may be wrong.
func (s *Store) Verify(ctx context.Context) error {
	err := s.engine.verify(ctx, s.ro)
	if IsDamage(err) {
		s.damage.Store(&err)
	}
	return err
}

// checkDamage returns ErrUnavailable if the database is known to be corrupt.
func (s *Store) checkDamage() error {
	if damage := s.damage.Load(); damage != nil {
		return ErrUnavailable.WithCause(*damage)
	}
	return nil
}

// Ping returns an Unavailable fault if the database does not respond, is known to be
// corrupt, or was not writable at the last check.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.checkDamage(); err != nil {
		return err
	}
	if _, err := s.reads().HasUsers(ctx); err != nil {
		return translate(fmt.Errorf("ping: %w", err))
	}
	if trouble := s.disk.trouble.Load(); trouble != nil {
		return trouble
	}
	return nil
}

// reads returns read-only queries outside of a transaction.
func (s *Store) reads() *db.Queries { return db.New(s.toRead(s.ro)) }

var (
	_ wallet.Store = (*Store)(nil)
	_ wallet.Index = (*Store)(nil)

	_ auth.SessionStore = (*Store)(nil)
)
