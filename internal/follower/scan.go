package follower

import (
	"context"
	"errors"
	"sync"

	"github.com/specterd/specterd/internal/core"
	"github.com/specterd/specterd/internal/wallet"
)

// scans is which wallets are to be looked for in old blocks. Core does so in one
// call each, and one at a time is as much as a node's few RPC threads bear.
type scans struct {
	due chan wallet.Wallet

	mu      sync.Mutex
	running string          // a wallet's id
	waiting map[string]bool // by wallet's id: it found another running
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
func (s *scans) take(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != "" {
		s.waiting[id] = true
		return false
	}
	s.running = id
	return true
}

// followScan keeps a scan going that a wallet needs, and reports whether the
// index is being made anew after one.
func (f *Follower) followScan(ctx context.Context, w wallet.Wallet, now *core.Scan) bool {
	if f.scans.isDone(w) {
		return true
	}
	switch {
	case !w.Scanning():
	case now != nil:
		if now.Progress >= w.ScanProgress+0.01 || now.Progress < w.ScanProgress {
			f.noteProgress(ctx, w, now.Progress)
		}
	case f.scans.take(w.ID):
		f.scans.due <- w // has room: nothing else is under way
	}
	return false
}

func (f *Follower) noteProgress(ctx context.Context, w wallet.Wallet, progress float64) {
	_, err := f.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		if e.Scanning() {
			e.ScanProgress = min(max(progress, 0), 1)
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
			e.ScanFrom, e.ScanProgress = -1, 0
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
	f.Log.InfoContext(ctx, "scan begins", "wallet_id", w.ID, "name", w.Name, "from_height", w.ScanFrom)
	to, err := f.Scanner.Wallet(w.CoreName).Rescan(ctx, int64(w.ScanFrom))
	f.scans.mu.Lock()
	f.scans.running = ""
	waiting := f.scans.waiting
	f.scans.waiting = map[string]bool{}
	switch {
	case err == nil:
		f.scans.done[w.ID] = w.ScanFrom
	case errors.Is(err, core.ErrScanAborted):
		f.scans.broken[w.ID] = true
	}
	f.scans.mu.Unlock()
	switch {
	case err == nil:
		f.Log.InfoContext(ctx, "scan ended", "wallet_id", w.ID, "to_height", to)
	case ctx.Err() != nil:
		return
	case errors.Is(err, core.ErrScanAborted):
		f.Log.InfoContext(ctx, "scan aborted", "wallet_id", w.ID)
	case errors.Is(err, core.ErrBlocksPruned), errors.Is(err, core.ErrBlockNotFound):
		f.giveUp(ctx, w, err)
	default: // the node went away, or scans already; a later round tries again
		f.Log.WarnContext(ctx, "scan broken off", "wallet_id", w.ID, "error", err)
		pause(ctx, pollInterval)
	}
	f.Kick(w.ID)
	for id := range waiting { // one of them is next
		f.Kick(id)
	}
}

// giveUp ends a scan that cannot be done.
func (f *Follower) giveUp(ctx context.Context, w wallet.Wallet, reason error) {
	f.Log.ErrorContext(ctx, "scan impossible", "wallet_id", w.ID, "from_height", w.ScanFrom, "error", reason)
	_, err := f.Store.EditWallet(ctx, w.ID, func(e *wallet.Edit) error {
		e.ScanFrom, e.ScanProgress = -1, 0
		return nil
	})
	if err != nil && ctx.Err() == nil {
		f.Log.WarnContext(ctx, "that could not be noted", "wallet_id", w.ID, "error", err)
	}
}
