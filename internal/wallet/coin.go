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

// ErrCoinNotFound is returned for an outpoint that is not an unspent output of the
// wallet.
var ErrCoinNotFound = fault.New(fault.NotFound, "utxo_not_found", "unspent output not found in this wallet")

// Coin is an unspent transaction output (UTXO) of a wallet.
type Coin struct {
	btc.Outpoint
	Address string
	Place
	Amount        btc.Amount
	Time          time.Time // of its transaction
	Status        Status    // of its transaction
	Height        int       // of its block; 0 if unconfirmed
	Confirmations int
	Label         string // of the output, or else of its address
	// Trusted UTXOs can be spent now. A UTXO is not trusted if it is immature, or
	// unconfirmed and received from others.
	Trusted  bool
	Immature bool // output of a coinbase transaction with less than 101 confirmations
	Locked   bool // excluded from Core's coin selection (RPC lockunspent): Frozen, Reserved, or locked by other software
	Frozen   bool // a member excluded it from spending
	Reserved bool // an open proposal spends it
}

// CoinFilter selects unspent outputs of a list; the zero value selects all.
type CoinFilter struct {
	Label   *string // of the output or of its address; empty for UTXOs without a label
	Address string
	Frozen  *bool
}

// Coins returns all unspent outputs, as FilteredCoins does.
func (s *Service) Coins(ctx context.Context, who *auth.Principal, alias string, after btc.Outpoint, limit int) ([]Coin, error) {
	return s.FilteredCoins(ctx, who, alias, CoinFilter{}, after, limit)
}

// FilteredCoins returns unspent outputs in the order of their outpoints, beginning
// after the given one; the zero value means from the beginning.
func (s *Service) FilteredCoins(ctx context.Context, who *auth.Principal, alias string, f CoinFilter, after btc.Outpoint, limit int) ([]Coin, error) {
	v, err := s.Open(ctx, who, alias, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	f.Address = s.canonical(f.Address)
	return s.store.FilteredCoins(ctx, v.ID, f, after, limit)
}

// Freeze excludes an unspent output from spending, or unfreezes it if frozen is
// false. It requires the role signer, since it blocks what other members propose
// and sign. It is idempotent and returns ErrCoinNotFound.
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

// freeze freezes or unfreezes UTXOs at the node and in the store. The order of the
// two steps ensures that a UTXO that is frozen in the store is locked at the node;
// otherwise the indexer would lock it. If the second step fails, the first is
// undone. After a crash in between, UTXOs are locked but not frozen. A note that is
// written before the first step makes the next sync round unlock them.
func (s *Service) freeze(ctx context.Context, who *auth.Principal, w Wallet, coins []Coin, frozen bool) error {
	done, err := s.LockSelection(ctx, w.ID)
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
	// Undo even if the caller's context has been canceled.
	if undo := first(context.WithoutCancel(ctx), who, w, changed, !frozen); undo != nil {
		s.log.WarnContext(ctx, "freezing or unfreezing UTXOs left an inconsistent state", "wallet_id", w.ID, "utxo", changed[0].String(), "utxos", len(changed), "error", undo)
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

// remember stores whether UTXOs are frozen.
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

// lock excludes UTXOs from Core's coin selection, or includes them again. It does
// not unlock UTXOs that a proposal reserves: they are unlocked when the proposal
// ends. Unlocking also removes a lock that existed before the UTXO was frozen,
// including a lock of other software.
func (s *Service) lock(ctx context.Context, _ *auth.Principal, w Wallet, coins []Coin, locked bool) error {
	if !locked {
		coins = coinsThat(coins, func(c Coin) bool { return !c.Reserved })
	}
	if len(coins) == 0 {
		return nil
	}
	if err := s.node.SetLocked(ctx, w.CoreName, outpointsOf(coins), locked); err != nil {
		return fmt.Errorf("lock or unlock UTXOs of wallet %s: %w", w.ID, err)
	}
	return nil
}
