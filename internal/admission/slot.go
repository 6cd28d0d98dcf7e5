package admission

import (
	"context"
	"sync"
)

// Slot is a heavy request in progress. Its methods may be called concurrently.
type Slot struct {
	gate  *Gate
	leave func()
	mu    sync.Mutex
	held  bool
	left  bool // the request has ended, although one of its goroutines may still run
}

// Pause releases the slot until Resume, so that another request can work. It reports
// whether the request held a slot.
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

// Resume waits for a slot after a Pause. It does nothing if the request holds a slot or
// has ended, and returns ctx.Err() if ctx ends first.
func (s *Slot) Resume(ctx context.Context) error {
	if s.needsNone() {
		return nil
	}
	if err := s.gate.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held || s.left { // another goroutine of the request already holds a slot
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

// Leave releases the slot and the user's place. It must be called exactly once.
func (s *Slot) Leave() {
	s.mu.Lock()
	s.left = true
	s.mu.Unlock()
	s.Pause()
	s.leave()
}

type slotKey struct{}

// WithSlot returns a context that carries the slot of a request to [Idle].
func WithSlot(ctx context.Context, s *Slot) context.Context {
	return context.WithValue(ctx, slotKey{}, s)
}

// Idle calls wait, which must not use the processor, and releases the slot of the request
// until wait returns. It then waits for a slot, and returns the result of wait. If ctx ends
// before there is a slot, the request continues without one, because wait may have made a
// change that must be reported. If ctx carries no slot, Idle only calls wait. Code that
// waits for another request must do so in Idle: the other may need this request's slot.
func Idle(ctx context.Context, wait func() error) error {
	s, ok := ctx.Value(slotKey{}).(*Slot)
	if !ok || !s.Pause() {
		return wait()
	}
	err := wait()
	_ = s.Resume(ctx) // an error is ignored: the result of wait must be returned in any case
	return err
}
