package wallet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// ErrCoinNotFound is told for an outpoint that is no unspent output of the wallet.
var ErrCoinNotFound = fault.New(fault.NotFound, "coin_not_found", "there is no such unspent output in this wallet")

// Coin is an unspent output of a wallet.
type Coin struct {
	btc.Outpoint
	Address string
	Place
	Amount        btc.Amount
	Time          time.Time // that of its transaction
	Status        Status    // that of its transaction
	Height        int       // of its block; 0 while unconfirmed
	Confirmations int
	Label         string // of the output, or else of its address
	// Trusted coins can be spent now. A coin that is not trusted is unconfirmed
	// and from somebody else, or immature.
	Trusted  bool
	Immature bool // of a coinbase with less than 101 confirmations
	Locked   bool // Core does not spend it by itself (RPC lockunspent): it is Frozen or Reserved, or others locked it there
	Frozen   bool // somebody does not want it to be spent
	Reserved bool // a proposal spends it
}

// CoinFilter says which unspent outputs of a list are wanted; the zero value says all.
type CoinFilter struct {
	Label   *string // of the output or of its address; empty for those without a label
	Address string
	Frozen  *bool
}

// Coins returns all unspent outputs, as FilteredCoins does.
func (s *Service) Coins(ctx context.Context, who *auth.Principal, alias string, after btc.Outpoint, limit int) ([]Coin, error) {
	return s.FilteredCoins(ctx, who, alias, CoinFilter{}, after, limit)
}

// FilteredCoins returns unspent outputs in the order of their outpoints, from the one that
// follows after; the zero value is the beginning.
func (s *Service) FilteredCoins(ctx context.Context, who *auth.Principal, alias string, f CoinFilter, after btc.Outpoint, limit int) ([]Coin, error) {
	v, err := s.Open(ctx, who, alias, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	f.Address = s.canonical(f.Address)
	return s.store.FilteredCoins(ctx, v.ID, f, after, limit)
}

// Freeze has a coin not spent until it is let go again. It is for signers, since
// it stands in the way of what others propose and sign. It may be called again.
// It returns ErrCoinNotFound.
func (s *Service) Freeze(ctx context.Context, who *auth.Principal, alias string, at btc.Outpoint, frozen bool) error {
	v, err := s.Open(ctx, who, alias, auth.RoleSigner)
	if err != nil {
		return err
	}
	c, err := s.store.Coin(ctx, v.ID, at)
	if err != nil {
		return err
	}
	if err := s.freeze(ctx, who, v.Wallet, []Coin{c}, frozen); err != nil {
		return err
	}
	s.kick(v.ID)
	return nil
}

// freeze does at the node and in the store what is needed for all coins at once, in
// such an order that a coin that the store has as frozen is locked at the node: the
// follower would lock it. When the second step fails, the first is taken back. After a
// crash in between, coins are locked and not frozen; that they may be is noted before, so
// that they are unlocked at the next look.
func (s *Service) freeze(ctx context.Context, who *auth.Principal, w Wallet, coins []Coin, frozen bool) error {
	done, err := s.TakeCoins(ctx, w.ID)
	if err != nil {
		return err
	}
	defer done()
	first, second := s.remember, s.lock
	if frozen {
		first, second = s.lock, s.remember
		unlocked := coinsThat(coins, func(c Coin) bool { return !c.Locked })
		if err := s.store.NoteLock(ctx, w.ID, outpointsOf(unlocked)); err != nil {
			return err
		}
	}
	if err := first(ctx, who, w, coins, frozen); err != nil {
		return err
	}
	err = second(ctx, who, w, coins, frozen)
	changed := coinsThat(coins, func(c Coin) bool { return c.Frozen != frozen && (!frozen || !c.Locked) })
	if err == nil || len(changed) == 0 {
		return err
	}
	// Though the caller may be gone by now.
	if undo := first(context.WithoutCancel(ctx), who, w, changed, !frozen); undo != nil {
		s.log.WarnContext(ctx, "coins could be neither frozen nor let go completely", "wallet_id", w.ID, "coin", changed[0].String(), "coins", len(changed), "error", undo)
	}
	return err
}

func coinsThat(coins []Coin, is func(Coin) bool) []Coin {
	return slices.DeleteFunc(slices.Clone(coins), func(c Coin) bool { return !is(c) })
}

func outpointsOf(coins []Coin) []btc.Outpoint {
	at := make([]btc.Outpoint, len(coins))
	for i, c := range coins {
		at[i] = c.Outpoint
	}
	return at
}

// remember has the store know whether coins are frozen.
func (s *Service) remember(ctx context.Context, who *auth.Principal, w Wallet, coins []Coin, frozen bool) error {
	if len(coins) == 0 {
		return nil
	}
	action, now := "coin.unfreeze", s.now()
	if frozen {
		action = "coin.freeze"
	}
	detail := ""
	if len(coins) > 1 {
		detail = fmt.Sprintf("%d UTXOs", len(coins))
	}
	return s.store.SetFrozen(ctx, w.ID, outpointsOf(coins), frozen, now, who.Event(now, action, w.ID, detail))
}

// lock has Core not spend coins by itself, or lets it again, unless a proposal reserves
// them: then that lets them go when it ends. A coin that was locked before it was frozen,
// by whomever, is let go, too.
func (s *Service) lock(ctx context.Context, _ *auth.Principal, w Wallet, coins []Coin, locked bool) error {
	if !locked {
		coins = coinsThat(coins, func(c Coin) bool { return !c.Reserved })
	}
	if len(coins) == 0 {
		return nil
	}
	if err := s.node.SetLocked(ctx, w.CoreName, outpointsOf(coins), locked); err != nil {
		return fmt.Errorf("lock or unlock coins of wallet %s: %w", w.ID, err)
	}
	return nil
}
