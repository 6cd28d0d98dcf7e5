package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/store/db"
)

// reserveBytes is the size of the disk reserve, which is freed for revocations on a full
// disk. It is sufficient to delete a few hundred tokens, and far more if the write-ahead
// log can be checkpointed.
const reserveBytes = 1 << 20

// reserveInterval is the interval between checks of the disk.
const reserveInterval = time.Second

// ErrDiskFull is returned for writes while the disk is full. Transactions that revoke access
// still succeed as long as the disk reserve suffices.
var ErrDiskFull = fault.New(fault.Unavailable, "disk_full",
	"the disk with the database is full, and the remaining space is reserved for revoking access; nothing was changed. Free disk space; specterd then resumes without a restart").WithRetryAfter(10 * time.Second)

// errNotWritable is reported to monitoring if the database cannot be written to; callers
// that write get ErrUnavailable.
var errNotWritable = fault.New(fault.Unavailable, "database_not_writable",
	"the database cannot be written to; check specterd's log, and whether the disk was mounted read-only")

// disk is the known state of the disk with an SQLite database, and the disk reserve: a
// file that occupies space. If a write fails because the disk is full, the file is
// deleted; until it can be created again, only transactions that revoke access are
// executed.
type disk struct {
	path string // of the disk reserve; empty on PostgreSQL, which has none
	log  *slog.Logger
	// trouble is the current problem with the disk, or nil.
	trouble atomic.Pointer[fault.Error]
}

// observe updates the known state of the disk after a write that returned err. It reports
// whether it freed the disk reserve, so that the write can be repeated.
func (d *disk) observe(ctx context.Context, err error) (released bool) {
	if d.path == "" {
		return false
	}
	if isFull(err) {
		released = os.Remove(d.path) == nil
		if d.trouble.Swap(ErrDiskFull) != ErrDiskFull {
			d.log.ErrorContext(ctx, "disk full; until space is freed, only changes that revoke access are written", "error", err)
		}
		return released
	}
	switch primaryCode(err) {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		if d.trouble.CompareAndSwap(nil, errNotWritable) {
			d.log.ErrorContext(ctx, "the database cannot be written to; it will be tried again", "error", err)
		}
	}
	return false
}

// IsFull reports whether err means that the disk is full.
func IsFull(err error) bool { return isFull(err) || errors.Is(err, ErrDiskFull) }

// isFull reports whether err means that the disk is full. Apart from the database and its
// log, SQLite may also fail to extend the shared-memory file (-shm).
func isFull(err error) bool {
	return primaryCode(err) == sqlite3.SQLITE_FULL || sqliteCode(err) == sqlite3.SQLITE_IOERR_SHMSIZE
}

// KeepDiskReserve calls MaintainDiskReserve every reserveInterval until ctx ends.
func (s *Store) KeepDiskReserve(ctx context.Context) {
	tick := time.NewTicker(reserveInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.MaintainDiskReserve(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// MaintainDiskReserve creates the disk reserve if it is missing and there is space for it, and
// checks whether an earlier problem with the disk is over.
func (s *Store) MaintainDiskReserve(ctx context.Context) {
	if s.disk.path == "" {
		return
	}
	switch err := s.disk.makeReserve(); {
	case errors.Is(err, syscall.ENOSPC):
		if s.disk.trouble.Swap(ErrDiskFull) != ErrDiskFull {
			s.log.ErrorContext(ctx, "disk nearly full; until space is freed, only changes that revoke access are written")
		}
		s.shortenLog(ctx)
	case s.disk.trouble.Load() != nil && s.tryDisk(ctx) == nil:
		s.disk.trouble.Store(nil)
		s.log.InfoContext(ctx, "the database can be written to again")
	}
}

// tryDisk tests whether the database is writable by writing a value that it already has.
func (s *Store) tryDisk(ctx context.Context) error {
	return s.attempt(ctx, func(q *db.Queries) error { return q.TouchSettings(ctx) })
}

// shortenLog copies the write-ahead log into the database, except for the part that a
// reader still needs. SQLite then reuses the log file instead of extending it.
func (s *Store) shortenLog(ctx context.Context) {
	_, _ = s.rw.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)") // an error is ignored, because the next call tries again
}

// makeReserve creates the disk reserve if it is missing. It returns ENOSPC unless there
// is space for two reserves, so that it does not immediately occupy the space that
// deleting the reserve has freed.
func (d *disk) makeReserve() error {
	if _, err := os.Stat(d.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	free, err := freeSpace(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	if free < 2*reserveBytes {
		return syscall.ENOSPC
	}
	return privatefile.Replace(d.path, func(out io.Writer) error {
		_, err := io.CopyN(out, rand.NewChaCha8([32]byte{}), reserveBytes) // random bytes cannot be compressed by the file system
		return err
	})
}

// freeSpace returns how many bytes can be written to the file system of a directory.
func freeSpace(folder string) (uint64, error) {
	var at syscall.Statfs_t
	if err := syscall.Statfs(folder, &at); err != nil {
		return 0, fmt.Errorf("get the free space of the disk: %w", err)
	}
	return uint64(at.Bavail) * uint64(at.Bsize), nil //nolint:gosec,unconvert,nolintlint // the types differ between systems
}

// IsNearlyFull reports whether a server with the SQLite database at this path would
// refuse writes because of low disk space. It also returns the free space in bytes.
func IsNearlyFull(databasePath string) (full bool, free uint64, err error) {
	free, err = freeSpace(filepath.Dir(databasePath))
	if err != nil {
		return false, 0, err
	}
	_, missing := os.Stat(reservePath(databasePath))
	return free < 2*reserveBytes && missing != nil, free, nil
}

func reservePath(databasePath string) string { return databasePath + ".reserve" }

// takeOverReserve renames the file of a disk reserve that an earlier version created.
func (d *disk) takeOverReserve(databasePath string) {
	const formerSuffix = ".ballast"
	_ = os.Rename(databasePath+formerSuffix, d.path) // if this fails, a second file is created
}
