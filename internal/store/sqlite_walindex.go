package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// walIndex reads the header of the index of a write-ahead log. All connections to an SQLite
// database share it in memory, and each commit changes it (ADR 40,
// https://sqlite.org/walformat.html#the_wal_index_file_format).
//
// Its own connection keeps the memory mapped. SQLite maps it, because a program that opens and
// closes the file itself would thereby end the locks of all its connections.
type walIndex struct {
	tls    *libc.TLS
	db     uintptr       // the connection
	shared *[2]walHeader // the header and its copy; the others are behind them
}

// walHeader is the header of a wal-index: its version, a counter of commits, the size and the
// checksum of the log, and a checksum of the header.
type walHeader [12]uint32

const (
	walIndexVersion  = 3007000
	walIndexRegion   = 32768 // size of the parts in which SQLite maps a wal-index
	shmMethodsSince  = 2     // version of sqlite3_io_methods with xShmMap
	walHeaderChecked = 10    // number of words before the checksum
)

// openWALIndex maps the wal-index of a database, which readers is a pool of connections to. It
// returns an error if there is none.
func openWALIndex(ctx context.Context, path string, readers *sql.DB) (*walIndex, error) {
	var mode string
	if err := readers.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return nil, fmt.Errorf("query the journal mode: %w", err)
	}
	if mode != "wal" { // mapping would create a file
		return nil, fmt.Errorf("the journal mode of %s is %s", path, mode)
	}
	x := &walIndex{tls: libc.NewTLS()}
	if err := x.open(path); err != nil {
		x.close()
		return nil, fmt.Errorf("map the wal-index of %s: %w", path, err)
	}
	return x, nil
}

func (x *walIndex) open(path string) error {
	const pointer = int(unsafe.Sizeof(uintptr(0)))
	result := x.tls.Alloc(pointer)
	defer x.tls.Free(pointer)
	name, err := libc.CString(path)
	if err != nil {
		return err
	}
	defer libc.Xfree(x.tls, name)
	code := sqlite3.Xsqlite3_open_v2(x.tls, name, result, sqlite3.SQLITE_OPEN_READWRITE, 0)
	if x.db = *at[uintptr](result); code != sqlite3.SQLITE_OK {
		return errSQLite(code)
	}
	sqlite3.Xsqlite3_busy_timeout(x.tls, x.db, int32(sqliteBusy/time.Millisecond))
	// A connection maps the wal-index when it reads for the first time.
	read, err := libc.CString("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	defer libc.Xfree(x.tls, read)
	if code := sqlite3.Xsqlite3_exec(x.tls, x.db, read, 0, 0, 0); code != sqlite3.SQLITE_OK {
		return errSQLite(code)
	}
	if code := sqlite3.Xsqlite3_file_control(x.tls, x.db, 0, sqlite3.SQLITE_FCNTL_FILE_POINTER, result); code != sqlite3.SQLITE_OK {
		return errSQLite(code)
	}
	file := *at[uintptr](result)
	methods := at[sqlite3.Tsqlite3_io_methods](at[sqlite3.Tsqlite3_file](file).FpMethods)
	if methods == nil || methods.FiVersion < shmMethodsSince || methods.FxShmMap == 0 {
		return errSQLite(sqlite3.SQLITE_NOTFOUND)
	}
	shmMap := *(*func(tls *libc.TLS, file uintptr, region, size, extend int32, result uintptr) int32)(unsafe.Pointer(&struct{ uintptr }{methods.FxShmMap})) //nolint:gosec // a function of SQLite, called as its own code does
	if code := shmMap(x.tls, file, 0, walIndexRegion, 0, result); code != sqlite3.SQLITE_OK || *at[uintptr](result) == 0 {
		return errSQLite(code)
	}
	x.shared = at[[2]walHeader](*at[uintptr](result))
	if h, ok := x.header(); !ok || h[0] != walIndexVersion {
		x.shared = nil
		return fmt.Errorf("its header is unknown: %v", h)
	}
	return nil
}

// header returns the header, and false if it is being changed or unknown. If two calls return
// the same header, no transaction was committed between them.
func (x *walIndex) header() (h walHeader, ok bool) {
	if x == nil {
		return h, false
	}
	// Writers change the copy first; SQLite reads both in this order as well.
	var second walHeader
	for i := range h {
		h[i] = atomic.LoadUint32(&x.shared[0][i])
	}
	for i := range second {
		second[i] = atomic.LoadUint32(&x.shared[1][i])
	}
	return h, h == second && h.valid()
}

// valid reports whether the checksum of the header is correct, as SQLite computes it.
func (h *walHeader) valid() bool {
	var a, b uint32
	for i := 0; i < walHeaderChecked; i += 2 {
		a += h[i] + b
		b += h[i+1] + a
	}
	return a == h[walHeaderChecked] && b == h[walHeaderChecked+1] && h[0] != 0
}

func (x *walIndex) close() {
	if x == nil {
		return
	}
	sqlite3.Xsqlite3_close_v2(x.tls, x.db)
	x.tls.Close()
}

// at returns a pointer to memory that SQLite has allocated.
func at[T any](address uintptr) *T {
	return *(**T)(unsafe.Pointer(&address)) //nolint:gosec // not memory of Go, so it does not move
}

func errSQLite(code int32) error { return fmt.Errorf("SQLite's result is %d", code) }
