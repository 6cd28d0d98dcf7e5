package wallet

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// ErrScanRunning is told to whoever wants another scan before the last is over.
var ErrScanRunning = fault.New(fault.Conflict, "scan_running", "the chain is being looked through for this wallet already; wait until that is done, or stop it")

// maxScanRange is how far a range can be made to reach by a rescan. Each address
// costs Core memory from then on.
const maxScanRange = 100_000

// Birth says from when on a wallet may have transactions: Now, or a height, or a
// time; exactly one of them.
type Birth struct {
	Now    bool
	Height *int
	Time   *time.Time
}

// ParseBirth reads a point in time from text: "now", the height of a block, a date,
// which stands for its beginning in UTC, or a time of RFC 3339. Field is what the
// caller calls it.
func ParseBirth(field, text string) (Birth, error) {
	if text == "now" {
		return Birth{Now: true}, nil
	}
	if height, err := strconv.Atoi(text); err == nil && height >= 0 {
		return Birth{Height: &height}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			at = at.UTC()
			return Birth{Time: &at}, nil
		}
	}
	return Birth{}, fault.InvalidField(field, `has to be "now", the height of a block, a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z`)
}

// heightOf returns the height of the block to begin with. Field is what the
// caller calls the point in time.
func (s *Service) heightOf(ctx context.Context, field string, b Birth) (int, error) {
	_, tip, pruneHeight := s.node.Chain()
	height, err := 0, error(nil)
	switch {
	case b.Now && b.Height == nil && b.Time == nil:
		return tip, nil
	case !b.Now && b.Height != nil && b.Time == nil:
		if height = *b.Height; height < 0 || height > tip {
			return 0, fault.InvalidField(field, "has to be from 0 to %d, which is the height of the chain", tip)
		}
	case !b.Now && b.Height == nil && b.Time != nil:
		if b.Time.After(s.now()) {
			return 0, fault.InvalidField(field, "must not be in the future")
		}
		if height, err = s.node.HeightAt(ctx, *b.Time); err != nil {
			return 0, fmt.Errorf("find the block of a time: %w", err)
		}
	default:
		return 0, fault.InvalidField(field, "has to be now, a height or a time")
	}
	if height < pruneHeight {
		return 0, errPruned(field, height, pruneHeight)
	}
	return height, nil
}

func errPruned(field string, height, pruneHeight int) error {
	return fault.InvalidField(field, "is at block %d, and the Bitcoin node is pruned: it has the blocks from %d on. Give that height if the wallet has no earlier transactions, or use a node that has them all",
		height, pruneHeight).With("lowest_height", strconv.Itoa(pruneHeight))
}

// Rescan orders that Core scans the chain again from a point on, for transactions
// to addresses up to rangeEnd, 100,000 at most; 0 leaves the range as it is. The
// follower does the work, which may take hours, and a minute before it begins where
// the range is a large one. It is for owners. It returns ErrScanRunning.
func (s *Service) Rescan(ctx context.Context, who *auth.Principal, alias string, from Birth, rangeEnd uint32) (View, error) {
	v, err := s.Open(ctx, who, alias, auth.RoleOwner)
	if err != nil {
		return View{}, err
	}
	if v.Scanning() {
		return View{}, ErrScanRunning
	}
	if rangeEnd > maxScanRange {
		return View{}, fault.InvalidField("addresses", "must not be over %d", maxScanRange)
	}
	if err := s.node.Ready(); err != nil {
		return View{}, err
	}
	height, err := s.heightOf(ctx, "from", from)
	if err != nil {
		return View{}, err
	}
	v.Wallet, err = s.edit(ctx, v.ID, func(e *Edit) error {
		if e.Scanning() {
			return ErrScanRunning
		}
		e.StartScan(height)
		e.ScanRange, e.ScanUser = rangeEnd, who.UserID
		e.By, e.Reached, e.Queued = who.UserID, rangeEnd, true
		e.Birth = min(e.Birth, height)
		e.Event = who.Event(s.now(), "wallet.rescan", v.ID, fmt.Sprintf("from block %d, addresses up to %d", height, max(rangeEnd, e.RangeEnd)))
		return nil
	})
	if err != nil {
		return View{}, err
	}
	s.kick(v.ID)
	return v, nil
}

// StopRescan ends a scan; what it found stays. It is for owners. There need not
// be a scan.
func (s *Service) StopRescan(ctx context.Context, who *auth.Principal, alias string) error {
	v, err := s.Open(ctx, who, alias, auth.RoleOwner)
	if err != nil {
		return err
	}
	if err := s.abort(ctx, v.Wallet); err != nil {
		return err
	}
	was := false
	_, err = s.edit(ctx, v.ID, func(e *Edit) error {
		if was = e.Scanning(); was {
			e.Event = who.Event(s.now(), "wallet.rescan.stop", v.ID, "")
		}
		e.StopScan("")
		return nil
	})
	if err != nil || !was {
		return err
	}
	s.kick(v.ID)
	return s.abort(ctx, v.Wallet) // what the follower may have begun in between
}

func (s *Service) abort(ctx context.Context, w Wallet) error {
	if err := s.node.AbortRescan(ctx, w.CoreName); err != nil {
		return fmt.Errorf("abort Core's scan for wallet %s: %w", w.ID, err)
	}
	return nil
}

// scanAnew has Core look through all of a wallet's time.
func (s *Service) scanAnew(ctx context.Context, id string) error {
	_, err := s.edit(ctx, id, func(e *Edit) error {
		if !e.Scanning() || e.ScanFrom > e.Birth {
			e.StartScan(e.Birth)
		}
		return nil
	})
	s.kick(id)
	return err
}
