package admission

import (
	"sync"

	"github.com/specterd/specterd/internal/fault"
)

// ErrTooManyStreams is returned if a user has too many open streams.
var ErrTooManyStreams = fault.New(fault.TooMany, "too_many_streams",
	"too many of your event streams and waiting requests are open; close some of them")

// Streams limits requests that wait for events, which may be open for hours and use nearly
// no processor time. Use [NewStreams].
type Streams struct {
	perUser, total int

	mu   sync.Mutex
	open int
	of   map[string]int // by user
}

// NewStreams returns a Streams with limits per user and in total.
func NewStreams(perUser, total int) *Streams {
	return &Streams{perUser: perUser, total: total, of: map[string]int{}}
}

// DefaultStreams returns a Streams with the default limits.
func DefaultStreams() *Streams { return NewStreams(100, 10_000) }

// Open counts a stream of a user until close is called. It returns ErrTooManyStreams or
// ErrBusy if there are too many.
func (s *Streams) Open(userID string) (closeStream func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.of[userID] >= s.perUser:
		return nil, ErrTooManyStreams
	case s.open >= s.total:
		return nil, ErrBusy
	}
	s.of[userID]++
	s.open++
	return sync.OnceFunc(func() { s.closeOne(userID) }), nil
}

func (s *Streams) closeOne(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.of[userID]--; s.of[userID] == 0 {
		delete(s.of, userID)
	}
}
