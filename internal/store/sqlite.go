package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/migrations"
)

// minSQLite is the first SQLite version without a bug that could corrupt a database when
// its write-ahead log was reset.
var minSQLite = [3]int{3, 51, 3}

type sqliteEngine struct {
	path         string
	backupFolder string
	now          func() time.Time
	preparing    *sync.WaitGroup // see statements
}

// Pragmas apply per connection, so they are part of the data source names of the pools.
// The busy timeout must come first, because the other pragmas may wait for a lock. The
// cache of the writer is also used by readers (ADR 17).
const (
	sqliteWriter = "?mode=rw&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)&_txlock=immediate&_pragma=cache_size(-16000)"
	sqliteReader = "?mode=rw&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=query_only(1)"
)

// sqliteBusy is the same busy timeout, for connections that do not use these data source
// names.
const sqliteBusy = 5 * time.Second

const (
	// pooledReaders is the maximum number of reading connections in the pool.
	pooledReaders = 8
	// readerIdleTime is the time after which a reading connection that is not used is closed,
	// because each takes a megabyte of memory. Opening it again takes milliseconds.
	readerIdleTime = 15 * time.Second
)

func (e sqliteEngine) open(ctx context.Context) (rw, ro *sql.DB, err error) {
	if err := createPrivate(e.path); err != nil {
		return nil, nil, err
	}
	source := fileURL(e.path)
	if rw, err = sql.Open("sqlite", source+sqliteWriter); err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", e.path, err)
	}
	rw.SetMaxOpenConns(1) // SQLite has one writer; queuing here is faster than its busy loop
	if ro, err = sql.Open("sqlite", source+sqliteReader); err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", e.path, errors.Join(err, rw.Close()))
	}
	ro.SetMaxOpenConns(pooledReaders)
	ro.SetMaxIdleConns(pooledReaders)
	ro.SetConnMaxIdleTime(readerIdleTime)
	if err := e.check(ctx, rw); err != nil {
		_ = ro.Close()
		_ = rw.Close()
		return nil, nil, err
	}
	return rw, ro, nil
}

func fileURL(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// createPrivate creates the file if it is missing, accessible only to its owner. SQLite
// creates its additional files with the same permissions and owner. SQLite must not
// create the database itself (mode=rw), because it would follow a symbolic link.
func createPrivate(path string) error {
	path, err := privatefile.Resolve(path)
	if err == nil {
		err = privatefile.Ensure(path)
	}
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	return nil
}

// check opens the first connection, and returns an error if SQLite is older than minSQLite.
// It retries, because if two processes open a new file, one of them may fail while the
// other switches the file to WAL mode: SQLite does not wait for locks in this case.
func (e sqliteEngine) check(ctx context.Context, rw *sql.DB) error {
	var version string
	err := retry(ctx, func(int) error {
		return rw.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version)
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", e.path, err)
	}
	if sqliteIsOlder(version, minSQLite) {
		return fmt.Errorf("the SQLite in this program is %s, which can corrupt a database; build it with 3.51.3 or later", version)
	}
	return nil
}

func sqliteIsOlder(version string, than [3]int) bool {
	for i, part := range strings.SplitN(version, ".", 3) {
		n, err := strconv.Atoi(part)
		if err != nil || n != than[i] {
			return err != nil || n < than[i]
		}
	}
	return false
}

func (sqliteEngine) name() string { return "SQLite" }

func (sqliteEngine) listTables() string {
	return `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name <> 'goose_db_version' ORDER BY name`
}

func (sqliteEngine) fill(ctx context.Context, _ *sql.Conn, tx *sql.Tx, t backup.Table, rows iter.Seq2[[]any, error]) error {
	places := strings.TrimSuffix(strings.Repeat("?, ", len(t.Columns)), ", ")
	insert, prepared := "INSERT INTO "+quoted(t.Name)+" ("+columnList(t)+") VALUES ("+places+")", newPreparedTx(tx)
	for row, err := range rows {
		if err != nil {
			return err
		}
		if _, err := prepared.ExecContext(ctx, insert, row...); err != nil {
			return err
		}
	}
	return nil
}

func (e sqliteEngine) writes(rw *sql.DB) func(d db.DBTX) db.DBTX {
	return (&statements{pool: rw, running: e.preparing}).on
}

func (e sqliteEngine) reads(ro *sql.DB) func(d db.DBTX) db.DBTX {
	return (&statements{pool: ro, running: e.preparing}).on
}

// admit does nothing: SQLite runs each write transaction alone.
func (sqliteEngine) admit(context.Context, *sql.Tx, bool) error { return nil }

func (sqliteEngine) bulk(_ *sql.Conn, tx *sql.Tx) bulkWriter { return newPreparedTx(tx) }

// lead does not wait: the serving lock ensures that there is only one process.
func (sqliteEngine) lead(context.Context, *sql.DB) (*leadership, error) {
	return &leadership{lost: make(chan struct{}), release: func() {}}, nil
}

func (sqliteEngine) migrations() (migrationSource, error) {
	return newMigrationSource(goose.DialectSQLite3, migrations.SQLite, "sqlite")
}

// verify runs PRAGMA quick_check: https://sqlite.org/pragma.html#pragma_quick_check.
func (e sqliteEngine) verify(ctx context.Context, ro *sql.DB) error {
	var verdict string
	if err := ro.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("check the integrity of %s: %w", e.path, err)
	}
	if verdict != "ok" {
		return fmt.Errorf("check the integrity of %s: %w: %s", e.path, errDamaged, verdict)
	}
	return nil
}

var errDamaged = errors.New("its pages are inconsistent")

// IsDamage reports whether err means that an SQLite file is corrupt.
func IsDamage(err error) bool {
	switch primaryCode(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return errors.Is(err, errDamaged)
}

// backup copies the database into the backup directory with VACUUM INTO, which creates a
// complete and consistent file.
func (e sqliteEngine) backup(ctx context.Context, rw *sql.DB, version int64) error {
	if err := privatefile.MkdirAll(e.backupFolder); err != nil {
		return fmt.Errorf("create the backup directory: %w", err)
	}
	name := fmt.Sprintf("before-migration-from-%d-%s.db", version, e.now().UTC().Format("20060102T150405.000000Z"))
	path := filepath.Join(e.backupFolder, name)
	f, err := privatefile.Create(path) // VACUUM INTO accepts an empty file; with mode=rw it does not create one
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		_, err = rw.ExecContext(ctx, "VACUUM INTO ?", fileURL(path)+"?mode=rw")
	}
	if err != nil {
		return fmt.Errorf("copy the database to %s: %w", path, err)
	}
	return nil
}
