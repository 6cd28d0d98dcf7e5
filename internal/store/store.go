// Package store keeps everything in SQLite or PostgreSQL. It implements the
// Store interfaces that the domain packages declare, and decides nothing
// itself: what may become of a row is the domain's to say.
//
// Exported methods open one transaction or none; the small unexported functions
// that they are made of take the transaction. No transaction type leaves the
// package. Every error that a caller can do something about is a fault.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/keymutex"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// Options say where the data is.
type Options struct {
	// URL is postgres://… or the path of an SQLite file.
	URL string
	// BackupFolder takes the copies that are made before SQLite is migrated.
	BackupFolder string
	Log          *slog.Logger
	Now          func() time.Time
	// Quotas are the limits of users for whom an admin set no others.
	Quotas auth.Limits
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	log    *slog.Logger
	now    func() time.Time
	engine engine
	quotas auth.Limits
	rw, ro *sql.DB // on PostgreSQL both are the same pool
	// toRead adapts queries that only read.
	toRead func(d db.DBTX) db.DBTX
	// damage is what a check found wrong with the file; nil while nothing is.
	damage atomic.Pointer[error]
	disk   disk
	// quotaLocks serializes the transactions that charge a quota, by user or wallet.
	quotaLocks keymutex.Mutex
	// credentials reads the rows that decide about requests, faster than
	// through a pool where that matters.
	credentials credentialReader
	// histories reads many rows of transactions, faster than through a pool
	// where that matters.
	histories historyReader
}

// engine is what differs between the two databases.
type engine interface {
	// name is what people call it.
	name() string
	// open returns the pools for writing and for reading.
	open(ctx context.Context) (rw, ro *sql.DB, err error)
	// credentials returns a reader on the open pools.
	credentials(ctx context.Context, ro *sql.DB) (credentialReader, error)
	// histories returns a reader of the same database.
	histories(ro *sql.DB) (historyReader, error)
	// adapt has queries be what suits the database best.
	adapt(d db.DBTX) db.DBTX
	// reads returns a function that does the same with queries that only read,
	// on the pool for that or within one of its transactions.
	reads(ro *sql.DB) func(d db.DBTX) db.DBTX
	// bulk returns what many small statements are fast through, on a transaction
	// of the connection.
	bulk(conn *sql.Conn, tx *sql.Tx) bulkWriter
	// listTables is a query for the names of all tables but goose's.
	listTables() string
	// fill puts rows into an empty table, in a transaction of the connection.
	fill(ctx context.Context, conn *sql.Conn, tx *sql.Tx, t backup.Table, rows iter.Seq2[[]any, error]) error
	// lead waits until no other process writes the index, and keeps others from it.
	lead(ctx context.Context, rw *sql.DB) (*leadership, error)
	// migrations says what goose needs to know.
	migrations() (migrationSource, error)
	// verify looks through the whole database and returns what is wrong with it.
	verify(ctx context.Context, ro *sql.DB) error
	// backup copies the database before it is migrated from this version.
	backup(ctx context.Context, rw *sql.DB, version int64) error
}

// credentialReader reads the row of a token as it is at this moment.
type credentialReader interface {
	credential(ctx context.Context, tokenID string) (*auth.Credential, error)
	close() error
}

// transactionReader is db.Queries, or what takes its place in that.
type transactionReader interface {
	Transactions(ctx context.Context, p db.TransactionsParams) ([]db.TransactionsRow, error)
	TransactionsAscending(ctx context.Context, p db.TransactionsAscendingParams) ([]db.TransactionsAscendingRow, error)
}

// historyReader is one that has to be closed.
type historyReader interface {
	transactionReader
	close() error
}

// IsPostgres reports whether a database URL names a PostgreSQL database.
func IsPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// Open opens the database, creating an SQLite file where there is none. It does
// not migrate; until Migrate has returned, nothing else may be called.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: o.Log, now: o.Now, quotas: o.Quotas, disk: disk{log: o.Log}}
	if IsPostgres(o.URL) {
		s.engine = postgresEngine{url: o.URL}
	} else {
		s.engine = sqliteEngine{path: o.URL, backupFolder: o.BackupFolder, now: o.Now}
		s.disk.path = ballastPath(o.URL)
	}
	var err error
	s.rw, s.ro, err = s.engine.open(ctx)
	if err != nil && s.disk.mind(ctx, err) { // to be opened takes some room, too
		s.rw, s.ro, err = s.engine.open(ctx)
	}
	if err != nil {
		return nil, err
	}
	s.toRead = s.engine.reads(s.ro)
	return s, nil
}

// Close closes the database. Nothing may use the store any more.
func (s *Store) Close() error {
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

// Verify looks through the whole database, which may take seconds. Where it
// finds damage, it returns that, and from then on nobody is let in and Ping is
// Unavailable: what is read from a damaged file may be wrong.
func (s *Store) Verify(ctx context.Context) error {
	err := s.engine.verify(ctx, s.ro)
	if IsDamage(err) {
		s.damage.Store(&err)
	}
	return err
}

// sound is Unavailable where the database is known to be damaged.
func (s *Store) sound() error {
	if damage := s.damage.Load(); damage != nil {
		return ErrUnavailable.Because(*damage)
	}
	return nil
}

// Ping reports whether the database answers, is not known to be damaged, and could
// be written to when that was tried last: Unavailable where not.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.sound(); err != nil {
		return err
	}
	if _, err := s.reads().CountUsers(ctx); err != nil {
		return translate(fmt.Errorf("ping: %w", err))
	}
	if trouble := s.disk.trouble.Load(); trouble != nil {
		return trouble
	}
	return nil
}

// reads returns the queries outside of a transaction, for reading only.
func (s *Store) reads() *db.Queries { return db.New(s.toRead(s.ro)) }

func (s *Store) queries(d db.DBTX) *db.Queries { return db.New(s.engine.adapt(d)) }

var (
	_ wallet.Store = (*Store)(nil)
	_ wallet.Index = (*Store)(nil)
)
