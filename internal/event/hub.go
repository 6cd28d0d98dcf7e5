package event

import (
	"context"
	"maps"
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
	// readersAtATime is the number of readers that read the database at the same time. An
	// event can wake thousands: if they all waited for connections, they would delay other
	// requests, and their goroutines would take much memory.
	readersAtATime = 4
)

// hub wakes the readers that wait for events, and those whose token may have become invalid.
// It reads the targets of new events, and checks tokens, once for all readers, and does nothing
// while it has no readers. Readers that it wakes take turns in reading the database.
type hub struct {
	store     Store
	committed func() // may be nil

	mu      sync.Mutex
	waiting map[string]map[*waiter]struct{} // by wallet or user id
	readers map[string]map[*waiter]struct{} // by token id
	joined  chan struct{}                   // receives a value when the first reader arrives
	isEnded bool
	queue   []*waiter // those for which something is due, and which have no turn yet
	turns   int       // number of readers that have a turn
}

// due has the duties of a reader.
type due uint8

const (
	dueNews      due = 1 << iota // read events: there may be new ones
	dueCheck                     // check the credential: the token is not known to be valid
	dueHeartbeat                 // send something
	dueEnd                       // end
)

// waiter is a reader that may wait.
type waiter struct {
	tokenID   string
	heartbeat *time.Timer

	// hub.mu guards the other fields.
	targets []string
	due     due
	wake    func() // nil unless the reader waits
	queued  bool
	hasTurn bool // may read the database
	left    bool
}

func newHub(s Store, committed func()) *hub {
	return &hub{store: s, committed: committed, waiting: map[string]map[*waiter]struct{}{}, readers: map[string]map[*waiter]struct{}{}, joined: make(chan struct{}, 1)}
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
			if h.committed != nil {
				h.committed()
			}
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
		h.wakeAll(dueNews)
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
	h.mu.Lock()
	ids := slices.Sorted(maps.Keys(h.readers))
	h.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	list, err := h.store.ValidTokens(ctx, ids)
	if err != nil {
		return
	}
	valid := make(map[string]bool, len(list))
	for _, id := range list {
		valid[id] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, readers := range h.readers {
		if !valid[id] {
			h.signalAll(readers, dueCheck)
		}
	}
}

func (h *hub) wake(target string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.signalAll(h.waiting[target], dueNews)
}

// wakeAll makes all readers do something.
func (h *hub) wakeAll(d due) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, readers := range h.readers {
		h.signalAll(readers, d)
	}
}

// signalAll must be called with h.mu held.
func (h *hub) signalAll(readers map[*waiter]struct{}, d due) {
	for w := range readers {
		h.signal(w, d)
	}
}

// signal wakes a reader when it has a turn, or at once if it must end. It must be called with
// h.mu held.
func (h *hub) signal(w *waiter, d due) {
	w.due |= d
	switch {
	case w.wake == nil:
	case w.due&dueEnd != 0:
		w.wakeNow()
	case !w.queued:
		w.queued = true
		h.queue = append(h.queue, w)
		h.giveTurns()
	}
}

// giveTurns wakes the first readers of the queue. It must be called with h.mu held.
func (h *hub) giveTurns() {
	for len(h.queue) > 0 && h.turns < readersAtATime {
		w := h.queue[0]
		h.queue[0], h.queue = nil, h.queue[1:]
		w.queued = false
		if w.wake != nil {
			w.hasTurn = true
			h.turns++
			w.wakeNow()
		}
	}
}

func (w *waiter) wakeNow() {
	wake := w.wake
	w.wake = nil
	wake()
}

// enter waits until the reader has a turn. It has one already if it was woken.
func (h *hub) enter(ctx context.Context, w *waiter) error {
	woken := make(chan struct{})
	h.mu.Lock()
	if w.hasTurn {
		h.mu.Unlock()
		return nil
	}
	w.wake = func() { close(woken) }
	h.signal(w, 0)
	h.mu.Unlock()
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		h.mu.Lock()
		defer h.mu.Unlock()
		w.wake = nil
		return ctx.Err()
	}
}

// exit ends the turn of a reader, if it has one.
func (h *hub) exit(w *waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.endTurn(w)
}

// endTurn must be called with h.mu held.
func (h *hub) endTurn(w *waiter) {
	if w.hasTurn {
		w.hasTurn = false
		h.turns--
		h.giveTurns()
	}
}

// join adds a reader with a token; without one, their credential is always checked. The reader
// must call leave.
func (h *hub) join(tokenID string) *waiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &waiter{tokenID: tokenID, due: dueNews}
	if h.isEnded {
		w.due |= dueEnd
	}
	w.heartbeat = time.AfterFunc(heartbeatInterval, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.signal(w, dueHeartbeat)
	})
	if len(h.readers) == 0 {
		select {
		case h.joined <- struct{}{}:
		default:
		}
	}
	insert(h.readers, tokenID, w)
	return w
}

// await calls wake, with h.mu held, as soon as something is due, unless the reader has left.
func (h *hub) await(w *waiter, wake func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.left {
		return
	}
	if w.wake = wake; w.due != 0 {
		h.signal(w, 0)
	}
}

// take returns what is due. Afterwards, it is not due any more, except the end.
func (h *hub) take(w *waiter) (d due) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d, w.due = w.due, w.due&dueEnd
	return d
}

// watch sets the wallets and users whose events wake the reader.
func (h *hub) watch(w *waiter, targets []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(w)
	if w.left {
		return
	}
	w.targets = targets
	for _, t := range targets {
		insert(h.waiting, t, w)
	}
}

// forget must be called with h.mu held.
func (h *hub) forget(w *waiter) {
	for _, t := range w.targets {
		remove(h.waiting, t, w)
	}
	w.targets = nil
}

func (h *hub) leave(w *waiter) {
	w.heartbeat.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(w)
	remove(h.readers, w.tokenID, w)
	w.wake, w.left = nil, true
	h.endTurn(w)
}

// end ends all readers, including later ones.
func (h *hub) end() {
	h.mu.Lock()
	h.isEnded = true
	h.mu.Unlock()
	h.wakeAll(dueEnd)
}

func insert(in map[string]map[*waiter]struct{}, key string, w *waiter) {
	if in[key] == nil {
		in[key] = map[*waiter]struct{}{}
	}
	in[key][w] = struct{}{}
}

func remove(from map[string]map[*waiter]struct{}, key string, w *waiter) {
	delete(from[key], w)
	if len(from[key]) == 0 {
		delete(from, key)
	}
}
