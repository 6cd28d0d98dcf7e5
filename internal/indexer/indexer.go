// Package indexer keeps the index equal to the node: it looks what is new in
// each of Core's wallets, works out what that means, and writes it down. It
// reads the node and writes the index; it decides nothing that a person asked
// for, and serves nobody.
//
// The invariant: a wallet's index is that of one block and what came after it,
// and moves on in one transaction. Whatever ends the process, the next one goes
// on from there and comes to the same index as one that began anew.
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

// Store is what the follower needs of the database.
type Store interface {
	wallet.Index
	AllWallets(ctx context.Context) ([]wallet.Wallet, error)
	EditWallet(ctx context.Context, id string, edit func(*wallet.Edit) error) (wallet.Wallet, error)
	FrozenCoins(ctx context.Context, walletID string) ([]btc.Outpoint, error)
	// Lead waits until nobody else writes the index, and has it so until release
	// is called or lost is closed.
	Lead(ctx context.Context) (lost <-chan struct{}, release func(), err error)
}

// Keeper sees to wallets themselves.
type Keeper interface {
	// Finish completes or undoes what somebody began to make, or completes what
	// they began to remove.
	Finish(ctx context.Context, w wallet.Wallet) error
	// EnsureRange has the lookahead begin after an index, on both branches.
	EnsureRange(ctx context.Context, w wallet.Wallet, index uint32) (wallet.Wallet, error)
	// EnsureScanRange extends the range to what the wallet's scan needs, and returns
	// the wallet as it is then. It may take minutes.
	EnsureScanRange(ctx context.Context, w wallet.Wallet) (wallet.Wallet, error)
}

// Reserver keeps what Core has locked equal to what proposals reserve.
type Reserver interface {
	// Reconcile has Core lock what is reserved and not locked, and unlock what was
	// released, which it returns.
	Reconcile(ctx context.Context, w wallet.Wallet, locked []btc.Outpoint) (unlocked []btc.Outpoint, err error)
}

// Provider makes sure that Core has a wallet; see wallet.Node.
type Provider interface {
	Provide(ctx context.Context, coreName, receive, change string, rangeEnd uint32) (created bool, err error)
	SetLocked(ctx context.Context, coreName string, coins []btc.Outpoint, locked bool) error
}

// Options are what a Follower works with.
type Options struct {
	Log      *slog.Logger
	Now      func() time.Time
	Watch    *clock.Watch // of that clock
	Store    Store
	Keeper   Keeper
	Reserver Reserver
	Provider Provider
	Node     *backend.Node
	// Scanner is the same node by a client of its own: a scan of the chain is one
	// call that may take hours.
	Scanner *backend.Node
	// Ready returns why the node is not to be followed now, or nil. Network is
	// its chain then.
	Ready   func() error
	Network func() btc.Network
	// WhileLeading runs beside the following, in the one process that does it, until
	// its context ends; nil for nothing.
	WhileLeading func(ctx context.Context)
	// Host is where the node's RPC is, and its ZMQ publishers are.
	Host string
}

const (
	// pollInterval is how often the wallets are looked at where the node does
	// not tell when something happens, and relaxedInterval where it does.
	pollInterval    = 1500 * time.Millisecond
	relaxedInterval = 10 * time.Second
	// unfinishedAge is how old a half-made wallet has to be, so that nobody is
	// at work on it any more.
	unfinishedAge = 30 * time.Second
)

// Follower follows one node.
type Follower struct {
	Options
	kicks   chan string
	scans   scans
	waiting waiting
	looks   keymutex.Turns // by wallet, to look at it
	rounds  signal         // at the end of each
	// told is whether the node announces all that happens.
	told atomic.Bool
	// problems is what was last logged about a wallet, by its id.
	problems sync.Map
}

// New returns a Follower, which does nothing until Run.
func New(o Options) *Follower {
	return &Follower{
		Options: o,
		kicks:   make(chan string, 64),
		waiting: waiting{of: map[string]map[string]bool{}},
		scans:   scans{due: make(chan wallet.Wallet, 1), served: map[string]int{}, done: map[string]int{}, broken: map[string]bool{}},
	}
}

// Kick has a wallet looked at soon. It never blocks.
func (f *Follower) Kick(walletID string) {
	select {
	case f.kicks <- walletID:
	default: // the next poll comes anyway
	}
}

// Run follows the node until ctx ends. Only one process does so at a time; the
// others wait.
func (f *Follower) Run(ctx context.Context) {
	for ctx.Err() == nil {
		lost, release, err := f.Store.Lead(ctx)
		if err != nil {
			if ctx.Err() == nil {
				f.Log.WarnContext(ctx, "the index is not followed: cannot find out who follows it", "error", err)
			}
			pause(ctx, pollInterval)
			continue
		}
		f.lead(ctx, lost)
		release()
	}
}

// lead follows until ctx ends or the lead is lost.
func (f *Follower) lead(ctx context.Context, lost <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		select {
		case <-lost:
			f.Log.WarnContext(ctx, "another process may follow the index from now on: the connection to the database broke")
			cancel()
		case <-ctx.Done():
		}
	})
	news := make(chan zmq.Event, 4096)
	running.Go(func() { f.watch(ctx, news) })
	running.Go(func() { f.scan(ctx) })
	if f.WhileLeading != nil {
		running.Go(func() { f.WhileLeading(ctx) })
	}
	f.follow(ctx, news)
}

// follow looks at wallets whenever there may be something new.
func (f *Follower) follow(ctx context.Context, news <-chan zmq.Event) {
	next := scope{all: true}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			next.all = true
		case id := <-f.kicks:
			next.add(id)
		case e := <-news:
			f.note(ctx, &next, e)
		}
		for more := true; more; { // what else there is by now
			select {
			case id := <-f.kicks:
				next.add(id)
			case e := <-news:
				f.note(ctx, &next, e)
			default:
				more = false
			}
		}
		if next.empty() {
			continue
		}
		retry, whole := f.round(ctx, next)
		f.rounds.send()
		interval := pollInterval
		if whole && f.told.Load() {
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
