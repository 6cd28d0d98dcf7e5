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

// scans is which wallets are to be looked for in old blocks. Core does so in one
// call each, and one at a time is as much as a node's few RPC threads bear.
type scans struct {
	due chan wallet.Wallet

	mu      sync.Mutex
	running string          // a wallet's id
	extends string          // the same, while its range is extended for that
	waiting []wallet.Wallet // found another running, in the order in which they came
	begun   int             // how many scans have begun
	served  map[string]int  // by user's id: how many had begun with their last one
	done    map[string]int  // from which height, by wallet's id: Core is through, the index is not
	broken  map[string]bool // aborted: what was found is to be written
}

// isDone reports whether Core has looked, so that there may be news in old blocks.
func (s *scans) isDone(w wallet.Wallet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, ok := s.done[w.ID]
	return s.broken[w.ID] || ok && from == w.ScanFrom
}

// take notes that a wallet is being scanned, unless another is: then it is to wait.
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

// begin is called with s.mu held.
func (s *scans) begin(w wallet.Wallet) {
	s.running = w.ID
	s.begun++
	s.served[w.ScanUser] = s.begun
}

// next ends the scan that is running and begins the next, if one waits: that of the
// user whose last one began the longest time ago, so that many scans of one user do
// not keep the others waiting.
func (s *scans) next() (next wallet.Wallet, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = ""
	if len(s.waiting) == 0 {
		return next, false
	}
	next = slices.MinFunc(s.waiting, func(a, b wallet.Wallet) int {
		return cmp.Compare(s.served[a.ScanUser], s.served[b.ScanUser])
	})
	s.waiting = slices.DeleteFunc(s.waiting, func(w wallet.Wallet) bool { return w.ID == next.ID })
	s.begin(next)
	return next, true
}

// isExtending reports whether Core is told of many addresses of a wallet.
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

// followScan keeps a scan going that a wallet needs, and reports whether the
// index is being made anew after one.
func (f *Follower) followScan(ctx context.Context, w wallet.Wallet, now *backend.Scan) bool {
	if f.scans.isDone(w) {
		return true
	}
	switch {
	case !w.Scanning():
	case now != nil:
		if now.Progress >= w.ScanProgress+0.01 || now.Progress < w.ScanProgress {
			f.noteProgress(ctx, w, now.Progress)
		}
	case f.scans.take(w):
		f.scans.due <- w // has room: nothing else is under way
	}
	return false
}

func (f *Follower) noteProgress(ctx context.Context, w wallet.Wallet, progress float64) {
	_, err := f.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		if e.Scanning() {
			e.ScanProgress, e.ScanProblem = min(max(progress, 0), 1), ""
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		f.Log.WarnContext(ctx, "the progress of a scan could not be noted", "wallet_id", w.ID, "error", err)
	}
}

// scanWritten ends a scan whose finds are in the index.
func (f *Follower) scanWritten(ctx context.Context, w wallet.Wallet) {
	_, err := f.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		if e.ScanFrom == w.ScanFrom {
			e.StopScan("")
		}
		return nil
	})
	if err != nil {
		return // the next round does it all again
	}
	f.scans.mu.Lock()
	defer f.scans.mu.Unlock()
	delete(f.scans.done, w.ID)
	delete(f.scans.broken, w.ID)
}

// scan has Core scan for the wallets that are due, until ctx ends.
func (f *Follower) scan(ctx context.Context) {
	for {
		select {
		case w := <-f.scans.due:
			f.scanOne(ctx, w)
		case <-ctx.Done():
			return
		}
	}
}

func (f *Follower) scanOne(ctx context.Context, w wallet.Wallet) {
	defer func() {
		if next, ok := f.scans.next(); ok {
			f.scans.due <- next // has room, as above
		}
	}()
	w, to, err := f.rescan(ctx, w)
	f.scans.mu.Lock()
	switch {
	case err == nil && w.Scanning():
		f.scans.done[w.ID] = w.ScanFrom
	case errors.Is(err, backend.ErrScanAborted):
		f.scans.broken[w.ID] = true
	}
	f.scans.mu.Unlock()
	switch {
	case err == nil && !w.Scanning(): // it was stopped before it began
	case err == nil:
		f.Log.InfoContext(ctx, "scan ended", "wallet_id", w.ID, "to_height", to)
	case ctx.Err() != nil:
		return
	case errors.Is(err, backend.ErrScanAborted):
		f.Log.InfoContext(ctx, "scan aborted", "wallet_id", w.ID)
	case errors.Is(err, wallet.ErrNotFound): // deleted meanwhile
	case isHopeless(err):
		f.Log.ErrorContext(ctx, "scan impossible", "wallet_id", w.ID, "from_height", w.ScanFrom, "error", err)
		f.noteScanProblem(ctx, w, err, true)
	default: // the node went away, or scans already; a later round tries again
		f.Log.WarnContext(ctx, "scan broken off", "wallet_id", w.ID, "error", err)
		f.noteScanProblem(ctx, w, err, false)
		pause(ctx, pollInterval)
	}
	f.Kick(w.ID)
}

// rescan has Core scan for a wallet, after its range has been extended to what the
// scan needs. It returns the wallet as it was in between: nothing was scanned where
// somebody had stopped the scan by then.
func (f *Follower) rescan(ctx context.Context, w wallet.Wallet) (_ wallet.Wallet, to int64, err error) {
	if w, err = f.reload(ctx, w); err != nil {
		return w, 0, err
	}
	for w.Scanning() && w.ScanRange > w.RangeEnd { // another scan may be due by then
		if w, err = f.extend(ctx, w); err != nil {
			return w, 0, err
		}
	}
	if !w.Scanning() {
		return w, 0, nil
	}
	f.Log.InfoContext(ctx, "scan begins", "wallet_id", w.ID, "from_height", w.ScanFrom)
	to, err = f.Scanner.Wallet(w.CoreName).Rescan(ctx, int64(w.ScanFrom))
	return w, to, err
}

// reload returns a wallet as it is now, since it may have waited for hours. It returns
// wallet.ErrNotFound for one that is not ready.
func (f *Follower) reload(ctx context.Context, w wallet.Wallet) (wallet.Wallet, error) {
	now, err := f.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
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

// extend extends the range of a wallet for its scan. Nobody looks at the wallet
// meanwhile: Core would not answer.
func (f *Follower) extend(ctx context.Context, w wallet.Wallet) (wallet.Wallet, error) {
	f.scans.extend(w.ID)
	defer f.scans.extend("")
	done, err := f.looks.Take(ctx, w.ID) // the look that is under way ends first
	if err != nil {
		return w, err
	}
	done()
	f.Log.InfoContext(ctx, "addresses are added for a scan", "wallet_id", w.ID, "addresses", w.ScanRange)
	extended, err := f.Keeper.EnsureScanRange(ctx, w)
	if err != nil {
		return w, fmt.Errorf("extend the range of wallet %s: %w", w.ID, err)
	}
	return extended, nil
}

// isHopeless reports whether a scan would fail in the same way if it were tried again.
func isHopeless(err error) bool {
	_, refused := errors.AsType[*backend.ImportError](err)
	return refused || errors.Is(err, backend.ErrBlocksPruned) || errors.Is(err, backend.ErrBlockNotFound)
}

// noteScanProblem notes in the wallet's row why its scan failed, or waits.
func (f *Follower) noteScanProblem(ctx context.Context, w wallet.Wallet, reason error, failed bool) {
	_, err := f.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		switch {
		case failed:
			e.StopScan(problemOf(reason))
		case e.Scanning():
			e.ScanProblem = problemOf(reason)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		f.Log.WarnContext(ctx, "the problem of a scan could not be noted", "wallet_id", w.ID, "error", err)
	}
}
