// Package indexer keeps the index in sync with the node: in sync rounds, it finds the
// changes of each Bitcoin Core wallet, classifies them, and writes them to the index.
// It makes no decisions on behalf of users and serves no requests.
//
// Invariant: the index of a wallet records the block up to which it is complete, and
// moves to another block in one database transaction. If the process ends at any
// point, the next process resumes from the recorded block, and the result equals an
// index that was built from the beginning.
package indexer

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/keymutex"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/zmq"
	"github.com/specterd/specterd/internal/wallet"
)

// Store is the database of the indexer.
type Store interface {
	wallet.Index
	AllWallets(ctx context.Context) ([]wallet.Wallet, error)
	EditWallet(ctx context.Context, id string, edit func(*wallet.Edit) error) (wallet.Wallet, error)
	FrozenUTXOs(ctx context.Context, walletID string) ([]btc.Outpoint, error)
	// Lead waits until no other process holds the lock for writing the index, and
	// acquires it. The lock is held until release is called or lost is closed.
	Lead(ctx context.Context) (lost <-chan struct{}, release func(), err error)
}

// Wallets is the part of wallet.Service that the indexer uses.
type Wallets interface {
	// Finish completes the interrupted creation or removal of a wallet, or undoes
	// the creation.
	Finish(ctx context.Context, w wallet.Wallet) error
	// EnsureRange extends the address range of both branches so that it includes the
	// lookahead after an index, and returns the updated wallet.
	EnsureRange(ctx context.Context, w wallet.Wallet, index uint32) (wallet.Wallet, error)
	// ExtendRange extends the address range of both branches up to end, exclusive,
	// unless it already extends that far, and returns the updated wallet.
	ExtendRange(ctx context.Context, w wallet.Wallet, end uint32) (wallet.Wallet, error)
	// EnsureScanRange extends the address range as the wallet's rescan requires, and
	// returns the updated wallet. It may take minutes.
	EnsureScanRange(ctx context.Context, w wallet.Wallet) (wallet.Wallet, error)
}

// Reserver keeps the locks in Bitcoin Core equal to the reservations of proposals.
type Reserver interface {
	// Reconcile compares the reservations with locked, the outputs that Bitcoin Core
	// has locked. It locks reserved outputs, and unlocks and returns outputs that are
	// no longer reserved.
	Reconcile(ctx context.Context, w wallet.Wallet, locked []btc.Outpoint) (unlocked []btc.Outpoint, err error)
}

// Provider is the part of wallet.Node that loads or creates a wallet in Bitcoin Core
// and locks outputs.
type Provider interface {
	Provide(ctx context.Context, w wallet.NodeWallet, receive, change string, rangeEnd uint32) (created bool, err error)
	SetLocked(ctx context.Context, w wallet.NodeWallet, utxos []btc.Outpoint, locked bool) error
}

// Options are the dependencies and settings of an Indexer.
type Options struct {
	Log      *slog.Logger
	Now      func() time.Time
	Watch    *clock.Watch // detects jumps of Now
	Store    Store
	Wallets  Wallets
	Reserver Reserver
	Provider Provider
	Node     *backend.Node
	// Scanner is the same node through a separate client, because a rescan is a
	// single call that may take hours.
	Scanner *backend.Node
	// Ready returns the reason why the node cannot be indexed now, or nil. Network
	// returns the node's chain while Ready returns nil.
	Ready   func() error
	Network func() btc.Network
	// Host is the host of the node's RPC and ZMQ endpoints.
	Host string
}

const (
	// pollInterval is the polling interval for wallets while ZMQ announcements are
	// incomplete, and relaxedInterval while they are complete.
	pollInterval    = 1500 * time.Millisecond
	relaxedInterval = 10 * time.Second
	// unfinishedAge is the age at which the creation of a wallet that is not ready is
	// considered interrupted.
	unfinishedAge = 30 * time.Second
)

// Indexer keeps the index in sync with one node.
type Indexer struct {
	Options
	kicks      chan string
	scans      scans
	mempool    mempoolTxs
	inspecting keymutex.Mutex // by wallet, held during its inspection
	rounds     signal         // sent at the end of each sync round
	// announced reports whether the node announces all events over ZMQ.
	announced atomic.Bool
	// problems maps wallet ids to the problem that was last logged.
	problems sync.Map
}

// New returns an Indexer, which does nothing until Run is called.
func New(o Options) *Indexer {
	return &Indexer{
		Options: o,
		kicks:   make(chan string, 64),
		mempool: mempoolTxs{of: map[string]map[string]bool{}},
		scans:   scans{due: make(chan wallet.Wallet, 1), served: map[string]int{}, done: map[string]int{}, broken: map[string]bool{}},
	}
}

// Kick schedules a sync of a wallet. It never blocks.
func (x *Indexer) Kick(walletID string) {
	select {
	case x.kicks <- walletID:
	default: // the next poll syncs all wallets
	}
}

// Run indexes the node until ctx ends. Only one process does so at a time; the
// others wait.
func (x *Indexer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		lost, release, err := x.Store.Lead(ctx)
		if err != nil {
			if ctx.Err() == nil {
				x.Log.WarnContext(ctx, "cannot acquire the indexer lock", "error", err)
			}
			pause(ctx, pollInterval)
			continue
		}
		x.lead(ctx, lost)
		release()
	}
}

// lead runs the indexer until ctx ends or the lock is lost.
func (x *Indexer) lead(ctx context.Context, lost <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		select {
		case <-lost:
			x.Log.WarnContext(ctx, "indexer lock lost: database connection broken")
			cancel()
		case <-ctx.Done():
		}
	})
	events := make(chan zmq.Event, 4096)
	running.Go(func() { x.watch(ctx, events) })
	running.Go(func() { x.scan(ctx) })
	x.run(ctx, events)
}

// run runs sync rounds whenever there may be changes.
func (x *Indexer) run(ctx context.Context, events <-chan zmq.Event) {
	next := scope{all: true}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			next.all = true
		case id := <-x.kicks:
			next.add(id)
		case e := <-events:
			x.addEvent(ctx, &next, e)
		}
		for more := true; more; { // drain further events
			select {
			case id := <-x.kicks:
				next.add(id)
			case e := <-events:
				x.addEvent(ctx, &next, e)
			default:
				more = false
			}
		}
		if next.empty() {
			continue
		}
		retry, whole := x.round(ctx, next)
		x.rounds.send()
		interval := pollInterval
		if whole && x.announced.Load() {
			interval = relaxedInterval
		}
		if !retry.empty() {
			interval = retryInterval
		}
		next = retry
		timer.Reset(interval)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
