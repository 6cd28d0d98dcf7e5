package auth

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/specterd/specterd/internal/fault"
)

// ErrBusy is returned when too many passwords wait to be checked.
var ErrBusy = fault.New(fault.TooMany, "login_queue_full",
	"too many passwords are waiting to be checked; try again in a moment, or use a token, which is not held up").After(2 * time.Second)

const (
	maxWaiting         = 48 // in all
	maxWaitingOfOrigin = 12 // from one address, so that one cannot fill the queue
)

// gate lets a few in at a time and has the others wait, first come first served.
type gate struct {
	inside  *semaphore.Weighted
	mu      sync.Mutex
	waiting map[string]int
	total   int
}

func newGate(width int) *gate {
	return &gate{inside: semaphore.NewWeighted(int64(width)), waiting: map[string]int{}}
}

// enter waits for a place. The caller calls leave when done. It returns ErrBusy
// where too many wait already, and the context's error if that ends first.
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

// originOf returns what addresses are counted by: an IPv4 address, or the /64
// that an IPv6 address is in, which is what one subscriber has.
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
