package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// TestQueue_IsBounded checks that at most 12 passwords from one address and 48 in total
// wait, and that further ones are rejected with a Retry-After.
func TestQueue_IsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		leave, err := g.enter(t.Context(), "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		wait := func(address string) {
			waiting.Go(func() {
				leave, err := g.enter(t.Context(), address)
				if err != nil {
					t.Errorf("%s: %v", address, err)
					return
				}
				leave()
			})
			synctest.Wait()
		}
		refused := func(address string) {
			t.Helper()
			_, err := g.enter(t.Context(), address)
			f, ok := errors.AsType[*fault.Error](err)
			if !errors.Is(err, ErrBusy) || !ok || f.Kind != fault.TooMany || f.RetryAfter <= 0 {
				t.Errorf("%s: %v", address, err)
			}
		}
		for range maxWaitingOfOrigin {
			wait("2001:db8::1")
		}
		refused("2001:db8::1")
		refused("2001:db8::ffff") // in the same /64
		for i := range maxWaiting - maxWaitingOfOrigin {
			wait(fmt.Sprintf("198.51.100.%d", i))
		}
		refused("203.0.113.1")

		leave()
		waiting.Wait()
		if leave, err = g.enter(t.Context(), "2001:db8::1"); err != nil {
			t.Fatalf("after the queue was emptied: %v", err)
		}
		leave()
		if len(g.waiting) != 0 || g.total != 0 {
			t.Errorf("%v, %d still count", g.waiting, g.total)
		}
	})
}

// TestQueue_CanceledWaiterFreesSlot checks that a caller who stops waiting leaves the
// queue.
func TestQueue_CanceledWaiterFreesSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		leave, err := g.enter(t.Context(), "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 * maxWaitingOfOrigin {
			if _, err := g.enter(ctx, "192.0.2.1"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%v", err)
			}
			if g.total != 0 {
				t.Fatalf("%d still wait", g.total)
			}
		}
		leave()
	})
}

// TestQueue_AppliesToNewPasswords checks that hashing a new password waits in the same
// queue as comparing one.
func TestQueue_AppliesToNewPasswords(t *testing.T) {
	t.Parallel()
	p, err := NewPasswords(4, 1)
	if err != nil {
		t.Fatal(err)
	}
	leave, err := p.gate.enter(t.Context(), "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	p.gate.total = maxWaiting
	if _, err := p.hashNew(t.Context(), "192.0.2.2", "correct horse"); !errors.Is(err, ErrBusy) {
		t.Errorf("hash: %v", err)
	}
	if _, err := p.matches(t.Context(), "192.0.2.2", "", "correct horse", func() error { return nil }); !errors.Is(err, ErrBusy) {
		t.Errorf("compare: %v", err)
	}
}

// TestQueue_AdmitsAgain checks that a password that waited in the queue is not compared if logins
// were refused meanwhile, even if it is right.
func TestQueue_AdmitsAgain(t *testing.T) {
	t.Parallel()
	p, err := NewPasswords(4, 1)
	if err != nil {
		t.Fatal(err)
	}
	hashed, err := p.hash(t.Context(), "192.0.2.1", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []error{nil, ErrTooManyFailures} {
		good, err := p.matches(t.Context(), "192.0.2.1", hashed, "correct horse", func() error { return want })
		if !errors.Is(err, want) || good != (want == nil) {
			t.Errorf("%t, %v, want %v", good, err, want)
		}
	}
}
