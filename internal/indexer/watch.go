package indexer

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/zmq"
	"github.com/specterd/specterd/internal/wallet"
)

const (
	// checkInterval is how often the subscription is looked after, and
	// askInterval how often the node is asked what it announces: a restart may
	// have changed that.
	checkInterval = 500 * time.Millisecond
	askInterval   = 30 * time.Second
)

// watch passes on what the node announces, until ctx ends.
func (f *Follower) watch(ctx context.Context, news chan<- zmq.Event) {
	send := func(e zmq.Event) {
		select {
		case news <- e:
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil {
		publishers, err := f.Node.Publishers(ctx)
		if err != nil || f.Ready() != nil {
			pause(ctx, pollInterval)
			continue
		}
		f.listen(ctx, publishers, send)
	}
}

// listen passes on what the node announces at these addresses, until it
// announces at others.
func (f *Follower) listen(ctx context.Context, publishers []backend.Publisher, send func(zmq.Event)) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	subscription := zmq.New(publishers, f.Host)
	running.Go(func() { _ = subscription.Run(ctx, send) })
	whole := len(subscription.Topics()) == 3
	asked := f.Now()
	for {
		told := whole && subscription.Problem() == nil
		if f.told.Swap(told) && !told {
			f.Log.InfoContext(ctx, "the node's announcements are not heard; it is asked every now and then instead", "error", subscription.Problem())
			send(zmq.Event{Kind: zmq.Lost})
		}
		pause(ctx, checkInterval)
		if ctx.Err() != nil {
			return
		}
		if f.Now().Sub(asked) < askInterval {
			continue
		}
		asked = f.Now()
		if now, err := f.Node.Publishers(ctx); err == nil && !slices.Equal(now, publishers) {
			f.told.Store(false)
			return
		}
	}
}

// note adds to the scope what an announcement is about.
func (f *Follower) note(ctx context.Context, s *scope, e zmq.Event) {
	switch e.Kind {
	case zmq.Block, zmq.Lost:
		s.all = true
	case zmq.MempoolRemoved:
		for _, id := range f.waiting.wallets(e.Hash) {
			s.add(id)
		}
	case zmq.Tx:
		f.noteTx(ctx, s, e.Raw)
	}
}

// noteTx adds the wallets that a transaction pays or spends from.
func (f *Follower) noteTx(ctx context.Context, s *scope, serialized []byte) {
	tx, err := btc.ParseTx(serialized)
	if err != nil {
		s.all = true
		return
	}
	var addresses []string
	for _, o := range tx.Outputs {
		if address := btc.AddressOf(o.Script, f.Network()); address != "" {
			addresses = append(addresses, address)
		}
	}
	var spent []btc.Outpoint
	for _, in := range tx.Inputs {
		spent = append(spent, in.Outpoint)
	}
	ids, err := f.Store.WalletsWith(ctx, addresses, spent)
	if err != nil {
		s.all = true
		return
	}
	if len(ids) > 0 {
		s.expect(tx.Txid, expectation{wallets: ids})
	}
}

// waiting is which wallets have a transaction that is in the mempool, so that
// they can be told when it is not any more.
type waiting struct {
	mu sync.Mutex
	of map[string]map[string]bool // wallets' ids by txid
}

// note notes the state of a wallet's transaction.
func (w *waiting) note(txid, walletID string, status wallet.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := w.of[txid]
	switch {
	case status == wallet.InMempool && ids == nil:
		w.of[txid] = map[string]bool{walletID: true}
	case status == wallet.InMempool:
		ids[walletID] = true
	case ids != nil:
		delete(ids, walletID)
		if len(ids) == 0 {
			delete(w.of, txid)
		}
	}
}

func (w *waiting) wallets(txid string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.of[txid]))
}
