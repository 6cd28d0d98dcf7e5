// Package admission limits the work that requests do at the same time, so that light
// requests are answered quickly beside heavy ones. It knows no HTTP.
//
// A heavy request holds one of its user's places for as long as it takes, and one of the
// server's slots while it uses the processor: not while it waits for the node, for
// another request, or for a client that reads slowly. Bodies are limited in bytes, for
// each user and in all, before any of them is read. The invariant: what is in memory for
// the requests of a user is bounded by these limits, however many the user sends.
package admission

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/specterd/specterd/internal/fault"
)

// Why a request is not admitted.
var (
	// ErrTooMany is returned if the user has too many heavy requests in progress.
	ErrTooMany = fault.New(fault.TooMany, "too_many_requests",
		"too many of your requests are in progress; try again when one of them has ended").WithRetryAfter(time.Second)
	// ErrBusy is returned if all users together have too many.
	ErrBusy = fault.New(fault.Unavailable, "server_busy", "too many requests are in progress; try again shortly").WithRetryAfter(2 * time.Second)
)

// Limits are the limits of a [Gate]. Bytes are counted of bodies in memory.
type Limits struct {
	Slots     int           // heavy requests that use the processor at the same time
	PerUser   int           // heavy requests of one user in progress, of each Kind
	Waiting   int           // heavy requests of one user that wait for one of these to end
	UserBytes int64         // of one user
	Bytes     int64         // of all users, without small bodies
	Patience  time.Duration // the longest that a request waits before it is refused
}

// SmallBody is how many bytes a body may have without counting towards Limits.Bytes, so
// that large ones of some users do not hold up small ones of others.
const SmallBody = 64 << 10

// DefaultLimits leaves a processor for light requests, if there are several.
func DefaultLimits() Limits {
	return Limits{
		Slots: max(1, runtime.GOMAXPROCS(0)-1), PerUser: 2, Waiting: 16,
		UserBytes: 32 << 20, Bytes: 96 << 20, Patience: 5 * time.Second,
	}
}

// Kind is a kind of heavy request. Each kind is counted separately.
type Kind uint8

// The kinds. Streams may take as long as their client reads.
const (
	Work Kind = iota
	Stream
	kinds
)

// Gate admits requests. Use [New].
type Gate struct {
	limits Limits
	slots  *semaphore.Weighted
	bytes  *semaphore.Weighted
	mu     sync.Mutex
	users  map[string]*user
}

// user is what one user has in progress.
type user struct {
	here    int // requests that have or want something of it
	bytes   *semaphore.Weighted
	places  [kinds]*semaphore.Weighted
	waiting [kinds]int
}

// New returns a Gate.
func New(l Limits) *Gate {
	return &Gate{limits: l, slots: semaphore.NewWeighted(int64(l.Slots)), bytes: semaphore.NewWeighted(l.Bytes), users: map[string]*user{}}
}

// Buffer waits until there is room for a body of n bytes. The caller calls release when
// the body has left memory. It returns ErrTooMany, ErrBusy and ctx.Err().
func (g *Gate) Buffer(ctx context.Context, userID string, n int64) (release func(), err error) {
	u := g.join(userID)
	ofUser := min(n, g.limits.UserBytes)
	if err := g.acquire(ctx, u.bytes, ofUser, ErrTooMany); err != nil {
		g.leave(userID, u)
		return nil, err
	}
	ofAll := min(n, g.limits.Bytes)
	if n <= SmallBody {
		ofAll = 0
	}
	if err := g.acquire(ctx, g.bytes, ofAll, ErrBusy); err != nil {
		u.bytes.Release(ofUser)
		g.leave(userID, u)
		return nil, err
	}
	return func() {
		g.bytes.Release(ofAll)
		u.bytes.Release(ofUser)
		g.leave(userID, u)
	}, nil
}

// Enter waits until a heavy request may begin. The caller calls Leave when it has ended.
// It returns ErrTooMany, ErrBusy and ctx.Err().
func (g *Gate) Enter(ctx context.Context, userID string, kind Kind) (*Slot, error) {
	u := g.join(userID)
	if err := g.takePlace(ctx, u, kind); err != nil {
		g.leave(userID, u)
		return nil, err
	}
	s := &Slot{gate: g, leave: func() {
		u.places[kind].Release(1)
		g.leave(userID, u)
	}}
	if err := g.acquire(ctx, g.slots, 1, ErrBusy); err != nil {
		s.leave()
		return nil, err
	}
	s.held = true
	return s, nil
}

// takePlace waits for one of the user's places, unless too many wait for one already.
func (g *Gate) takePlace(ctx context.Context, u *user, kind Kind) error {
	if u.places[kind].TryAcquire(1) {
		return nil
	}
	if !g.queue(u, kind) {
		return ErrTooMany
	}
	defer g.dequeue(u, kind)
	return g.acquire(ctx, u.places[kind], 1, ErrTooMany)
}

func (g *Gate) queue(u *user, kind Kind) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if u.waiting[kind] >= g.limits.Waiting {
		return false
	}
	u.waiting[kind]++
	return true
}

func (g *Gate) dequeue(u *user, kind Kind) {
	g.mu.Lock()
	defer g.mu.Unlock()
	u.waiting[kind]--
}

// acquire waits its turn, for Patience at most, and then returns refusal.
func (g *Gate) acquire(ctx context.Context, s *semaphore.Weighted, n int64, refusal error) error {
	patient, cancel := context.WithTimeout(ctx, g.limits.Patience)
	defer cancel()
	err := s.Acquire(patient, n)
	if err != nil && ctx.Err() == nil {
		return refusal
	}
	return err
}

func (g *Gate) join(userID string) *user {
	g.mu.Lock()
	defer g.mu.Unlock()
	u, ok := g.users[userID]
	if !ok {
		u = &user{bytes: semaphore.NewWeighted(g.limits.UserBytes)}
		for kind := range u.places {
			u.places[kind] = semaphore.NewWeighted(int64(g.limits.PerUser))
		}
		g.users[userID] = u
	}
	u.here++
	return u
}

func (g *Gate) leave(userID string, u *user) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if u.here--; u.here == 0 {
		delete(g.users, userID)
	}
}
