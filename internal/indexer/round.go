package indexer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/wallet"
)

const (
	// readers is the number of wallets that are inspected concurrently. The node's
	// client has more slots, so that requests of users are not delayed.
	readers = 5
	// retryInterval is the delay before a wallet that lacks an announced transaction
	// is inspected again, and maxRetries the maximum number of inspections.
	retryInterval = 30 * time.Millisecond
	maxRetries    = 20
)

// scope is the set of wallets to inspect.
type scope struct {
	all bool
	ids map[string]int // wallet ids; the values are unused
	// expected are the announced transactions by txid, with the wallets that must get
	// them.
	expected map[string]expectation
}

// expectation is a transaction that the node has announced.
type expectation struct {
	wallets []string
	tries   int
}

func (s *scope) add(id string) {
	if s.ids == nil {
		s.ids = map[string]int{}
	}
	s.ids[id] = 0
}

func (s *scope) expect(txid string, e expectation) {
	if s.expected == nil {
		s.expected = map[string]expectation{}
	}
	s.expected[txid] = e
	for _, id := range e.wallets {
		s.add(id)
	}
}

func (s *scope) empty() bool { return !s.all && len(s.ids) == 0 }

func (s *scope) has(id string) bool {
	_, ok := s.ids[id]
	return s.all || ok
}

// round inspects the wallets in scope and writes their changes. It returns the scope
// to inspect again soon, and whether everything succeeded. If not, the caller must
// poll soon, because the node announces a change only once.
func (x *Indexer) round(ctx context.Context, s scope) (retry scope, whole bool) {
	if x.Ready() != nil {
		return scope{}, false
	}
	wallets, err := x.Store.AllWallets(ctx)
	if err != nil {
		if ctx.Err() == nil {
			x.Log.WarnContext(ctx, "sync round failed: cannot list wallets", "error", err)
		}
		return scope{}, false
	}
	wallets = slices.DeleteFunc(wallets, func(w wallet.Wallet) bool { return !s.has(w.ID) })
	updates := make(chan update, len(wallets))
	inspected := false
	go func() {
		defer close(updates)
		inspected = x.inspectAll(ctx, wallets, updates)
	}()
	written := x.write(ctx, updates) // returns once updates is closed
	return x.missing(ctx, s.expected), inspected && written
}

// inspectAll inspects wallets, several concurrently, and reports whether all
// succeeded.
func (x *Indexer) inspectAll(ctx context.Context, wallets []wallet.Wallet, updates chan<- update) bool {
	var running sync.WaitGroup
	var failed atomic.Bool
	slots := make(chan struct{}, readers)
	for _, w := range wallets {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			running.Wait()
			return false
		}
		running.Go(func() {
			defer func() { <-slots }()
			u, err := x.inspect(ctx, w)
			x.report(ctx, w, err)
			if err != nil {
				failed.Store(true)
			} else if u != nil {
				updates <- *u
			}
		})
	}
	running.Wait()
	return !failed.Load()
}

// write writes updates until the channel is closed, and reports whether all were
// written. It writes all updates that are available at the same time in one
// transaction, so that many wallets require only a few transactions.
func (x *Indexer) write(ctx context.Context, updates <-chan update) (whole bool) {
	whole = true
	for u := range updates {
		group := []update{u}
		for more := true; more; {
			select {
			case u, ok := <-updates:
				if more = ok; ok {
					group = append(group, u)
				}
			default:
				more = false
			}
		}
		changes := make([]wallet.Change, len(group))
		for i, u := range group {
			changes[i] = u.Change
		}
		if err := x.Store.WriteIndex(ctx, changes); err != nil {
			if ctx.Err() == nil {
				x.Log.WarnContext(ctx, "sync round failed: cannot write the index", "error", err)
			}
			whole = false
			continue // the next round finds the same changes
		}
		for _, u := range group {
			if u.written != nil {
				u.written()
			}
		}
	}
	return whole
}

// missing returns the announced transactions that wallets still lack, up to
// maxRetries times each. Bitcoin Core may announce a transaction shortly before its
// wallets have it.
func (x *Indexer) missing(ctx context.Context, expected map[string]expectation) (retry scope) {
	for txid, e := range expected {
		e.tries++
		e.wallets = slices.DeleteFunc(e.wallets, func(id string) bool {
			states, err := x.Store.States(ctx, id, []string{txid})
			return err != nil || len(states) > 0
		})
		if len(e.wallets) > 0 && e.tries < maxRetries {
			retry.expect(txid, e)
		}
	}
	return retry
}

// report logs why a wallet cannot be synced, if the reason has changed. Unless the
// error concerns all wallets, it also stores the reason in the wallet's row, or
// deletes it if err is nil.
func (x *Indexer) report(ctx context.Context, w wallet.Wallet, err error) {
	if ctx.Err() != nil {
		return
	}
	problem := problemOf(err)
	was, _ := x.problems.Swap(w.ID, problem)
	if err != nil && was != problem {
		x.Log.WarnContext(ctx, "wallet sync failed", "wallet_id", w.ID, "error", err)
	}
	if concernsAllWallets(err) || w.Problem == problem {
		return // as_of and the node status show a problem of all wallets
	}
	_, err = x.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		e.Problem = problem
		return nil
	})
	if err != nil && !errors.Is(err, wallet.ErrNotFound) {
		x.Log.WarnContext(ctx, "storing the problem of a wallet failed", "wallet_id", w.ID, "error", err)
	}
}

// concernsAllWallets reports whether err concerns the node rather than one wallet:
// the node is unreachable, denies access, or lacks methods or wallet support.
func concernsAllWallets(err error) bool {
	for _, problem := range []error{
		rpcclient.ErrUnavailable, rpcclient.ErrUnauthorized, rpcclient.ErrMethodForbidden, rpcclient.ErrMethodUnknown, nodestatus.ErrWalletDisabled,
	} {
		if errors.Is(err, problem) {
			return true
		}
	}
	return false
}

// problemOf returns a message about an error that may be shown to users: the
// message of a fault, a reference to the log for any other error, and the empty
// string for nil.
func problemOf(err error) string {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return "internal error; see specterd's log"
}

// tipOf returns the block with a hash. It calls the node unless likely, the tip that
// was read before, has that hash.
func (x *Indexer) tipOf(ctx context.Context, hash string, likely backend.Block) (wallet.Tip, error) {
	if likely.Hash == hash {
		return wallet.Tip{Height: int(likely.Height), Hash: hash}, nil
	}
	h, err := x.Node.BlockHeader(ctx, hash)
	return wallet.Tip{Height: int(h.Height), Hash: hash}, err
}
