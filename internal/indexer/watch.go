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
	// checkInterval is the interval for checking the subscription, and askInterval
	// the interval for querying the node's publishers, which may change when the node
	// is restarted.
	checkInterval = 500 * time.Millisecond
	askInterval   = 30 * time.Second
)

// watch forwards the node's announcements until ctx ends.
func (x *Indexer) watch(ctx context.Context, events chan<- zmq.Event) {
	send := func(e zmq.Event) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil {
		publishers, err := x.Node.Publishers(ctx)
		if err != nil || x.Ready() != nil {
			pause(ctx, pollInterval)
			continue
		}
		x.listen(ctx, publishers, send)
	}
}

// listen forwards the announcements from these publishers until the node's publishers
// change or ctx ends.
func (x *Indexer) listen(ctx context.Context, publishers []backend.Publisher, send func(zmq.Event)) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	subscription := zmq.New(publishers, x.Host)
	running.Go(func() { _ = subscription.Run(ctx, send) })
	whole := len(subscription.Topics()) == 3
	asked := x.Now()
	for {
		complete := whole && subscription.Problem() == nil
		if x.announced.Swap(complete) && !complete {
			x.Log.InfoContext(ctx, "ZMQ announcements unavailable; polling the node instead", "error", subscription.Problem())
			send(zmq.Event{Kind: zmq.Lost})
		}
		pause(ctx, checkInterval)
		if ctx.Err() != nil {
			return
		}
		if x.Now().Sub(asked) < askInterval {
			continue
		}
		asked = x.Now()
		if now, err := x.Node.Publishers(ctx); err == nil && !slices.Equal(now, publishers) {
			x.announced.Store(false)
			return
		}
	}
}

// addEvent adds the wallets that an announcement concerns to the scope.
func (x *Indexer) addEvent(ctx context.Context, s *scope, e zmq.Event) {
	switch e.Kind {
	case zmq.Block, zmq.Lost:
		s.all = true
	case zmq.MempoolRemoved:
		for _, id := range x.mempool.wallets(e.Hash) {
			s.add(id)
		}
	case zmq.Tx:
		x.addTx(ctx, s, e.Raw)
	}
}

// addTx adds the wallets that a transaction pays to or spends from. If they cannot be
// determined, it adds all wallets.
func (x *Indexer) addTx(ctx context.Context, s *scope, serialized []byte) {
	tx, err := btc.ParseTx(serialized)
	if err != nil {
		s.all = true
		return
	}
	var addresses []string
	for _, o := range tx.Outputs {
		if address := btc.AddressOf(o.Script, x.Network()); address != "" {
			addresses = append(addresses, address)
		}
	}
	var spent []btc.Outpoint
	for _, in := range tx.Inputs {
		spent = append(spent, in.Outpoint)
	}
	ids, err := x.Store.WalletsWith(ctx, addresses, spent)
	if err != nil {
		s.all = true
		return
	}
	if len(ids) > 0 {
		s.expect(tx.Txid, expectation{wallets: ids})
	}
}

// mempoolTxs records which wallets have a transaction in the mempool, so that they can
// be inspected when it leaves.
type mempoolTxs struct {
	mu sync.Mutex
	of map[string]map[string]bool // wallet ids by txid
}

// set records whether a wallet's transaction is in the mempool, according to its
// status.
func (w *mempoolTxs) set(txid, walletID string, status wallet.Status) {
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

func (w *mempoolTxs) wallets(txid string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.of[txid]))
}
