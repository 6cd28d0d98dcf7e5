package indexer

import (
	"context"
	"sync"
	"time"
)

// awaitInterval is the interval at which Await requests another sync of the wallet.
const awaitInterval = 100 * time.Millisecond

// signal wakes all goroutines that wait for it, such as for the end of a sync round.
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

// Await waits until a transaction, which the node must already have, is in the index
// of a wallet. It returns early if ctx ends or the database fails. If another process
// runs the indexer, it polls the database.
func (x *Indexer) Await(ctx context.Context, walletID, txid string) {
	tick := time.NewTicker(awaitInterval)
	defer tick.Stop()
	x.Kick(walletID)
	for {
		ended := x.rounds.wait()
		if states, err := x.Store.States(ctx, walletID, []string{txid}); err != nil || len(states) > 0 {
			return
		}
		select {
		case <-ended:
		case <-tick.C:
			x.Kick(walletID)
		case <-ctx.Done():
			return
		}
	}
}
