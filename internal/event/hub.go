package event

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// pollInterval is the interval at which events of other processes are found. Events of
	// this process are found at once.
	pollInterval = 250 * time.Millisecond
	// recheckInterval is the interval at which the tokens of readers are checked while nothing
	// happens. They are also checked before events are sent.
	recheckInterval = 500 * time.Millisecond
	// targetsAtATime is the number of events that the hub reads at once.
	targetsAtATime = 1000
)

// hub wakes the readers that wait for events, and those whose token may have become invalid.
// It reads the targets of new events, and checks tokens, once for all readers, and does nothing
// while it has no readers.
type hub struct {
	store Store

	mu      sync.Mutex
	waiting map[string]map[*waiter]struct{} // by wallet or user id
	readers map[*waiter]struct{}
	joined  chan struct{} // receives a value when the first reader arrives
	ended   chan struct{} // closed when readers must end
	isEnded bool
}

// waiter is a reader that waits.
type waiter struct {
	woken   chan struct{} // has a value after an event of one of the targets
	doubted chan struct{} // has a value if the token is not known to be valid
	tokenID string
	targets []string
}

func newHub(s Store) *hub {
	return &hub{store: s, waiting: map[string]map[*waiter]struct{}{}, readers: map[*waiter]struct{}{}, joined: make(chan struct{}, 1), ended: make(chan struct{})}
}

// run wakes readers until ctx ends.
func (h *hub) run(ctx context.Context) {
	tick, recheck := time.NewTicker(pollInterval), time.NewTicker(recheckInterval)
	defer tick.Stop()
	defer recheck.Stop()
	last := int64(-1) // unknown
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.store.EventSignal():
		case <-tick.C:
		case <-recheck.C:
			h.doubt(ctx)
			continue
		case <-h.joined:
		}
		if !h.hasReaders() {
			last = -1
			continue
		}
		last = h.wakeAfter(ctx, last)
	}
}

// wakeAfter wakes the readers of the events after a position, and returns the position of
// the last one. If the position is unknown, it wakes all readers.
func (h *hub) wakeAfter(ctx context.Context, last int64) int64 {
	if last < 0 {
		head, err := h.store.EventHead(ctx)
		if err != nil {
			return -1
		}
		h.wakeAll()
		return head
	}
	for {
		targets, err := h.store.EventTargets(ctx, last, targetsAtATime)
		if err != nil {
			return last // the next poll tries again
		}
		events := 0
		for _, t := range targets {
			if t.Seq != last {
				events++
			}
			last = t.Seq
			h.wake(t.WalletID)
			h.wake(t.UserID)
		}
		if events < targetsAtATime {
			return last
		}
	}
}

func (h *hub) hasReaders() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.readers) > 0
}

// doubt makes the readers check their credential whose token is not valid. If the tokens
// cannot be read now, they are checked later; readers get no events without a check.
func (h *hub) doubt(ctx context.Context) {
	var ids []string
	h.mu.Lock()
	for w := range h.readers {
		ids = append(ids, w.tokenID)
	}
	h.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	list, err := h.store.ValidTokens(ctx, slices.Compact(ids))
	if err != nil {
		return
	}
	valid := make(map[string]bool, len(list))
	for _, id := range list {
		valid[id] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.readers {
		if !valid[w.tokenID] {
			signal(w.doubted)
		}
	}
}

func (h *hub) wake(target string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.waiting[target] {
		signal(w.woken)
	}
}

func (h *hub) wakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.readers {
		signal(w.woken)
	}
}

// signal puts a value into c, which has room for one, unless it has one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// join adds a reader with a token; without one, their credential is always checked. The reader
// must call leave.
func (h *hub) join(tokenID string) *waiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &waiter{woken: make(chan struct{}, 1), doubted: make(chan struct{}, 1), tokenID: tokenID}
	h.readers[w] = struct{}{}
	if len(h.readers) == 1 {
		select {
		case h.joined <- struct{}{}:
		default:
		}
	}
	return w
}

// watch sets the wallets and users whose events wake the reader.
func (h *hub) watch(w *waiter, targets []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(w)
	w.targets = targets
	for _, t := range targets {
		if h.waiting[t] == nil {
			h.waiting[t] = map[*waiter]struct{}{}
		}
		h.waiting[t][w] = struct{}{}
	}
}

// forget must be called with h.mu held.
func (h *hub) forget(w *waiter) {
	for _, t := range w.targets {
		delete(h.waiting[t], w)
		if len(h.waiting[t]) == 0 {
			delete(h.waiting, t)
		}
	}
}

func (h *hub) leave(w *waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(w)
	delete(h.readers, w)
}

// end ends all readers, including later ones.
func (h *hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.isEnded {
		h.isEnded = true
		close(h.ended)
	}
}
