package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
)

// dataVersion is a query for a number that changes when another connection, of this or
// another process, has committed a change to the database:
// https://sqlite.org/pragma.html#pragma_data_version.
const dataVersion = "PRAGMA data_version"

// maxRemembered is the maximum number of rows that a connection caches.
const maxRemembered = 10_000

// pinnedConns returns the number of connections that are reserved for reading credentials.
// It is several per processor, so that a connection that waits for the operating system to
// lock the database does not delay the others.
func pinnedConns() int { return 4 * runtime.GOMAXPROCS(0) }

// credentials reserves connections for reading credentials. Each connection caches the rows
// that it has read. Before every use of the cache, it checks whether the database has
// changed, which takes a third of the time of reading the row again.
func (sqliteEngine) credentials(ctx context.Context, ro *sql.DB) (credentialReader, error) {
	n := pinnedConns()
	r := &pinnedReader{free: make(chan *pinnedConn, n)}
	for range n {
		c, err := pin(ctx, ro)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.all = append(r.all, c)
		r.free <- c
	}
	return r, nil
}

// pinnedReader lends each of its connections to one reader at a time.
type pinnedReader struct {
	free chan *pinnedConn
	all  []*pinnedConn
}

func (r *pinnedReader) credential(ctx context.Context, tokenID string) (*auth.Credential, error) {
	select {
	case c := <-r.free:
		defer func() { r.free <- c }()
		return c.credential(ctx, tokenID)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *pinnedReader) close() error {
	var err error
	for _, c := range r.all {
		err = errors.Join(err, c.version.(driver.Stmt).Close(), c.conn.Close())
	}
	return err
}

// pinnedConn is a reserved connection with a cache of the rows that it has read since the
// last change to the database.
type pinnedConn struct {
	conn    *sql.Conn
	queries *db.Queries
	// version is the query dataVersion, prepared on the driver's connection. A call through
	// database/sql would take several times as long as the query itself.
	version driver.StmtQueryContext

	current    int64
	remembered map[string]*auth.Credential
}

func pin(ctx context.Context, ro *sql.DB) (*pinnedConn, error) {
	conn, err := ro.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("pin a connection: %w", err)
	}
	c := &pinnedConn{conn: conn, queries: db.New(conn), remembered: map[string]*auth.Credential{}}
	err = conn.Raw(func(driverConn any) error {
		stmt, err := driverConn.(driver.Conn).Prepare(dataVersion)
		if err != nil {
			return err
		}
		c.version = stmt.(driver.StmtQueryContext)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", dataVersion, errors.Join(err, conn.Close()))
	}
	return c, nil
}

// credential returns the current row of a token. It reads the data version first, so a
// cached row is at least as new as that version.
func (c *pinnedConn) credential(ctx context.Context, tokenID string) (*auth.Credential, error) {
	// The query takes microseconds; watching ctx would take longer.
	version, err := c.askVersion(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	if version != c.current || len(c.remembered) >= maxRemembered {
		clear(c.remembered)
		c.current = version
	}
	if known := c.remembered[tokenID]; known != nil {
		return known, nil
	}
	row, err := c.queries.TokenAndUser(ctx, tokenID)
	if err != nil {
		return nil, err
	}
	found := credentialOf(row)
	c.remembered[tokenID] = found
	return found, nil
}

func (c *pinnedConn) askVersion(ctx context.Context) (int64, error) {
	rows, err := c.version.QueryContext(ctx, nil)
	if err != nil {
		return 0, err
	}
	var answer [1]driver.Value
	err = rows.Next(answer[:])
	if errors.Is(err, io.EOF) {
		err = sql.ErrNoRows
	}
	if err = errors.Join(err, rows.Close()); err != nil {
		return 0, fmt.Errorf("query the database's version: %w", err)
	}
	version, ok := answer[0].(int64)
	if !ok {
		return 0, fmt.Errorf("the database's version is a %T", answer[0])
	}
	return version, nil
}
