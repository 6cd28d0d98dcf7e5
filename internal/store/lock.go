package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// lockPatience is how long a process waits for another to let go of the lock:
// long enough for one that is stopping or migrating.
const lockPatience = 1500 * time.Millisecond

// ServingLock keeps other processes from serving or migrating the same SQLite
// file. The system releases it when the process ends, however that happens.
type ServingLock struct{ lock *flock.Flock }

// ErrLocked is returned when another process has the lock; its text says which.
type ErrLocked struct{ Holder string }

func (e ErrLocked) Error() string {
	return fmt.Sprintf("another specterd uses this database: %s; stop that one first, or give this one a data folder of its own", e.Holder)
}

// LockForServing takes the lock on an SQLite file before anything else touches
// it, and names itself in it as holder. It returns ErrLocked within 2 s where
// another process has it.
func LockForServing(ctx context.Context, databasePath, holder string) (*ServingLock, error) {
	path := databasePath + ".lock"
	lock := flock.New(path, flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	ok, err := lock.TryLockContext(ctx, 50*time.Millisecond)
	if errors.Is(err, context.DeadlineExceeded) || (err == nil && !ok) {
		return nil, ErrLocked{Holder: readHolder(path)}
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(holder+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, firstError(err, lock.Unlock()))
	}
	return &ServingLock{lock: lock}, nil
}

func readHolder(path string) string {
	text, err := os.ReadFile(path) //nolint:gosec // beside the operator's database
	if holder := strings.TrimSpace(string(text)); err == nil && holder != "" {
		return holder
	}
	return "it does not say which"
}

// Release lets go of the lock.
func (l *ServingLock) Release() error { return l.lock.Unlock() }
