package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/store"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	first, err := store.Lock(t.Context(), path, "process 1, serving", 0)
	must(t, err)
	for _, patience := range []time.Duration{0, 50 * time.Millisecond} {
		_, err = store.Lock(t.Context(), path, "process 2", patience)
		if locked, ok := errors.AsType[store.ErrLocked](err); !ok || !strings.Contains(locked.Error(), "process 1, serving") {
			t.Fatalf("got %v", err)
		}
	}
	must(t, first.Release())
	second, err := store.Lock(t.Context(), path, "process 2", 0)
	must(t, err)
	must(t, second.Release())
}
