// Package zmq listens to what a node announces of itself: transactions, blocks,
// and what leaves the mempool. It owns the connections, and knows the protocol
// and the messages. It does not ask the node anything (package core), keeps
// nothing, and does not log.
//
// Announcements say where to look, not what is: they come unsigned, from whoever
// listens at that address, and some may be missing.
//
// The invariant: where announcements are known to be missing, an event of kind
// Lost comes before those that follow.
package zmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/node/backend"
)

// Kind is what an event is about.
type Kind uint8

// The kinds of events.
const (
	// Tx is a transaction that came into the mempool, or into the chain with a
	// block, or out of it: the same one comes at least twice.
	Tx Kind = iota + 1
	// Block is a new tip of the chain; not each block where several come at once.
	Block
	// MempoolRemoved is a transaction that left the mempool otherwise than with a
	// block: replaced, expired, evicted or in conflict with a block.
	MempoolRemoved
	// Lost is where announcements are missing, or may be: at the begin of each
	// connection, and where the node dropped some for want of somebody who listens
	// fast enough. Ask the node how things are.
	Lost
)

// Event is one thing that happened.
type Event struct {
	Kind Kind
	// Raw is the transaction of Tx, as it is serialized; the receiver may keep it.
	Raw []byte
	// Hash is that of the block for Block, and the txid for MempoolRemoved, as the
	// RPC writes them.
	Hash string
}

// The pauses between attempts to connect.
const (
	firstPause = 250 * time.Millisecond
	maxPause   = 15 * time.Second
)

// Subscription is to everything of interest that a node announces. See
// [Subscription.Run].
type Subscription struct {
	sources []source

	mu       sync.Mutex
	problems []error // why each of the sources is not connected
	handling sync.Mutex
}

var errNotConnected = errors.New("not connected yet")

// New returns a subscription to what a node announces according to publishers,
// whose RPC is at host: addresses on which only the node's own machine could
// connect, and those that stand for all of its addresses, become host.
func New(publishers []backend.Publisher, host string) *Subscription {
	s := &Subscription{sources: sources(publishers, host)}
	for range s.sources {
		s.problems = append(s.problems, errNotConnected)
	}
	return s
}

// Topics returns what the node announces of that which is of interest here:
// any of rawtx, hashblock and sequence.
func (s *Subscription) Topics() []string {
	var all []string
	for _, from := range s.sources {
		all = append(all, from.topics...)
	}
	return all
}

// Problem returns nil where all connections stand, and otherwise why some do
// not. Without any address to connect to there is no problem.
func (s *Subscription) Problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.problems...)
}

// Run connects, calls handle with each event, one at a time, and connects again
// whenever a connection ends, until ctx ends. While handle is at work the node
// keeps some thousand announcements, then it drops them. Run may run once at a
// time.
func (s *Subscription) Run(ctx context.Context, handle func(Event)) error {
	var running sync.WaitGroup
	for i := range s.sources {
		running.Go(func() { s.follow(ctx, i, handle) })
	}
	<-ctx.Done()
	running.Wait()
	return nil
}

// follow keeps up the connection to one source.
func (s *Subscription) follow(ctx context.Context, i int, handle func(Event)) {
	pause := firstPause
	for ctx.Err() == nil {
		connected, err := s.listen(ctx, i, handle)
		s.setProblem(i, fmt.Errorf("ZMQ at %s: %w", s.sources[i].address, err))
		if connected {
			pause = firstPause
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // jitter, not a secret
		case <-ctx.Done():
		}
		pause = min(2*pause, maxPause)
	}
}

// listen handles the announcements of one connection, and returns why it ended.
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
