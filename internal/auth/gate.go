package auth

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/specterd/specterd/internal/fault"
)

// ErrBusy is returned if too many passwords are waiting to be checked.
var ErrBusy = fault.New(fault.TooMany, "login_queue_full",
	"too many passwords are waiting to be checked; try again shortly, or use a token, which is not delayed").WithRetryAfter(2 * time.Second)

const (
	maxWaiting         = 48 // in total
	maxWaitingOfOrigin = 12 // from one origin (see originOf), which prevents one client from filling the queue
)

// gate limits how many callers proceed at a time; the others wait in FIFO order.
type gate struct {
	inside  *semaphore.Weighted
	mu      sync.Mutex
	waiting map[string]int
	total   int
}

func newGate(width int) *gate {
	return &gate{inside: semaphore.NewWeighted(int64(width)), waiting: map[string]int{}}
}

// enter waits for a slot. The caller must call leave when done. It returns ErrBusy
// if too many callers are waiting, and the context's error if ctx ends first.
func (g *gate) enter(ctx context.Context, address string) (leave func(), err error) {
	if g.inside.TryAcquire(1) {
		return g.leave, nil
	}
	origin := originOf(address)
	if !g.queue(origin) {
		return nil, ErrBusy
	}
	defer g.dequeue(origin)
	if err := g.inside.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return g.leave, nil
}

func (g *gate) leave() { g.inside.Release(1) }

func (g *gate) queue(origin string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= maxWaiting || g.waiting[origin] >= maxWaitingOfOrigin {
		return false
	}
	g.total++
	g.waiting[origin]++
	return true
}

func (g *gate) dequeue(origin string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.waiting[origin]--; g.waiting[origin] == 0 {
		delete(g.waiting, origin)
	}
}

// originOf returns the key by which clients are counted: an IPv4 address, or the
// /64 network of an IPv6 address, since a subscriber usually has a whole /64.
func originOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if prefix, err := ip.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return ip.String()
}
