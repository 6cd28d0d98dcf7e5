package admission

import (
	"context"
	"sync"
)

// Slot is a heavy request in progress. Its methods may be called by several goroutines.
type Slot struct {
	gate  *Gate
	leave func()
	mu    sync.Mutex
	held  bool
	left  bool // the request has ended, though one of its goroutines may go on
}

// Pause lets another request work until Resume. It reports whether this one did.
func (s *Slot) Pause() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.held {
		return false
	}
	s.held = false
	s.gate.slots.Release(1)
	return true
}

// Resume waits until the request may go on after a Pause. It returns ctx.Err().
func (s *Slot) Resume(ctx context.Context) error {
	if s.needsNone() {
		return nil
	}
	if err := s.gate.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held || s.left { // another goroutine of the request was faster
		s.gate.slots.Release(1)
		return nil
	}
	s.held = true
	return nil
}

func (s *Slot) needsNone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held || s.left
}

// Leave ends the request. It is called once.
func (s *Slot) Leave() {
	s.mu.Lock()
	s.left = true
	s.mu.Unlock()
	s.Pause()
	s.leave()
}

type slotKey struct{}

// WithSlot returns a context with the slot of its request, for [Idle].
func WithSlot(ctx context.Context, s *Slot) context.Context {
	return context.WithValue(ctx, slotKey{}, s)
}

// Idle calls wait, which does not use the processor, and lets another request work
// meanwhile. It returns what wait returned, also if ctx ends before the request may go
// on: then it goes on, because what it waited for has been done. If the request is not a
// heavy one, Idle only calls wait. Whatever waits for another request must be called by
// Idle: a slot that is held meanwhile may be what the other needs to go on.
func Idle(ctx context.Context, wait func() error) error {
	s, ok := ctx.Value(slotKey{}).(*Slot)
	if !ok || !s.Pause() {
		return wait()
	}
	err := wait()
	_ = s.Resume(ctx) // see above
	return err
}
