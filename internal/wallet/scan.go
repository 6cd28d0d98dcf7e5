package wallet

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// ErrRescanRunning is returned for a rescan that is requested while another one of
// the wallet is queued or running. It has the same code as ErrNodeScanning.
var ErrRescanRunning = ErrNodeScanning.WithMessage("a rescan of this wallet is already queued or running; wait until it has finished, or abort it")

// maxScanRange is the maximum number of addresses of each branch in a rescan. Each
// address permanently costs memory in Bitcoin Core.
const maxScanRange = 100_000

// Birthday is a point in time before which a wallet has no transactions. Exactly one
// field is set.
type Birthday struct {
	Now    bool
	Height *int
	Time   *time.Time
}

// ParseBirthday parses a point in time: "now", a block height, an RFC 3339 time, or a date,
// which stands for its beginning in UTC. Field is the caller's name for it in errors.
func ParseBirthday(field, text string) (Birthday, error) {
	if text == "now" {
		return Birthday{Now: true}, nil
	}
	if height, err := strconv.Atoi(text); err == nil && height >= 0 {
		return Birthday{Height: &height}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			at = at.UTC()
			return Birthday{Time: &at}, nil
		}
	}
	return Birthday{}, fault.InvalidField(field, `must be "now", a block height, a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z`)
}

// heightOf returns the height of the first block to scan for a wallet. Field is the
// caller's name for the point in time in errors.
func (s *Service) heightOf(ctx context.Context, w NodeWallet, field string, b Birthday) (int, error) {
	if err := s.checkBirthday(w, field, b); err != nil {
		return 0, err
	}
	tip, pruneHeight := s.node.Chain(w)
	switch {
	case b.Now:
		return tip, nil
	case b.Height != nil:
		return *b.Height, nil
	}
	height, err := s.node.HeightAt(ctx, w, *b.Time)
	if err != nil {
		return 0, fmt.Errorf("find the block of a time: %w", err)
	}
	if height < pruneHeight {
		return 0, errPruned(field, height, pruneHeight)
	}
	return height, nil
}

// checkBirthday returns a fault about a field unless b is valid, as far as that is known
// without a call of the node.
func (s *Service) checkBirthday(w NodeWallet, field string, b Birthday) error {
	tip, pruneHeight := s.node.Chain(w)
	switch {
	case b.Now && b.Height == nil && b.Time == nil:
		return nil
	case !b.Now && b.Height != nil && b.Time == nil:
		switch height := *b.Height; {
		case height < 0 || height > tip:
			return fault.InvalidField(field, "must be between 0 and %d, the height of the chain", tip)
		case height < pruneHeight:
			return errPruned(field, height, pruneHeight)
		}
		return nil
	case !b.Now && b.Height == nil && b.Time != nil:
		if b.Time.After(s.now()) {
			return fault.InvalidField(field, "must not be in the future")
		}
		return nil
	}
	return fault.InvalidField(field, "must be now, a height or a time")
}

func errPruned(field string, height, pruneHeight int) error {
	return fault.InvalidField(field, "is at block %d, but the Bitcoin node is pruned and has only the blocks from %d on; use that height if the wallet has no earlier transactions, or use a node that is not pruned",
		height, pruneHeight).WithDetail("lowest_height", strconv.Itoa(pruneHeight))
}

// Rescan queues a rescan of the blockchain from a point in time on, for transactions
// to addresses up to rangeEnd, at most 100,000; 0 leaves the range unchanged. The
// indexer runs the rescan, which may take hours, after extending the range, which may
// take about a minute. It requires the role owner. It returns ErrRescanRunning if a rescan
// is queued or running.
func (s *Service) Rescan(ctx context.Context, access Access, from Birthday, rangeEnd uint32) (View, error) {
	v, err := s.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return View{}, err
	}
	if v.Rescanning() {
		return View{}, ErrRescanRunning
	}
	if rangeEnd > maxScanRange {
		return View{}, fault.InvalidField("addresses", "must be at most %d", maxScanRange)
	}
	if err := s.node.Ready(v.NodeWallet()); err != nil {
		return View{}, err
	}
	height, err := s.heightOf(ctx, v.NodeWallet(), "from", from)
	if err != nil {
		return View{}, err
	}
	who := access.Caller()
	v.Wallet, err = s.edit(ctx, v.ID, func(e *Edit) error {
		if e.Rescanning() {
			return ErrRescanRunning
		}
		e.StartRescan(height)
		e.RescanRange, e.RescanUser = rangeEnd, who.UserID
		e.Caller, e.Reached, e.Queued = who, rangeEnd, true
		e.Birthday = min(e.Birthday, height)
		e.Event = who.Event(s.now(), "wallet.rescan", v.ID, fmt.Sprintf("from block %d, addresses up to %d", height, max(rangeEnd, e.RangeEnd)))
		return nil
	})
	if err != nil {
		return View{}, err
	}
	s.kick(v.ID)
	return v, nil
}

// StopRescan aborts a rescan. The transactions that it found stay in the history. It
// requires the role owner. Without a rescan, it does nothing.
func (s *Service) StopRescan(ctx context.Context, access Access) error {
	v, err := s.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return err
	}
	if err := s.abort(ctx, v.Wallet); err != nil {
		return err
	}
	was := false
	_, err = s.edit(ctx, v.ID, func(e *Edit) error {
		if was = e.Rescanning(); was {
			e.Aborted = true
			e.Event = access.Caller().Event(s.now(), "wallet.rescan.stop", v.ID, "")
		}
		e.EndRescan("")
		return nil
	})
	if err != nil || !was {
		return err
	}
	s.kick(v.ID)
	return s.abort(ctx, v.Wallet) // a rescan that the indexer may have started in between
}

func (s *Service) abort(ctx context.Context, w Wallet) error {
	if err := s.node.AbortRescan(ctx, w.NodeWallet()); err != nil {
		return fmt.Errorf("abort the rescan of wallet %s: %w", w.ID, err)
	}
	return nil
}

// restartRescan queues a rescan from a wallet's birthday on, unless one from the same or a
// lower height is due.
func (s *Service) restartRescan(ctx context.Context, id string) error {
	_, err := s.edit(ctx, id, func(e *Edit) error {
		if !e.Rescanning() || e.RescanFrom > e.Birthday {
			e.StartRescan(e.Birthday)
		}
		return nil
	})
	s.kick(id)
	return err
}
