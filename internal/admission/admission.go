// Package admission limits concurrent requests, so that heavy requests do not delay light
// ones. It does not depend on HTTP.
//
// A heavy request holds one of its user's places until it ends, and one of the server's
// slots while it uses the processor. It releases the slot while it waits for the node, for
// another request, or for a client that reads slowly. The size of a request body is
// reserved, per user and in total, before the body is read. Invariant: these limits bound
// the memory for the bodies of one user, regardless of the number of requests.
package admission

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/specterd/specterd/internal/fault"
)

// Errors for requests that are not admitted.
var (
	// ErrTooMany is returned if the requests in progress of one user exceed a limit per user.
	ErrTooMany = fault.New(fault.TooMany, "too_many_requests",
		"too many of your requests are in progress; try again when one of them has ended").WithRetryAfter(time.Second)
	// ErrBusy is returned if the requests of all users together exceed a limit of the server.
	ErrBusy = fault.New(fault.Unavailable, "server_busy", "too many requests are in progress; try again shortly").WithRetryAfter(2 * time.Second)
)

// Limits are the limits of a [Gate]. The limits in bytes apply to request bodies in memory.
type Limits struct {
	Slots     int           // heavy requests that use the processor at the same time
	PerUser   int           // places of one user: heavy requests in progress, for each Kind
	Waiting   int           // heavy requests of one user that wait for a place, for each Kind
	UserBytes int64         // bodies of one user
	Bytes     int64         // bodies of all users that are larger than SmallBody
	Patience  time.Duration // maximum time that a request waits for each of these
}

// SmallBody is the maximum size, in bytes, of a body that does not count towards
// Limits.Bytes, so that large bodies of some users do not block small bodies of others.
const SmallBody = 64 << 10

// DefaultLimits returns the default limits. They leave one processor to light requests if
// there is more than one.
func DefaultLimits() Limits {
	return Limits{
		Slots: max(1, runtime.GOMAXPROCS(0)-1), PerUser: 2, Waiting: 16,
		UserBytes: 32 << 20, Bytes: 96 << 20, Patience: 5 * time.Second,
	}
}

// Kind is a kind of heavy request. Each kind is counted separately.
type Kind uint8

// The kinds. Stream is for streamed responses, which may take as long as the client
// reads; Page is for pages of the console that only show something, which a user reads while
// other requests wait for the node; Work is for all other heavy requests.
const (
	Work Kind = iota
	Stream
	Page
	kinds
)

// Gate applies Limits to requests. It is safe for concurrent use. The zero value is not
// usable; see [New].
type Gate struct {
	limits Limits
	slots  *semaphore.Weighted
	bytes  *semaphore.Weighted
	mu     sync.Mutex
	users  map[string]*user
}

// user contains the semaphores and counters of a user with requests in progress.
type user struct {
	here    int // requests that use or wait for these; the entry is deleted at 0
	bytes   *semaphore.Weighted
	places  [kinds]*semaphore.Weighted
	waiting [kinds]int
}

// New returns a Gate.
func New(l Limits) *Gate {
	return &Gate{limits: l, slots: semaphore.NewWeighted(int64(l.Slots)), bytes: semaphore.NewWeighted(l.Bytes), users: map[string]*user{}}
}

// Buffer reserves memory for a body of n bytes, and waits for it if necessary. The caller
// must call release when the body has left memory. Buffer returns ErrTooMany if it waits
// longer than Patience for the limit of the user, ErrBusy for the limit of all users, and
// ctx.Err() if ctx ends first.
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

// Enter waits for a place of the user and then for a slot, which a heavy request must
// have before it starts. The caller must call Leave when the request ends. Enter returns
// ErrTooMany if it waits longer than Patience for the place, or immediately if too many
// requests of the user are waiting; ErrBusy if it waits longer than Patience for the
// slot; and ctx.Err() if ctx ends first.
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

// takePlace waits for one of the user's places. It returns ErrTooMany immediately if
// Limits.Waiting requests of the user are waiting already.
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

// acquire acquires s with weight n. It returns refusal if that takes longer than Patience,
// and ctx.Err() if ctx ends first.
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
