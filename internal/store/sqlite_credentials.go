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

// maxResults is the maximum number of results that a connection caches. They have a few
// kilobytes at most.
const maxResults = 250

// pinnedConns returns the number of connections that are reserved for reading credentials.
// It is several per processor, so that a connection that waits for the operating system to
// lock the database does not delay the others.
func pinnedConns() int { return 4 * runtime.GOMAXPROCS(0) }

// credentials reserves connections for reading credentials. Each connection caches the rows
// that it has read. Before every use of the cache, it checks whether the database has
// changed. Without the wal-index, this takes a third of the time of reading the row again.
func (e sqliteEngine) credentials(ctx context.Context, ro *sql.DB) (credentialReader, error) {
	pool, err := sql.Open("sqlite", fileURL(e.path)+sqliteReader)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", e.path, err)
	}
	n := pinnedConns()
	r := &pinnedReader{pool: pool, free: make(chan *pinnedConn, n), unopened: make(chan struct{}, n)}
	for range n {
		r.unopened <- struct{}{}
	}
	r.index, _ = openWALIndex(ctx, e.path, ro) // nil if this system or database has none
	return r, nil
}

// pinnedReader lends each of its connections to one reader at a time. It opens another one if
// all are in use, because each takes a megabyte of memory.
type pinnedReader struct {
	pool     *sql.DB
	free     chan *pinnedConn
	unopened chan struct{} // has an item for each connection that may still be opened
	index    *walIndex
}

// take returns a connection, which the caller must give back to free.
func (r *pinnedReader) take(ctx context.Context) (*pinnedConn, error) {
	select {
	case c := <-r.free:
		return c, nil
	default:
	}
	select {
	case c := <-r.free:
		return c, nil
	case <-r.unopened:
		c, err := pin(ctx, r.pool, r.index)
		if err != nil {
			r.unopened <- struct{}{}
		}
		return c, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *pinnedReader) credential(ctx context.Context, tokenID string) (*auth.Credential, error) {
	c, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { r.free <- c }()
	return c.credential(ctx, tokenID)
}

// close closes all connections that no reader uses.
func (r *pinnedReader) close() error {
	var err error
	for len(r.free) > 0 {
		err = errors.Join(err, (<-r.free).close())
	}
	r.index.close()
	return errors.Join(err, r.pool.Close())
}

// remember implements credentialReader.
func (r *pinnedReader) remember(ctx context.Context, key any, load func() (result any, small bool, err error)) (any, error) {
	c, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { r.free <- c }()
	return c.remember(ctx, key, load)
}

// pinnedConn is a reserved connection with a cache of the rows and results that were read
// since the last change to the database.
type pinnedConn struct {
	conn    *sql.Conn
	queries *db.Queries
	index   *walIndex
	// counter is the query dataVersion, prepared on the driver's connection. A call through
	// database/sql would take several times as long as the query itself.
	counter driver.StmtQueryContext

	current    version
	remembered map[string]*auth.Credential
	results    map[any]any // by the keys of remember
}

// version identifies the content of the database: by the header of the wal-index, or else by
// the result of dataVersion.
type version struct {
	header  walHeader
	counter int64
}

func pin(ctx context.Context, pool *sql.DB, index *walIndex) (*pinnedConn, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("pin a connection: %w", err)
	}
	c := &pinnedConn{conn: conn, queries: db.New(conn), index: index, remembered: map[string]*auth.Credential{}, results: map[any]any{}}
	err = conn.Raw(func(driverConn any) error {
		stmt, err := driverConn.(driver.Conn).Prepare(dataVersion)
		if err != nil {
			return err
		}
		c.counter = stmt.(driver.StmtQueryContext)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", dataVersion, errors.Join(err, conn.Close()))
	}
	return c, nil
}

// credential returns the current row of a token. It reads the version first, so a cached row
// is at least as new as that version.
func (c *pinnedConn) credential(ctx context.Context, tokenID string) (*auth.Credential, error) {
	if err := c.forgetOld(ctx); err != nil {
		return nil, err
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

// forgetOld empties the cache if the database has changed or the cache is full.
func (c *pinnedConn) forgetOld(ctx context.Context) error {
	now, err := c.version(ctx)
	if err != nil {
		return err
	}
	if now != c.current || len(c.remembered) >= maxRemembered || len(c.results) >= maxResults {
		clear(c.remembered)
		clear(c.results)
		c.current = now
	}
	return nil
}

// remember returns the cached result of load. Load may use another connection: it begins to
// read after the version was read, so that its result is at least as new as that version.
func (c *pinnedConn) remember(ctx context.Context, key any, load func() (result any, small bool, err error)) (any, error) {
	if err := c.forgetOld(ctx); err != nil {
		return nil, err
	}
	if known, ok := c.results[key]; ok {
		return known, nil
	}
	result, small, err := load()
	if err == nil && small {
		c.results[key] = result
	}
	return result, err
}

func (c *pinnedConn) version(ctx context.Context) (v version, err error) {
	var ok bool
	if v.header, ok = c.index.header(); ok {
		return v, nil
	}
	// The query takes microseconds; watching ctx would take longer.
	v.counter, err = c.askCounter(context.WithoutCancel(ctx))
	return version{counter: v.counter}, err
}

func (c *pinnedConn) askCounter(ctx context.Context) (int64, error) {
	rows, err := c.counter.QueryContext(ctx, nil)
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
	counter, ok := answer[0].(int64)
	if !ok {
		return 0, fmt.Errorf("the database's version is a %T", answer[0])
	}
	return counter, nil
}
