package spend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

// The reservation in the database decides; that Core has the coins locked, too,
// keeps it from choosing them in vain. Core forgets, and a process may die before
// it has told Core, so that both are compared whenever the follower looks.

// Reconcile has Core lock what is reserved and is not among what it has locked,
// and unlock what was released.
func (s *Service) Reconcile(ctx context.Context, w wallet.Wallet, locked []btc.Outpoint) error {
	reserved, err := s.store.Reservations(ctx, w.ID)
	if err != nil || !differs(reserved, locked) {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	done, err := s.turns.Take(soon, w.ID)
	if err != nil {
		return ctx.Err() // somebody is at work on the wallet, and its next look is not far
	}
	defer done()
	return s.reconcile(ctx, w, locked)
}

// turnPatience is how long a look at a wallet waits for those who make proposals.
const turnPatience = 100 * time.Millisecond

func differs(reserved []Reservation, locked []btc.Outpoint) bool {
	return slices.ContainsFunc(reserved, func(r Reservation) bool { return r.ProposalID == "" || r.toLock(locked) })
}

// toLock reports whether Core is to be told to lock a coin. It has no lock for what
// is spent.
func (r Reservation) toLock(locked []btc.Outpoint) bool {
	return r.ProposalID != "" && r.Unspent && !slices.Contains(locked, r.Outpoint)
}

// reconcile is Reconcile for whoever has the wallet's turn.
func (s *Service) reconcile(ctx context.Context, w wallet.Wallet, locked []btc.Outpoint) error {
	reserved, err := s.store.Reservations(ctx, w.ID)
	if err != nil {
		return err
	}
	var released []btc.Outpoint
	for _, r := range reserved {
		switch {
		case r.ProposalID == "":
			if err := s.unlock(ctx, w, r.Outpoint); err != nil {
				return err
			}
			released = append(released, r.Outpoint)
		case r.toLock(locked):
			if err := s.lock(ctx, w, r.Outpoint); err != nil {
				return err
			}
		}
	}
	if len(released) == 0 {
		return nil
	}
	return s.store.ForgetReleased(ctx, w.ID, released)
}

// lock has Core not choose a coin. One that is spent needs no lock: a replacement
// spends coins that the transaction before it spent.
func (s *Service) lock(ctx context.Context, w wallet.Wallet, at btc.Outpoint) error {
	err := s.node.SetLocked(ctx, w.CoreName, at, true)
	if err == nil || fault.KindOf(err) == fault.Conflict {
		return nil
	}
	return fmt.Errorf("lock a coin of wallet %s: %w", w.ID, err)
}

// unlock has Core choose a coin again, unless somebody froze it.
func (s *Service) unlock(ctx context.Context, w wallet.Wallet, at btc.Outpoint) error {
	coin, err := s.store.Coin(ctx, w.ID, at)
	switch {
	case errors.Is(err, wallet.ErrCoinNotFound): // spent, and so not locked
	case err != nil:
		return err
	case coin.Frozen:
		return nil
	}
	if err := s.node.SetLocked(ctx, w.CoreName, at, false); err != nil {
		return fmt.Errorf("unlock a coin of wallet %s: %w", w.ID, err)
	}
	return nil
}

// release has Core unlock what was released, for whoever has the wallet's turn.
// Where that fails, the follower does it later.
func (s *Service) release(ctx context.Context, w wallet.Wallet) {
	reserved, err := s.store.Reservations(ctx, w.ID)
	if err == nil {
		all := make([]btc.Outpoint, len(reserved))
		for i, r := range reserved {
			all[i] = r.Outpoint
		}
		err = s.reconcile(ctx, w, all)
	}
	if err != nil {
		s.log.WarnContext(ctx, "Bitcoin Core could not be told yet which coins are free again", "wallet_id", w.ID, "error", err)
		s.o.Kick(w.ID)
	}
}
