package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// historyConns is the number of connections that read histories.
const historyConns = 4

// historyPragmas are set on each of these connections. With SQLite's default cache of 2 MB, a
// page from the middle of a long history would read most of its labels and outputs from the
// file again.
var historyPragmas = []string{"PRAGMA query_only(1)", "PRAGMA cache_size(-8000)"}

// histories returns connections that do not use database/sql. Together with its driver, that
// package takes twice as long to return the values of a row as SQLite takes to find the row
// (ADR 17).
func (e sqliteEngine) histories(*sql.DB) (historyReader, error) {
	return &sqliteHistories{path: e.path, slots: make(chan struct{}, historyConns), running: map[*zombiezen.Conn]context.CancelFunc{}}, nil
}

// sqliteHistories lends each of its connections to one reader at a time. It lends the one that
// was used last, whose cache is the most useful, and opens another one if all are in use.
type sqliteHistories struct {
	path  string
	slots chan struct{} // has an item for each reader

	mu      sync.Mutex
	free    []*zombiezen.Conn
	running map[*zombiezen.Conn]context.CancelFunc
	closed  bool
}

// close interrupts all readers, waits for them, and closes the connections.
func (r *sqliteHistories) close() (err error) {
	r.mu.Lock()
	r.closed = true
	for _, interrupt := range r.running {
		interrupt()
	}
	r.mu.Unlock()
	for range cap(r.slots) {
		r.slots <- struct{}{}
	}
	err = r.release()
	for range cap(r.slots) { // later readers get an error
		<-r.slots
	}
	return err
}

// with runs body with a connection. If ctx ends, it returns the error of ctx, because SQLite
// would only report an interrupt.
func (r *sqliteHistories) with(ctx context.Context, body func(*zombiezen.Conn) error) error {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.slots }()
	running, interrupt := context.WithCancel(ctx)
	defer interrupt()
	conn, err := r.take(interrupt)
	if err != nil {
		return fmt.Errorf("open %s: %w", r.path, err)
	}
	defer r.put(conn)
	conn.SetInterrupt(running.Done())
	if err = body(conn); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (r *sqliteHistories) take(interrupt context.CancelFunc) (conn *zombiezen.Conn, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.free) - 1
	switch {
	case r.closed:
		return nil, sql.ErrConnDone
	case last >= 0:
		conn = r.free[last]
		r.free = r.free[:last]
	default:
		if conn, err = openHistory(r.path); err != nil {
			return nil, err
		}
	}
	r.running[conn] = interrupt
	return conn, nil
}

func (r *sqliteHistories) put(conn *zombiezen.Conn) {
	conn.SetInterrupt(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, conn)
	r.free = append(r.free, conn)
}

func openHistory(path string) (*zombiezen.Conn, error) {
	conn, err := zombiezen.OpenConn(path, zombiezen.OpenReadWrite) // a reader also writes the index of the write-ahead log (-shm)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(sqliteBusy)
	for _, pragma := range historyPragmas {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// pages are buffers for the records of a page, whose number is unknown until they are read.
var pages = sync.Pool{New: func() any { return new([]wallet.Record) }}

func (r *sqliteHistories) records(ctx context.Context, p db.TransactionsParams, ascending bool) (page []wallet.Record, err error) {
	err = r.with(ctx, func(conn *zombiezen.Conn) error {
		page, err = sqliteQueries{conn}.records(ctx, p, ascending)
		return err
	})
	if err != nil {
		return nil, translate(err)
	}
	return page, nil
}

// records implements recordReader.
func (q sqliteQueries) records(_ context.Context, p db.TransactionsParams, ascending bool) ([]wallet.Record, error) {
	query := db.Transactions
	if ascending {
		query = db.TransactionsAscending // with the same parameters and columns
	}
	page := pages.Get().(*[]wallet.Record)
	defer func() {
		clear(*page)
		pages.Put(page)
	}()
	*page = (*page)[:0]
	err := eachRow(q.conn, query, func(stmt *zombiezen.Stmt) { bindHistory(stmt, p) }, func(c *columns) {
		*page = append(*page, recordOf(historyRow(c)))
	})
	if err != nil {
		return nil, fmt.Errorf("list transactions: %w", err)
	}
	return slices.Clone(*page), nil
}

// eachRow runs a query and calls add for each row.
func eachRow(conn *zombiezen.Conn, query string, bind func(*zombiezen.Stmt), add func(*columns)) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	bind(stmt)
	defer stmt.Reset() //nolint:errcheck // repeats the error of Step
	for row := (&columns{stmt: stmt}); ; row.next = 0 {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		add(row)
	}
}

// bindHistory sets the parameters of db.Transactions.
func bindHistory(stmt *zombiezen.Stmt, p db.TransactionsParams) {
	stmt.BindText(1, p.WalletID)
	stmt.BindBool(2, p.Outputs)
	stmt.BindBool(3, p.Raw)
	stmt.BindInt64(4, p.AfterTime.UnixMicro())
	stmt.BindText(5, p.AfterTxid)
	stmt.BindInt64(6, p.Since.UnixMicro())
	stmt.BindInt64(7, p.Until.UnixMicro())
	stmt.BindBool(8, p.AnyAmount)
	stmt.BindInt64(9, int64(p.MinAmount))
	stmt.BindInt64(10, int64(p.MaxAmount))
	stmt.BindBool(11, p.AnyCategory)
	stmt.BindText(12, p.Category)
	stmt.BindBool(13, p.Dead)
	stmt.BindBool(14, p.AnyLabel)
	stmt.BindText(15, p.Label)
	stmt.BindBool(16, p.AnyAddress)
	stmt.BindText(17, p.Address)
	stmt.BindInt64(18, p.MaxRows)
}

// historyRow reads the columns of db.Transactions.
func historyRow(c *columns) db.TransactionsRow {
	row := db.TransactionsRow{
		Txid: c.text(), Time: sqltype.Time{Time: c.time()}, ReceivedAt: sqltype.Time{Time: c.time()}, Status: c.text(),
		BlockHeight: orNull[int](c), BlockHash: c.text(),
	}
	if micros := orNull[int64](c); micros != nil {
		row.BlockTime.Time = time.UnixMicro(*micros).UTC()
	}
	row.Conflicts, row.Replaceable, row.Trusted, row.Category = c.text(), c.text(), c.integer() != 0, c.text()
	row.FlowSat, row.FeeSat, row.Vsize = btc.Amount(c.integer()), orNull[btc.Amount](c), int(c.integer())
	row.Address, row.Branch, row.AddressIndex = c.text(), orNull[uint8](c), orNull[uint32](c)
	row.Label, row.AddressLabel = c.text(), c.text()
	if raw := c.blob(); raw != nil {
		row.Raw = raw
	}
	return row
}

// columns reads the columns of a row in order.
type columns struct {
	stmt *zombiezen.Stmt
	next int
}

func (c *columns) column() int {
	c.next++
	return c.next - 1
}

func (c *columns) text() string    { return c.stmt.ColumnText(c.column()) }
func (c *columns) integer() int64  { return c.stmt.ColumnInt64(c.column()) }
func (c *columns) time() time.Time { return time.UnixMicro(c.integer()).UTC() }

// blob returns nil for NULL.
func (c *columns) blob() []byte {
	i := c.column()
	if c.stmt.ColumnIsNull(i) {
		return nil
	}
	b := make([]byte, c.stmt.ColumnLen(i))
	c.stmt.ColumnBytes(i, b)
	return b
}

// orNull returns nil for NULL. The value must be in the range of T.
func orNull[T ~int | ~int64 | ~uint8 | ~uint32](c *columns) *T {
	i := c.column()
	if c.stmt.ColumnIsNull(i) {
		return nil
	}
	v := T(c.stmt.ColumnInt64(i))
	return &v
}
