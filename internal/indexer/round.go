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
	// readers is how many wallets are looked at at the same time. The node's
	// client has more slots, so that people's calls come through.
	readers = 5
	// retryInterval is when a wallet is looked at again that does not have yet
	// what the node has told of.
	retryInterval = 30 * time.Millisecond
	maxRetries    = 20
)

// scope is which wallets are to be looked at.
type scope struct {
	all bool
	ids map[string]int // how often that was in vain
	// expected are transactions that these wallets must come to have.
	expected map[string]expectation
}

// expectation is a transaction that the node has told of.
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

// round looks at the wallets in scope and writes what is new. It returns what
// is to be looked at again shortly, and whether nothing failed: what did is not
// announced again.
func (f *Follower) round(ctx context.Context, s scope) (retry scope, whole bool) {
	if f.Ready() != nil {
		return scope{}, false
	}
	wallets, err := f.Store.AllWallets(ctx)
	if err != nil {
		if ctx.Err() == nil {
			f.Log.WarnContext(ctx, "the index waits: cannot list the wallets", "error", err)
		}
		return scope{}, false
	}
	wallets = slices.DeleteFunc(wallets, func(w wallet.Wallet) bool { return !s.has(w.ID) })
	news := make(chan update, len(wallets))
	inspected := false
	go func() {
		defer close(news)
		inspected = f.inspectAll(ctx, wallets, news)
	}()
	written := f.write(ctx, news) // until news is closed
	return f.missing(ctx, s.expected), inspected && written
}

// inspectAll looks at wallets, several at the same time, and reports whether
// it could look at all of them.
func (f *Follower) inspectAll(ctx context.Context, wallets []wallet.Wallet, news chan<- update) bool {
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
			u, err := f.inspect(ctx, w)
			f.report(ctx, w, err)
			if err != nil {
				failed.Store(true)
			} else if u != nil {
				news <- *u
			}
		})
	}
	running.Wait()
	return !failed.Load()
}

// write writes updates, all that have come in by then in one transaction: with
// many wallets, the database is waited for a few times and not once for each.
func (f *Follower) write(ctx context.Context, news <-chan update) (whole bool) {
	whole = true
	for u := range news {
		group := []update{u}
		for more := true; more; {
			select {
			case u, ok := <-news:
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
		if err := f.Store.WriteIndex(ctx, changes); err != nil {
			if ctx.Err() == nil {
				f.Log.WarnContext(ctx, "the index waits: cannot write to it", "error", err)
			}
			whole = false
			continue // the next round finds the same again
		}
		for _, u := range group {
			if u.written != nil {
				u.written()
			}
		}
	}
	return whole
}

// missing returns the expectations that are not met. Core's wallets learn of a
// transaction a moment after its subscribers may.
func (f *Follower) missing(ctx context.Context, expected map[string]expectation) (retry scope) {
	for txid, e := range expected {
		e.tries++
		e.wallets = slices.DeleteFunc(e.wallets, func(id string) bool {
			states, err := f.Store.States(ctx, id, []string{txid})
			return err != nil || len(states) > 0
		})
		if len(e.wallets) > 0 && e.tries < maxRetries {
			retry.expect(txid, e)
		}
	}
	return retry
}

// report logs what keeps a wallet from being followed, once, and notes it in the
// wallet's row where it is about this wallet alone.
func (f *Follower) report(ctx context.Context, w wallet.Wallet, err error) {
	if ctx.Err() != nil {
		return
	}
	problem := problemOf(err)
	was, _ := f.problems.Swap(w.ID, problem)
	if err != nil && was != problem {
		f.Log.WarnContext(ctx, "a wallet is not followed", "wallet_id", w.ID, "error", err)
	}
	if concernsAllWallets(err) || w.Problem == problem {
		return // as_of and the node's status tell
	}
	_, err = f.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		e.Problem = problem
		return nil
	})
	if err != nil && !errors.Is(err, wallet.ErrNotFound) {
		f.Log.WarnContext(ctx, "a wallet's problem could not be noted", "wallet_id", w.ID, "error", err)
	}
}

// concernsAllWallets reports whether the node is away or does not let specterd use it.
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

// problemOf is what may be shown of an error.
func problemOf(err error) string {
	if err == nil {
		return ""
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Message
	}
	return "an internal error, which specterd's log has"
}

// tipOf returns the block of that hash.
func (f *Follower) tipOf(ctx context.Context, hash string, likely backend.Block) (wallet.Tip, error) {
	if likely.Hash == hash {
		return wallet.Tip{Height: int(likely.Height), Hash: hash}, nil
	}
	h, err := f.Node.BlockHeader(ctx, hash)
	return wallet.Tip{Height: int(h.Height), Hash: hash}, err
}
