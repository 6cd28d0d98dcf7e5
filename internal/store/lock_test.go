package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	first, err := store.Lock(t.Context(), path, "process 1, serving", 0)
	testkit.Check(t, err)
	for _, patience := range []time.Duration{0, 50 * time.Millisecond} {
		_, err = store.Lock(t.Context(), path, "process 2", patience)
		if locked, ok := errors.AsType[store.ErrLocked](err); !ok || !strings.Contains(locked.Error(), "process 1, serving") {
			t.Fatalf("got %v", err)
		}
	}
	testkit.Check(t, first.Release())
	second, err := store.Lock(t.Context(), path, "process 2", 0)
	testkit.Check(t, err)
	testkit.Check(t, second.Release())
}

// TestLock_Link checks that no file is opened or created through a symbolic link in the place of
// the lock file.
func TestLock_Link(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "x.db"), filepath.Join(dir, "target")
	testkit.Check(t, os.Symlink(target, path+".lock"))
	for _, exists := range []bool{false, true} {
		if exists {
			testkit.Check(t, os.WriteFile(target, nil, 0o600))
		}
		if lock, err := store.Lock(t.Context(), path, "process 1", 0); err == nil {
			t.Errorf("a lock through a link, whose target exists: %t", exists)
			testkit.Check(t, lock.Release())
		}
		if _, err := os.Lstat(target); (err == nil) != exists {
			t.Errorf("the target exists: %t", err == nil)
		}
	}
}
