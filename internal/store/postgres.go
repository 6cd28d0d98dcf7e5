package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/migrations"
)

// maxPostgresConns is the maximum number of connections of one process. By default a
// server allows 100 in total.
const maxPostgresConns = 20

type postgresEngine struct{ url string }

func (e postgresEngine) open(ctx context.Context) (rw, ro *sql.DB, err error) {
	config, err := pgx.ParseConfig(e.url)
	if err != nil {
		return nil, nil, fmt.Errorf("open the PostgreSQL database: %w", err)
	}
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(withoutJIT))
	pool.SetMaxOpenConns(maxPostgresConns)
	pool.SetMaxIdleConns(maxPostgresConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return nil, nil, fmt.Errorf("connect to the PostgreSQL database: %s (%w)", connectRemedy(err), connectError{err})
	}
	return pool, pool, nil
}

// withoutJIT prevents that the server compiles statements of a connection. It would compile each
// statement that it expects to read many rows, which takes up to 0.2 s, and its estimates for pages of
// a history are far too high as long as the tables have no statistics.
func withoutJIT(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SET jit = off")
	return err
}

// connectError is an error of a connection attempt in one line, without the attempts at
// other addresses of the host.
type connectError struct{ error }

func (e connectError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.error.Error()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

func (e connectError) Unwrap() error { return e.error }

// connectRemedy returns what to do if PostgreSQL does not accept a connection.
func connectRemedy(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "28P01", "28000": // invalid password, invalid authorization
			return "it rejects the user or the password; correct SPECTER_DATABASE_URL, or the server's pg_hba.conf"
		case "3D000": // unknown database
			return "it does not have this database; create it with createdb, or correct SPECTER_DATABASE_URL"
		case "53300": // too many connections
			return "it has too many connections; increase max_connections, or stop other clients"
		case "57P03": // starting up or shutting down
			return "it is starting or stopping; try again"
		}
	}
	return "the server cannot be reached; start it, or correct host and port in SPECTER_DATABASE_URL"
}

func (postgresEngine) name() string { return "PostgreSQL" }

func (postgresEngine) listTables() string {
	return `SELECT CAST(table_name AS TEXT) FROM information_schema.tables
		WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name <> 'goose_db_version' ORDER BY table_name`
}

// adapt wraps a DBTX for lists of parameters. The driver prepares statements automatically.
func (postgresEngine) adapt(d db.DBTX) db.DBTX { return arrays{d} }

func (e postgresEngine) writes(*sql.DB) func(d db.DBTX) db.DBTX { return e.adapt }

func (e postgresEngine) reads(*sql.DB) func(d db.DBTX) db.DBTX { return e.adapt }

// admit locks a table that transactions rarely write. A serializable transaction takes
// its snapshot at the first statement after LOCK TABLE, so that it sees changes committed
// during the wait. Acquiring an advisory lock would take the snapshot before the wait.
func (postgresEngine) admit(ctx context.Context, tx *sql.Tx, alone bool) error {
	statement := "LOCK TABLE settings IN ROW SHARE MODE"
	if alone {
		statement = "LOCK TABLE settings IN EXCLUSIVE MODE"
	}
	_, err := tx.ExecContext(ctx, statement)
	return err
}

func (postgresEngine) bulk(conn *sql.Conn, tx *sql.Tx) bulkWriter { return newPipeline(conn, tx) }

func (postgresEngine) migrations() (migrationSource, error) {
	return newMigrationSource(goose.DialectPostgres, migrations.Postgres, "postgres", goose.WithSessionLocker(migrationLock{}))
}

// migrationLock makes processes that start at the same time migrate one after the other.
// When the lock is released, the server wakes the next process at once, whereas goose's
// own lock polls every five seconds.
type migrationLock struct{}

func (migrationLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", lock.DefaultLockID)
	return err
}

func (migrationLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", lock.DefaultLockID)
	return err
}

// verify does nothing: a PostgreSQL server checks its own files.
func (postgresEngine) verify(context.Context, *sql.DB) error { return nil }

// backup does nothing: the administrator of a PostgreSQL server is responsible for its
// backups.
func (postgresEngine) backup(context.Context, *sql.DB, int64) error { return nil }

func (postgresEngine) credentials(_ context.Context, ro *sql.DB) (credentialReader, error) {
	return pooledReader{db.New(ro)}, nil
}

// pooledReader reads through the pool, which keeps statements prepared.
type pooledReader struct{ *db.Queries }

func (r pooledReader) credential(ctx context.Context, tokenID string) (*auth.Credential, error) {
	row, err := r.TokenAndUser(ctx, tokenID)
	if err != nil {
		return nil, err
	}
	return credentialOf(row), nil
}

// remember calls load: without a version of the database, there is nothing to compare.
func (pooledReader) remember(_ context.Context, _ any, load func() (any, bool, error)) (any, error) {
	result, _, err := load()
	return result, err
}

// histories returns a reader on the same pool, which is fast enough for histories.
func (e postgresEngine) histories(ro *sql.DB) (historyReader, error) {
	return pooledReader{db.New(e.adapt(ro))}, nil
}

func (r pooledReader) records(ctx context.Context, p db.TransactionsParams, ascending bool) ([]wallet.Record, error) {
	return queriedRecords(r).records(ctx, p, ascending)
}

func (pooledReader) close() error { return nil }
