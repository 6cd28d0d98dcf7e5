package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// patience is how long the tests wait for a condition.
const patience = 30 * time.Second

func TestLead_SingleProcess(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		for range 2 {
			lost, release, err := b.Lead(t.Context())
			testkit.Check(t, err)
			select {
			case <-lost:
				t.Error("lost at once")
			default:
			}
			release()
			release() // has no effect
		}
	})
}

// TestLead_OneProcess checks that only one process holds the indexer lock, that another
// one gets it when the first releases it or loses its connection, and that losing the
// connection closes the channel lost.
func TestLead_OneProcess(t *testing.T) {
	b := openPostgres(t)
	second := b.reopen()
	lost, release, err := b.Lead(t.Context())
	testkit.Check(t, err)

	short, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if _, _, err := second.Lead(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the second, while the first leads: %v", err)
	}

	type turn struct {
		lost    <-chan struct{}
		release func()
		err     error
	}
	turns := make(chan turn)
	next := func() {
		lost, release, err := second.Lead(t.Context())
		turns <- turn{lost, release, err}
	}
	go next()
	release()
	led := <-turns
	testkit.Check(t, led.err)
	select {
	case <-lost:
		t.Error("who let go has lost nothing")
	case <-led.lost:
		t.Error("the second lost it at once")
	default:
	}

	b.exec("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
	select {
	case <-led.lost:
	case <-time.After(patience):
		t.Fatal("the connection was lost without closing led.lost")
	}
	led.release()

	// The lock is kept if the context of the caller ends.
	ctx, end := context.WithCancel(t.Context())
	_, release, err = b.Lead(ctx)
	testkit.Check(t, err)
	end()
	go next()
	select {
	case <-turns:
		t.Fatal("two lead")
	case <-time.After(1500 * time.Millisecond):
	}
	release()
	led = <-turns
	testkit.Check(t, led.err)
	led.release()
}
