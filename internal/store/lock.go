package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/text"
)

// LockPatience is how long a server waits for another process to release the lock. It is
// long enough for a process that is stopping or migrating.
const LockPatience = 1500 * time.Millisecond

// ServingLock prevents other processes from serving or migrating the same SQLite file.
// The operating system releases it when the process ends, even after a crash.
type ServingLock struct{ lock *flock.Flock }

// ErrLocked is returned if another process holds the lock. Holder describes that process.
type ErrLocked struct{ Holder string }

func (e ErrLocked) Error() string {
	return fmt.Sprintf("another specterd uses this database: %s; stop that one first, or use another data directory for this one", e.Holder)
}

// Lock acquires the lock of an SQLite file and writes holder into the lock file. It must
// be called before any other access to the SQLite file. It returns ErrLocked if another
// process still holds the lock after patience.
func Lock(ctx context.Context, databasePath, holder string, patience time.Duration) (*ServingLock, error) {
	path := databasePath + ".lock"
	if err := privatefile.Ensure(path); err != nil {
		return nil, fmt.Errorf("create the lock %s: %w", path, err)
	}
	lock := flock.New(path, flock.SetFlag(privatefile.LockFlag))
	ok, err := lock.TryLock()
	if err == nil && !ok && patience > 0 {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		ok, err = lock.TryLockContext(ctx, 20*time.Millisecond)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), err == nil && !ok:
		return nil, ErrLocked{Holder: readHolder(path)}
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	_ = privatefile.WriteExisting(path, []byte(holder+"\n")) // the lock is held even if this fails because the disk is full
	return &ServingLock{lock: lock}, nil
}

// maxHolder is the maximum number of bytes that are read of the name of a holder.
const maxHolder = 256

func readHolder(path string) string {
	content, err := privatefile.ReadExisting(path, maxHolder)
	if holder := text.Escape(strings.TrimSpace(string(content))); err == nil && holder != "" {
		return holder
	}
	return "it does not say which"
}

// Release releases the lock.
func (l *ServingLock) Release() error { return l.lock.Unlock() }
