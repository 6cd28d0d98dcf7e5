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

// ballastBytes is the room that is kept for revocation on a full disk: some
// hundred deletions of tokens, and as many thousand once the write-ahead log was
// brought into the database.
const ballastBytes = 1 << 20

// ballastEvery is how often the disk is looked at.
const ballastEvery = time.Second

// ErrDiskFull is returned for what would take room on a disk that has none.
var ErrDiskFull = fault.New(fault.Unavailable, "disk_full",
	"the disk with the database is full, and what room is left is kept for revoking access; nothing was changed. Make room, and specterd goes on by itself").After(10 * time.Second)

// errNotWritable is for those who watch over the process: whoever wants to write is
// told ErrUnavailable.
var errNotWritable = fault.New(fault.Unavailable, "database_not_writable",
	"the database cannot be written to; look at specterd's log, and whether the disk was mounted read-only")

// disk is what is known of the disk that an SQLite database is on, and a file there
// that takes room until that is needed: where a write finds the disk full, the file
// is deleted, and until it can be made again only what takes access away is written.
type disk struct {
	path string // of the ballast; empty where somebody else looks after the disk
	log  *slog.Logger
	// trouble is what is wrong with the disk; nil while nothing is.
	trouble atomic.Pointer[fault.Error]
}

// mind notes what a write says about the disk. It reports whether room was made.
func (d *disk) mind(ctx context.Context, err error) (released bool) {
	if d.path == "" {
		return false
	}
	if isFull(err) {
		released = os.Remove(d.path) == nil
		if d.trouble.Swap(ErrDiskFull) != ErrDiskFull {
			d.log.ErrorContext(ctx, "the disk is full; nothing is written any more but what takes access away. Make room, and specterd goes on by itself", "error", err)
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

// isFull reports whether an error says that the disk is full. The last of the files
// beside the database that it takes room for is the one that its processes share.
func isFull(err error) bool {
	return primaryCode(err) == sqlite3.SQLITE_FULL || sqliteCode(err) == sqlite3.SQLITE_IOERR_SHMSIZE
}

// KeepBallast tends the disk until ctx ends.
func (s *Store) KeepBallast(ctx context.Context) {
	tick := time.NewTicker(ballastEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.TendDisk(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// TendDisk makes the ballast where there is none and room for it, and finds out
// whether what was wrong with the disk is over.
func (s *Store) TendDisk(ctx context.Context) {
	if s.disk.path == "" {
		return
	}
	switch err := s.disk.makeBallast(); {
	case errors.Is(err, syscall.ENOSPC):
		if s.disk.trouble.Swap(ErrDiskFull) != ErrDiskFull {
			s.log.ErrorContext(ctx, "the disk is nearly full; nothing is written any more but what takes access away. Make room, and specterd goes on by itself")
		}
		s.shortenLog(ctx)
	case s.disk.trouble.Load() != nil && s.tryDisk(ctx) == nil:
		s.disk.trouble.Store(nil)
		s.log.InfoContext(ctx, "the database can be written to again")
	}
}

// tryDisk writes what is there already.
func (s *Store) tryDisk(ctx context.Context) error {
	return s.attempt(ctx, func(q *db.Queries) error { return q.TouchSettings(ctx) })
}

// shortenLog brings the write-ahead log into the database, as far as no reader needs
// it, so that it begins anew and takes no further room.
func (s *Store) shortenLog(ctx context.Context) {
	_, _ = s.rw.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)") // the next time, perhaps
}

// makeBallast makes the ballast if it is missing. It returns ENOSPC unless there is
// room for two of them: else it would be made of the room that it was deleted for.
func (d *disk) makeBallast() error {
	if _, err := os.Stat(d.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	free, err := freeSpace(filepath.Dir(d.path))
	if err != nil {
		return err
	}
	if free < 2*ballastBytes {
		return syscall.ENOSPC
	}
	return privatefile.Replace(d.path, func(out io.Writer) error {
		_, err := io.CopyN(out, rand.NewChaCha8([32]byte{}), ballastBytes) // which no file system can compress
		return err
	})
}

// freeSpace returns how many bytes can be written to the file system of a folder.
func freeSpace(folder string) (uint64, error) {
	var at syscall.Statfs_t
	if err := syscall.Statfs(folder, &at); err != nil {
		return 0, fmt.Errorf("look how full the disk is: %w", err)
	}
	return uint64(at.Bavail) * uint64(at.Bsize), nil //nolint:gosec,unconvert,nolintlint // the types differ between systems
}

// IsNearlyFull reports whether an SQLite database at this path has so little room
// that a server would refuse to write, and how many bytes there are.
func IsNearlyFull(databasePath string) (full bool, free uint64, err error) {
	free, err = freeSpace(filepath.Dir(databasePath))
	if err != nil {
		return false, 0, err
	}
	_, missing := os.Stat(ballastPath(databasePath))
	return free < 2*ballastBytes && missing != nil, free, nil
}

func ballastPath(databasePath string) string { return databasePath + ".ballast" }
