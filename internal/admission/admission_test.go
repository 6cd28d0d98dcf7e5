package admission_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/specterd/specterd/internal/admission"
)

var limits = admission.Limits{Slots: 1, PerUser: 2, Waiting: 1, UserBytes: 100 << 10, Bytes: 150 << 10, Patience: 5 * time.Second}

// TestEnter_OneUser checks that a user's third heavy request waits, and that the fourth
// is refused immediately.
func TestEnter_OneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(limits)
		first := enter(t, g, "alice")
		second := begin(g, "alice") // has a place and waits for the slot
		third := begin(g, "alice")
		wantErr(t, must(g.Enter(t.Context(), "alice", admission.Work)), admission.ErrTooMany)
		first.Pause() // the second gets the slot; the third still has no place
		synctest.Wait()
		wantErr(t, <-second, nil)
		first.Leave()
		wantErr(t, <-third, admission.ErrBusy) // it got the place of the first request, but no slot in time
	})
}

// TestEnter_ManyUsers checks that the waiting requests of one user do not block another
// user, and that a request that gets no slot in time returns ErrBusy.
func TestEnter_ManyUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(limits)
		first := enter(t, g, "alice")
		second, third := begin(g, "alice"), begin(g, "alice")
		bob := begin(g, "bob")
		first.Leave()
		(<-second).slot.Leave()
		(<-bob).slot.Leave() // bob's request is admitted before alice's third, which was sent earlier
		(<-third).slot.Leave()
		enter(t, g, "carol")
		wantErr(t, must(g.Enter(t.Context(), "bob", admission.Work)), admission.ErrBusy)
	})
}

// TestSlot_Idle checks that a request releases its slot while it waits, gets a slot again
// afterwards, and returns the result of the wait even if its context ended meanwhile.
func TestSlot_Idle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(limits)
		first := enter(t, g, "alice")
		ctx := admission.WithSlot(t.Context(), first)
		failure := errors.New("refused")
		err := admission.Idle(ctx, func() error {
			enter(t, g, "bob").Leave()
			return failure
		})
		if !errors.Is(err, failure) {
			t.Error(err)
		}
		wantErr(t, must(g.Enter(t.Context(), "bob", admission.Work)), admission.ErrBusy)
		gone, cancel := context.WithCancel(ctx)
		err = admission.Idle(gone, func() error {
			enter(t, g, "bob")
			cancel()
			return nil
		})
		if err != nil {
			t.Errorf("the result of the work is reported as %v", err)
		}
		first.Leave()
	})
}

// TestSlot_AfterTheEnd checks that a goroutine that outlives its request does not keep a
// slot.
func TestSlot_AfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(limits)
		first := enter(t, g, "alice")
		if err := admission.Idle(admission.WithSlot(t.Context(), first), func() error { first.Leave(); return nil }); err != nil {
			t.Error(err)
		}
		enter(t, g, "bob").Leave()
		second := enter(t, g, "bob")
		second.Pause()
		third := enter(t, g, "alice")
		late := make(chan error)
		go func() { late <- second.Resume(context.Background()) }()
		synctest.Wait()
		second.Leave()
		third.Leave()
		if err := <-late; err != nil {
			t.Error(err)
		}
		enter(t, g, "bob").Leave()
	})
}

// TestBuffer checks that a body waits for memory, that large bodies of one user do not
// block small bodies of another, and that each Kind of heavy request has its own limit.
func TestBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := admission.New(limits)
		buffer := func(user string, n int64) (func(), error) { return g.Buffer(t.Context(), user, n) }
		alice, err := buffer("alice", 1<<40) // counted as UserBytes
		if err != nil {
			t.Fatal(err)
		}
		if _, err := buffer("alice", 1); !errors.Is(err, admission.ErrTooMany) {
			t.Errorf("one more byte of alice: %v", err)
		}
		if _, err := buffer("bob", 80<<10); !errors.Is(err, admission.ErrBusy) {
			t.Errorf("a large body of bob: %v", err)
		}
		for range 2 {
			if _, err := buffer("bob", 40<<10); err != nil {
				t.Errorf("a small body of bob: %v", err)
			}
		}
		alice()
		if _, err := buffer("carol", 80<<10); err != nil {
			t.Errorf("a large body of carol: %v", err)
		}
		for kind := range admission.Kind(2) {
			for range limits.PerUser {
				slot, err := g.Enter(t.Context(), "alice", kind)
				if err != nil {
					t.Fatal(err)
				}
				slot.Pause()
			}
		}
	})
}

// TestPatience checks that a request waits exactly as long as Patience allows, for each
// of the limits.
func TestPatience(t *testing.T) {
	for name, wait := range map[string]func(ctx context.Context, g *admission.Gate) error{
		"a place": func(ctx context.Context, g *admission.Gate) error {
			return must(g.Enter(ctx, "alice", admission.Work)).err
		},
		"a slot": func(ctx context.Context, g *admission.Gate) error {
			return must(g.Enter(ctx, "bob", admission.Work)).err
		},
		"the memory of a user":     func(ctx context.Context, g *admission.Gate) error { _, err := g.Buffer(ctx, "alice", 1); return err },
		"the memory of the server": func(ctx context.Context, g *admission.Gate) error { _, err := g.Buffer(ctx, "bob", 80<<10); return err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := admission.New(limits)
				enter(t, g, "alice").Pause()
				enter(t, g, "alice")
				if _, err := g.Buffer(t.Context(), "alice", limits.UserBytes); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				err := wait(t.Context(), g)
				if waited := time.Since(begin); err == nil || waited != limits.Patience {
					t.Errorf("waited for %v, and then got %v", waited, err)
				}
			})
		})
	}
}

// entered is the result of Enter.
type entered struct {
	slot *admission.Slot
	err  error
}

func must(slot *admission.Slot, err error) entered { return entered{slot, err} }

func begin(g *admission.Gate, user string) <-chan entered {
	done := make(chan entered, 1)
	go func() { done <- must(g.Enter(context.Background(), user, admission.Work)) }()
	synctest.Wait() // until Enter has returned or waits
	return done
}

func enter(t *testing.T, g *admission.Gate, user string) *admission.Slot {
	t.Helper()
	slot, err := g.Enter(t.Context(), user, admission.Work)
	if err != nil {
		t.Fatal(err)
	}
	return slot
}

func wantErr(t *testing.T, got entered, want error) {
	t.Helper()
	if !errors.Is(got.err, want) {
		t.Errorf("got %v, want %v", got.err, want)
	}
}
