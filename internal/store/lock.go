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

// LockPatience is how long a process should wait for another to let go of the
// lock: long enough for one that is stopping or migrating.
const LockPatience = 1500 * time.Millisecond

// ServingLock keeps other processes from serving or migrating the same SQLite
// file. The system releases it when the process ends, however that happens.
type ServingLock struct{ lock *flock.Flock }

// ErrLocked is returned when another process has the lock; its text says which.
type ErrLocked struct{ Holder string }

func (e ErrLocked) Error() string {
	return fmt.Sprintf("another specterd uses this database: %s; stop that one first, or give this one a data folder of its own", e.Holder)
}

// Lock takes the lock on an SQLite file, before anything else touches the file,
// and names holder in it. It returns ErrLocked where another process still has
// the lock when patience is over.
func Lock(ctx context.Context, databasePath, holder string, patience time.Duration) (*ServingLock, error) {
	path := databasePath + ".lock"
	if err := privatefile.Ensure(path); err != nil {
		return nil, fmt.Errorf("create the lock: %w", err)
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
	_ = privatefile.WriteExisting(path, []byte(holder+"\n")) // a full disk is no reason not to start: the lock is held
	return &ServingLock{lock: lock}, nil
}

// maxHolder is longer than what Lock is given as a holder.
const maxHolder = 256

func readHolder(path string) string {
	content, err := privatefile.ReadExisting(path, maxHolder)
	if holder := text.Escape(strings.TrimSpace(string(content))); err == nil && holder != "" {
		return holder
	}
	return "it does not say which"
}

// Release lets go of the lock.
func (l *ServingLock) Release() error { return l.lock.Unlock() }
