package keymutex_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/keymutex"
)

// Run with -race, which sees two at once.
func TestTurns(t *testing.T) {
	t.Parallel()
	var turns keymutex.Turns
	counts := map[string]*int{"a": new(int), "b": new(int)}
	var wg sync.WaitGroup
	for key, n := range counts {
		for range 50 {
			wg.Go(func() {
				done, err := turns.Take(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				*n++
				done()
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

func TestTakeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	var turns keymutex.Turns
	done, err := turns.Take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := turns.Take(t.Context(), "b") // is another's
	if err != nil {
		t.Fatal(err)
	}
	other()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.Take(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	done()
	if done, err = turns.Take(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	done()
}
