package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// takesLease checks whether a holder gets a lease.
func takesLease(t testing.TB, s *store.Store, name, holder string, now, until time.Time, want bool) {
	t.Helper()
	taken, err := s.TakeLease(t.Context(), name, holder, now, until)
	testkit.Check(t, err)
	if taken != want {
		t.Errorf("%s takes %s at %v: %v, want %v", holder, name, now, taken, want)
	}
}

// TestLease checks with two processes that a lease excludes the other one until it ends or is
// released, and that only its holder can renew or release it.
func TestLease(t *testing.T) {
	onBothEngines(t, func(t *testing.T, a *fixture) {
		b := a.reopen()
		now := a.now
		end := now.Add(time.Minute)
		takesLease(t, a.Store, "work", "a", now, end, true)
		takesLease(t, b, "work", "b", now, end, false)
		takesLease(t, b, "other work", "b", now, end, true)
		takesLease(t, b, "work", "b", end.Add(-time.Microsecond), end.Add(time.Hour), false)

		takesLease(t, a.Store, "work", "a", now.Add(time.Second), end.Add(time.Second), true) // renewed
		takesLease(t, b, "work", "b", end, end.Add(time.Minute), false)
		takesLease(t, b, "work", "b", end.Add(time.Second), end.Add(time.Minute), true) // taken over
		takesLease(t, a.Store, "work", "a", end.Add(2*time.Second), end.Add(time.Minute), false)

		testkit.Check(t, a.ReleaseLease(t.Context(), "work", "a")) // not its own
		takesLease(t, a.Store, "work", "a", end.Add(3*time.Second), end.Add(time.Minute), false)
		testkit.Check(t, b.ReleaseLease(t.Context(), "work", "b"))
		takesLease(t, a.Store, "work", "a", end.Add(3*time.Second), end.Add(time.Minute), true)
		takesLease(t, b, "other work", "a", now, end, false) // unaffected
	})
}

// TestLease_WrongClock checks that a lease is taken over if its holder's clock was far
// ahead.
func TestLease_WrongClock(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		until := b.now.Add(time.Minute)
		takesLease(t, b.Store, "work", "a", b.now.Add(clock.Jump), until.Add(clock.Jump), true)
		takesLease(t, b.Store, "work", "b", b.now, until, false)
		takesLease(t, b.Store, "work", "a", b.now.Add(clock.Jump), until.Add(clock.Jump+time.Microsecond), true)
		takesLease(t, b.Store, "work", "b", b.now, until, true)
	})
}

// TestLease_Concurrent checks that, of many holders in two processes that take, renew and
// release a lease at the same time, their terms never overlap, and that it changes hands
// when it ends and when it is released.
func TestLease_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, a *fixture) {
		processes := []*store.Store{a.Store, a.reopen()}
		const holders, rounds, length = 12, 25, 30
		// The time is a counter that each call of a holder advances.
		var ticks atomic.Int64
		at := func(tick int64) time.Time { return a.now.Add(time.Duration(tick) * time.Second) }
		type term struct{ from, to int64 }
		terms := make([][]term, holders) // in which a holder had the lease for certain
		var running sync.WaitGroup
		for i := range holders {
			running.Go(func() {
				name, p := fmt.Sprint("holder ", i), processes[i%len(processes)]
				for range rounds {
					now := ticks.Add(1)
					taken, err := p.TakeLease(t.Context(), "work", name, at(now), at(now+length))
					if err != nil {
						t.Error(err)
						return
					}
					if !taken {
						continue
					}
					terms[i] = append(terms[i], term{ticks.Add(1), now + length})
					if rand.IntN(3) > 0 {
						continue
					}
					released := ticks.Add(1)
					for k := range terms[i] {
						terms[i][k].to = min(terms[i][k].to, released)
					}
					if err := p.ReleaseLease(t.Context(), "work", name); err != nil {
						t.Error(err)
					}
				}
			})
		}
		running.Wait()
		had, sure := 0, 0
		for i, mine := range terms {
			had += min(1, len(mine))
			for _, m := range mine {
				if m.from < m.to {
					sure++
				}
				for j, others := range terms[:i] {
					for _, o := range others {
						if max(m.from, o.from) < min(m.to, o.to) {
							t.Errorf("holder %d has the lease in %v and holder %d in %v", i, m, j, o)
						}
					}
				}
			}
		}
		if had < 3 || sure < 10 {
			t.Errorf("%d holders had the lease, in %d terms", had, sure)
		}
	})
}
