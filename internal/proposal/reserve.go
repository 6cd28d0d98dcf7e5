package proposal

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
// and unlock what was released, which it returns. That is forgotten then, and not
// before: until here, a look that is under way may have seen the lock. What Core does
// not unlock yet is kept, and tried again at the next look.
func (s *Service) Reconcile(ctx context.Context, w wallet.Wallet, locked []btc.Outpoint) (unlocked []btc.Outpoint, err error) {
	reserved, err := s.store.Reservations(ctx, w.ID)
	if err != nil || len(ToLock(reserved, locked)) == 0 && len(released(reserved)) == 0 {
		return nil, err
	}
	soon, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	done, err := s.wallets.TakeCoins(soon, w.ID)
	if err != nil {
		return nil, ctx.Err() // somebody is at work on the wallet, and its next look is not far
	}
	defer done()
	if reserved, err = s.store.Reservations(ctx, w.ID); err != nil {
		return nil, err
	}
	if err := s.lock(ctx, w, ToLock(reserved, locked)); err != nil {
		return nil, err
	}
	letGo := released(reserved)
	if len(letGo) == 0 {
		return nil, nil
	}
	if unlocked, err = s.unlock(ctx, w, letGo); err != nil {
		return nil, err
	}
	unlocked, refused, err := s.stillLocked(ctx, w, unlocked)
	if err != nil {
		return nil, err
	}
	letGo = slices.DeleteFunc(letGo, func(at btc.Outpoint) bool { return slices.Contains(refused, at) })
	return unlocked, s.store.ForgetReleased(ctx, w.ID, letGo)
}

// stillLocked divides outputs that Core was asked to unlock into those that it has
// unlocked and those that it has not. Core refuses it while an output is spent, and
// keeps the lock: the output would stay locked if it became unspent again.
func (s *Service) stillLocked(ctx context.Context, w wallet.Wallet, asked []btc.Outpoint) (unlocked, refused []btc.Outpoint, err error) {
	if len(asked) == 0 {
		return nil, nil, nil
	}
	locked, err := s.node.Locked(ctx, w.CoreName)
	for _, at := range asked {
		if slices.Contains(locked, at) {
			refused = append(refused, at)
		} else {
			unlocked = append(unlocked, at)
		}
	}
	return unlocked, refused, err
}

// turnPatience is how long a look at a wallet waits for those who make proposals.
const turnPatience = 100 * time.Millisecond

// ToLock returns the coins that Core is to be told to lock. It has no lock for what
// is spent.
func ToLock(reserved []Reservation, locked []btc.Outpoint) []btc.Outpoint {
	var coins []btc.Outpoint
	for _, r := range reserved {
		if r.ProposalID != "" && r.Unspent && !slices.Contains(locked, r.Outpoint) {
			coins = append(coins, r.Outpoint)
		}
	}
	return coins
}

// released returns the coins that no proposal has any more.
func released(reserved []Reservation) []btc.Outpoint {
	var coins []btc.Outpoint
	for _, r := range reserved {
		if r.ProposalID == "" {
			coins = append(coins, r.Outpoint)
		}
	}
	return coins
}

// release has Core unlock what was released, for whoever has the wallet's turn.
// Where that fails, the follower does it when it looks next, as it forgets then what
// was released.
func (s *Service) release(ctx context.Context, w wallet.Wallet) {
	reserved, err := s.store.Reservations(ctx, w.ID)
	if err == nil {
		_, err = s.unlock(ctx, w, released(reserved))
	}
	if err != nil {
		s.log.WarnContext(ctx, "Bitcoin Core could not be told yet which coins are free again", "wallet_id", w.ID, "error", err)
	}
	s.o.Kick(w.ID)
}

// lock has Core not choose coins. One that is spent needs no lock: a replacement
// spends coins that the transaction before it spent.
func (s *Service) lock(ctx context.Context, w wallet.Wallet, coins []btc.Outpoint) error {
	if len(coins) == 0 {
		return nil
	}
	err := s.node.SetLocked(ctx, w.CoreName, coins, true)
	if err == nil || fault.KindOf(err) == fault.Conflict {
		return nil
	}
	return fmt.Errorf("lock coins of wallet %s: %w", w.ID, err)
}

// unlock has Core choose coins again that were released, unless somebody froze
// them, and returns those that it may choose.
func (s *Service) unlock(ctx context.Context, w wallet.Wallet, released []btc.Outpoint) (free []btc.Outpoint, err error) {
	for _, at := range released {
		coin, err := s.store.Coin(ctx, w.ID, at)
		if err != nil && !errors.Is(err, wallet.ErrCoinNotFound) { // what is spent is not locked
			return nil, err
		}
		if !coin.Frozen {
			free = append(free, at)
		}
	}
	if len(free) == 0 {
		return nil, nil
	}
	if err := s.node.SetLocked(ctx, w.CoreName, free, false); err != nil {
		return nil, fmt.Errorf("unlock coins of wallet %s: %w", w.ID, err)
	}
	return free, nil
}
