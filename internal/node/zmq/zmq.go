// Package zmq subscribes to a node's ZMQ announcements: transactions, blocks, and
// removals from the mempool. It manages the connections, the protocol and the message
// formats. It makes no RPC calls (see package backend), stores nothing, and does not log.
//
// Announcements are hints that something may have changed: they are not authenticated,
// and some may be missing.
//
// Invariant: if announcements are known to be missing, an event of kind Lost is delivered
// before the next announcement.
package zmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/backoff"
	"github.com/specterd/specterd/internal/node/backend"
)

// Kind is the type of an event.
type Kind uint8

// The kinds of events.
const (
	// Tx is a transaction that entered the mempool or a block, or left the chain
	// with a block; each is announced at least twice.
	Tx Kind = iota + 1
	// Block is a new tip of the chain; if several blocks arrive at once, not each
	// is announced.
	Block
	// MempoolRemoved is a transaction that left the mempool for a reason other than
	// a block: replaced, expired, evicted or in conflict with a block.
	MempoolRemoved
	// Lost means that announcements are or may be missing: at the beginning of each
	// connection, and if the node dropped some because the subscriber was too slow.
	// The receiver must query the node.
	Lost
)

// Event is an announcement.
type Event struct {
	Kind Kind
	// Raw is the serialized transaction of Tx; the receiver may keep it.
	Raw []byte
	// Hash is the hash of the block for Block, and the txid for MempoolRemoved, in
	// the RPC's format.
	Hash string
}

// The delays between attempts to connect.
const (
	minRetryDelay = 250 * time.Millisecond
	maxRetryDelay = 15 * time.Second
)

// Subscription is a subscription to all relevant announcements of a node. See
// [Subscription.Run].
type Subscription struct {
	sources []source

	mu       sync.Mutex
	problems []error // by source: the reason why it is not connected, or nil
	handling sync.Mutex
}

var errNotConnected = errors.New("not connected yet")

// New returns a subscription to the publishers of a node whose RPC is at host. It
// always connects to host, and ignores the hosts in the publishers' addresses.
func New(publishers []backend.Publisher, host string) *Subscription {
	s := &Subscription{sources: sources(publishers, host)}
	for range s.sources {
		s.problems = append(s.problems, errNotConnected)
	}
	return s
}

// Topics returns the relevant topics that the node publishes: any of rawtx,
// hashblock and sequence.
func (s *Subscription) Topics() []string {
	var all []string
	for _, from := range s.sources {
		all = append(all, from.topics...)
	}
	return all
}

// Problem returns nil if all connections are established, and otherwise the reasons. It
// also returns nil if there is no address to connect to.
func (s *Subscription) Problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.problems...)
}

// Run connects, calls handle with each event, one at a time, and reconnects whenever a
// connection ends, until ctx ends; it then returns nil. While handle is busy, the node
// queues about a thousand announcements, and drops further ones. Run must not be called
// concurrently.
func (s *Subscription) Run(ctx context.Context, handle func(Event)) error {
	var running sync.WaitGroup
	for i := range s.sources {
		running.Go(func() { s.follow(ctx, i, handle) })
	}
	<-ctx.Done()
	running.Wait()
	return nil
}

// follow maintains the connection to one source.
func (s *Subscription) follow(ctx context.Context, i int, handle func(Event)) {
	delays := backoff.New(minRetryDelay, maxRetryDelay)
	for ctx.Err() == nil {
		connected, err := s.listen(ctx, i, handle)
		s.setProblem(i, fmt.Errorf("ZMQ at %s: %w", s.sources[i].address, err))
		if connected {
			delays.Reset()
		}
		_ = delays.Wait(ctx) // the loop ends with ctx
	}
}

// listen handles the announcements of one connection, and returns the reason for
// its end.
func (s *Subscription) listen(ctx context.Context, i int, handle func(Event)) (connected bool, _ error) {
	c, err := dial(ctx, s.sources[i])
	if err != nil {
		return false, err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.close)()
	s.setProblem(i, nil)
	s.handle(handle, Event{Kind: Lost})
	last := numbers{}
	for {
		frames, err := c.readMessage()
		if err != nil {
			return true, err
		}
		a, err := parse(frames)
		if err != nil {
			return true, err
		}
		if last.gap(a) {
			s.handle(handle, Event{Kind: Lost})
		}
		if a.event.Kind != 0 {
			s.handle(handle, a.event)
		}
	}
}

func (s *Subscription) handle(handle func(Event), e Event) {
	s.handling.Lock()
	defer s.handling.Unlock()
	handle(e)
}

func (s *Subscription) setProblem(i int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems[i] = err
}
