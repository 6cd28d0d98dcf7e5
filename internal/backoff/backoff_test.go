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

func TestRetry(t *testing.T) {
	temporary, permanent := errors.New("temporary"), errors.New("permanent")
	isTemporary := func(err error) bool { return errors.Is(err, temporary) }
	for name, c := range map[string]struct {
		results  []error // of the attempts
		attempts int
	}{
		"success":                 {[]error{nil}, 1},
		"success after failures":  {[]error{temporary, temporary, nil}, 3},
		"permanent error":         {[]error{temporary, permanent, nil}, 2},
		"too many failures":       {[]error{temporary, temporary, temporary, temporary, nil}, 4},
		"success at last attempt": {[]error{temporary, temporary, temporary, nil}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				last := 0
				err := backoff.New(time.Second, time.Minute).Retry(t.Context(), 4, isTemporary, func(attempt int) error {
					if last++; attempt != last {
						t.Errorf("attempt %d has the number %d", last, attempt)
					}
					return c.results[attempt-1]
				})
				if want := c.results[c.attempts-1]; last != c.attempts || !errors.Is(err, want) {
					t.Errorf("%d attempts, and %v; want %d and %v", last, err, c.attempts, want)
				}
			})
		})
	}
}

// TestRetry_ContextEnds checks that Retry stops during a delay, and returns the error of the
// operation.
func TestRetry_ContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failed, attempts := errors.New("failed"), 0
		err := backoff.New(time.Hour, time.Hour).Retry(ctx, 4, func(error) bool { return true }, func(int) error { attempts++; return failed })
		if !errors.Is(err, failed) || attempts != 1 {
			t.Errorf("%d attempts, and %v", attempts, err)
		}
	})
}
