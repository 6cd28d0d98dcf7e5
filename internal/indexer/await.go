package indexer

import (
	"context"
	"sync"
	"time"
)

// awaitInterval is how often a wallet is kicked while a transaction is waited for.
const awaitInterval = 100 * time.Millisecond

// signal wakes all who wait for the end of a round.
type signal struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that is closed by the next call of send.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

func (s *signal) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}

// Await waits until the index of a wallet has a transaction that the node has, or
// until ctx ends. Where another process follows the node, it looks into the database
// now and then.
func (f *Follower) Await(ctx context.Context, walletID, txid string) {
	tick := time.NewTicker(awaitInterval)
	defer tick.Stop()
	f.Kick(walletID)
	for {
		ended := f.rounds.wait()
		if states, err := f.Store.States(ctx, walletID, []string{txid}); err != nil || len(states) > 0 {
			return
		}
		select {
		case <-ended:
		case <-tick.C:
			f.Kick(walletID)
		case <-ctx.Done():
			return
		}
	}
}
