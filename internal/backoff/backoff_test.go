package backoff_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/specterd/specterd/internal/backoff"
)

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backoff.New(10*time.Millisecond, 50*time.Millisecond)
		for range 100 {
			for _, delay := range []time.Duration{10, 20, 40, 50, 50} {
				delay *= time.Millisecond
				start := time.Now()
				if err := b.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took < delay/2 || took >= delay*3/2 {
					t.Errorf("waited %v, want %v within 50 %%", took, delay)
				}
			}
			b.Reset()
		}
	})
}

func TestWait_ContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := backoff.New(time.Hour, time.Hour).Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the error of the context", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("waited %v, want 1s", took)
		}
	})
}
