package indexer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/wallet"
)

// scans schedules rescans. A rescan is one call to Bitcoin Core. Rescans run one at a
// time, because a node has few RPC threads.
type scans struct {
	due chan wallet.Wallet

	mu      sync.Mutex
	running string          // the id of the wallet being rescanned
	extends string          // the same id while the range is extended for the rescan
	waiting []wallet.Wallet // wallets due for a rescan while another runs, in the order of arrival
	begun   int             // number of rescans started
	served  map[string]int  // by user id: the value of begun at the user's last rescan
	done    map[string]int  // by wallet id: the start height of a rescan that Core finished and that is not indexed yet
	broken  map[string]bool // by wallet id: the rescan was aborted, and the transactions that it found are not indexed yet
}

// isDone reports whether a rescan of a wallet has finished or was aborted and is not
// indexed yet, so that the wallet may have new transactions in old blocks.
func (s *scans) isDone(w wallet.Wallet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, ok := s.done[w.ID]
	return s.broken[w.ID] || ok && from == w.RescanFrom
}

// take marks a wallet as being rescanned and returns true if no rescan is running.
// Otherwise it queues the wallet, unless the wallet is already being rescanned or
// queued, and returns false.
func (s *scans) take(w wallet.Wallet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == "" {
		s.begin(w)
		return true
	}
	isSame := func(other wallet.Wallet) bool { return other.ID == w.ID }
	if s.running != w.ID && !slices.ContainsFunc(s.waiting, isSame) {
		s.waiting = append(s.waiting, w)
	}
	return false
}

// begin marks a wallet as being rescanned. The caller must hold s.mu.
func (s *scans) begin(w wallet.Wallet) {
	s.running = w.ID
	s.begun++
	s.served[w.RescanUser] = s.begun
}

// next ends the running rescan and selects the next one from the queue: the wallet
// of the user whose last rescan started the longest time ago, so that many rescans
// of one user do not block the others.
func (s *scans) next() (next wallet.Wallet, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = ""
	if len(s.waiting) == 0 {
		return next, false
	}
	next = slices.MinFunc(s.waiting, func(a, b wallet.Wallet) int {
		return cmp.Compare(s.served[a.RescanUser], s.served[b.RescanUser])
	})
	s.waiting = slices.DeleteFunc(s.waiting, func(w wallet.Wallet) bool { return w.ID == next.ID })
	s.begin(next)
	return next, true
}

// isExtending reports whether the range of a wallet is being extended.
func (s *scans) isExtending(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extends == id
}

func (s *scans) extend(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extends = id
}

// superviseScan starts or queues the rescan that is due for a wallet, and stores the
// progress of a running one. It reports whether a rescan has ended and must be
// indexed.
func (x *Indexer) superviseScan(ctx context.Context, w wallet.Wallet, now *backend.Scan) bool {
	if x.scans.isDone(w) {
		return true
	}
	switch {
	case !w.Rescanning():
	case now != nil:
		if now.Progress >= w.RescanProgress+0.01 || now.Progress < w.RescanProgress {
			x.storeProgress(ctx, w, now.Progress)
		}
	case x.scans.take(w):
		x.scans.due <- w // does not block: no other rescan is active
	}
	return false
}

func (x *Indexer) storeProgress(ctx context.Context, w wallet.Wallet, progress float64) {
	_, err := x.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		if e.Rescanning() {
			e.RescanProgress, e.RescanProblem = min(max(progress, 0), 1), ""
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		x.Log.WarnContext(ctx, "storing the progress of a rescan failed", "wallet_id", w.ID, "error", err)
	}
}

// scanWritten ends a rescan whose results have been indexed.
func (x *Indexer) scanWritten(ctx context.Context, w wallet.Wallet) {
	_, err := x.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		if e.RescanFrom == w.RescanFrom {
			e.EndRescan("")
		}
		return nil
	})
	if err != nil {
		return // the next round tries again
	}
	x.scans.mu.Lock()
	defer x.scans.mu.Unlock()
	delete(x.scans.done, w.ID)
	delete(x.scans.broken, w.ID)
}

// scan runs the rescans that are due, until ctx ends.
func (x *Indexer) scan(ctx context.Context) {
	for {
		select {
		case w := <-x.scans.due:
			x.scanOne(ctx, w)
		case <-ctx.Done():
			return
		}
	}
}

func (x *Indexer) scanOne(ctx context.Context, w wallet.Wallet) {
	defer func() {
		if next, ok := x.scans.next(); ok {
			x.scans.due <- next // does not block; see superviseScan
		}
	}()
	w, to, err := x.rescan(ctx, w)
	x.scans.mu.Lock()
	switch {
	case err == nil && w.Rescanning():
		x.scans.done[w.ID] = w.RescanFrom
	case errors.Is(err, backend.ErrScanAborted):
		x.scans.broken[w.ID] = true
	}
	x.scans.mu.Unlock()
	switch {
	case err == nil && !w.Rescanning(): // it was aborted before it started
	case err == nil:
		x.Log.InfoContext(ctx, "rescan finished", "wallet_id", w.ID, "to_height", to)
	case ctx.Err() != nil:
		return
	case errors.Is(err, backend.ErrScanAborted):
		x.Log.InfoContext(ctx, "rescan aborted", "wallet_id", w.ID)
	case errors.Is(err, wallet.ErrNotFound): // deleted in the meantime
	case isPermanent(err):
		x.Log.ErrorContext(ctx, "rescan failed permanently", "wallet_id", w.ID, "from_height", w.RescanFrom, "error", err)
		x.storeScanProblem(ctx, w, err, true)
	default: // the node is unreachable or runs another rescan; a later sync round tries again
		x.Log.WarnContext(ctx, "rescan interrupted; will retry", "wallet_id", w.ID, "error", err)
		x.storeScanProblem(ctx, w, err, false)
		pause(ctx, pollInterval)
	}
	x.Kick(w.ID)
}

// rescan runs a rescan for a wallet, after extending the wallet's range as
// required. It returns the wallet as it was before the rescan, and the height that
// the rescan reached. If the rescan was aborted before it started, the returned
// wallet is not Rescanning.
func (x *Indexer) rescan(ctx context.Context, w wallet.Wallet) (_ wallet.Wallet, to int64, err error) {
	if w, err = x.reload(ctx, w); err != nil {
		return w, 0, err
	}
	for w.Rescanning() && w.RescanRange > w.RangeEnd { // another rescan may have been requested meanwhile
		if w, err = x.extend(ctx, w); err != nil {
			return w, 0, err
		}
	}
	if !w.Rescanning() {
		return w, 0, nil
	}
	x.Log.InfoContext(ctx, "rescan started", "wallet_id", w.ID, "from_height", w.RescanFrom)
	to, err = x.Scanner.Wallet(w.CoreName).Rescan(ctx, int64(w.RescanFrom))
	return w, to, err
}

// reload returns the current state of a wallet that may have waited for hours in the
// queue. It returns wallet.ErrNotFound if the wallet is not ready.
func (x *Indexer) reload(ctx context.Context, w wallet.Wallet) (wallet.Wallet, error) {
	now, err := x.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		if e.Stage != wallet.Ready {
			return wallet.ErrNotFound
		}
		return nil
	})
	if err != nil {
		return w, err
	}
	return now, nil
}

// extend extends the range of a wallet for its rescan. The wallet is not inspected
// meanwhile, because Bitcoin Core would not respond.
func (x *Indexer) extend(ctx context.Context, w wallet.Wallet) (wallet.Wallet, error) {
	x.scans.extend(w.ID)
	defer x.scans.extend("")
	done, err := x.inspecting.Lock(ctx, w.ID) // waits for the end of the current inspection
	if err != nil {
		return w, err
	}
	done()
	x.Log.InfoContext(ctx, "extending the address range for a rescan", "wallet_id", w.ID, "addresses", w.RescanRange)
	extended, err := x.Wallets.EnsureScanRange(ctx, w)
	if err != nil {
		return w, fmt.Errorf("extend the range of wallet %s: %w", w.ID, err)
	}
	return extended, nil
}

// isPermanent reports whether a repeated rescan would fail in the same way.
func isPermanent(err error) bool {
	_, refused := errors.AsType[*backend.ImportError](err)
	return refused || errors.Is(err, backend.ErrBlocksPruned) || errors.Is(err, backend.ErrBlockNotFound)
}

// storeScanProblem stores in the wallet's row why its rescan failed or is delayed.
func (x *Indexer) storeScanProblem(ctx context.Context, w wallet.Wallet, reason error, failed bool) {
	_, err := x.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		switch {
		case failed:
			e.EndRescan(problemOf(reason))
		case e.Rescanning():
			e.RescanProblem = problemOf(reason)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		x.Log.WarnContext(ctx, "storing the problem of a rescan failed", "wallet_id", w.ID, "error", err)
	}
}
