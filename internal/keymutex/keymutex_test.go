package keymutex_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/keymutex"
)

// TestMutex checks mutual exclusion per key: the race detector would report
// concurrent increments.
func TestMutex(t *testing.T) {
	t.Parallel()
	var mutex keymutex.Mutex
	counts := map[string]*int{"a": new(int), "b": new(int)}
	var wg sync.WaitGroup
	for key, n := range counts {
		for range 50 {
			wg.Go(func() {
				unlock, err := mutex.Lock(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				*n++
				unlock()
			})
		}
	}
	wg.Wait()
	for key, n := range counts {
		if *n != 50 {
			t.Errorf("%s: %d", key, *n)
		}
	}
}

func TestMutex_LockEndsWithContext(t *testing.T) {
	t.Parallel()
	var mutex keymutex.Mutex
	unlock, err := mutex.Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := mutex.Lock(t.Context(), "b") // independent of a
	if err != nil {
		t.Fatal(err)
	}
	other()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mutex.Lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	unlock()
	if unlock, err = mutex.Lock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	unlock()
}
