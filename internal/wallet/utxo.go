package wallet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// ErrUTXONotFound is returned for an outpoint that is not an unspent output of the
// wallet.
var ErrUTXONotFound = fault.New(fault.NotFound, "utxo_not_found", "unspent output not found in this wallet")

// UTXO is an unspent transaction output of a wallet.
type UTXO struct {
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
	Immature bool // output of a coinbase transaction with fewer than 101 confirmations
	Locked   bool // excluded from Core's coin selection (RPC lockunspent): Frozen, Reserved, or locked by other software
	Frozen   bool // a member excluded it from spending
	Reserved bool // an open proposal spends it
	// ReservedBy is the id of that proposal; empty for none.
	ReservedBy string
}

// UTXOFilter selects unspent outputs of a list; the zero value selects all.
type UTXOFilter struct {
	Label   *string // of the output or of its address; empty for UTXOs without a label
	Address string
	Frozen  *bool
}

// UTXOs returns all unspent outputs, as FilteredUTXOs does.
func (s *Service) UTXOs(ctx context.Context, access Access, after btc.Outpoint, limit int) ([]UTXO, error) {
	return s.FilteredUTXOs(ctx, access, UTXOFilter{}, after, limit)
}

// FilteredUTXOs returns unspent outputs in the order of their outpoints, beginning
// after the given one; the zero value means from the beginning.
func (s *Service) FilteredUTXOs(ctx context.Context, access Access, f UTXOFilter, after btc.Outpoint, limit int) ([]UTXO, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	if f.Address, err = s.canonical(f.Address); err != nil {
		return nil, err
	}
	return s.store.FilteredUTXOs(ctx, v.ID, f, after, limit)
}

// Freeze excludes an unspent output from spending, or unfreezes it if frozen is
// false. It requires the role signer, since it blocks what other members propose
// and sign. It is idempotent. It returns ErrUTXONotFound if the output is not an
// unspent output of the wallet.
func (s *Service) Freeze(ctx context.Context, access Access, at btc.Outpoint, frozen bool) error {
	v, err := s.View(ctx, access, auth.RoleSigner)
	if err != nil {
		return err
	}
	c, err := s.store.UTXO(ctx, v.ID, at)
	if err != nil {
		return err
	}
	if err := s.freeze(ctx, access.Caller(), v.Wallet, []UTXO{c}, frozen); err != nil {
		return err
	}
	s.kick(v.ID)
	return nil
}

// freeze freezes or unfreezes UTXOs at the node and in the store. The order of the two
// steps ensures that a UTXO that is frozen in the store is locked at the node; otherwise
// the indexer would lock it. If the second step fails, the first is undone. After a crash
// in between, UTXOs are locked but not frozen. NoteLock, which is called before the first
// step, makes the next sync round unlock them.
func (s *Service) freeze(ctx context.Context, who *auth.Principal, w Wallet, utxos []UTXO, frozen bool) error {
	done, err := s.LockSelection(ctx, w.ID)
	if err != nil {
		return err
	}
	defer done()
	first, second := s.remember, s.lock
	if frozen {
		first, second = s.lock, s.remember
		unlocked := filterUTXOs(utxos, func(c UTXO) bool { return !c.Locked })
		if err := s.store.NoteLock(ctx, w.ID, outpointsOf(unlocked)); err != nil {
			return err
		}
	}
	if err := first(ctx, who, w, utxos, frozen); err != nil {
		return err
	}
	err = second(ctx, who, w, utxos, frozen)
	changed := filterUTXOs(utxos, func(c UTXO) bool { return c.Frozen != frozen && (!frozen || !c.Locked) })
	if err == nil || len(changed) == 0 {
		return err
	}
	// Undo even if the caller's context has been canceled.
	if undo := first(context.WithoutCancel(ctx), who, w, changed, !frozen); undo != nil {
		s.log.WarnContext(ctx, "freezing or unfreezing UTXOs left an inconsistent state", "wallet_id", w.ID, "utxo", changed[0].String(), "utxos", len(changed), "error", undo)
	}
	s.kick(w.ID) // a sync round in between has changed the locks
	return err
}

func filterUTXOs(utxos []UTXO, is func(UTXO) bool) []UTXO {
	return slices.DeleteFunc(slices.Clone(utxos), func(c UTXO) bool { return !is(c) })
}

func outpointsOf(utxos []UTXO) []btc.Outpoint {
	at := make([]btc.Outpoint, len(utxos))
	for i, c := range utxos {
		at[i] = c.Outpoint
	}
	return at
}

// remember stores whether UTXOs are frozen.
func (s *Service) remember(ctx context.Context, who *auth.Principal, w Wallet, utxos []UTXO, frozen bool) error {
	if len(utxos) == 0 {
		return nil
	}
	action, now := "utxo.unfreeze", s.now()
	if frozen {
		action = "utxo.freeze"
	}
	detail := ""
	if len(utxos) > 1 {
		detail = text.Count(len(utxos), "UTXO")
	}
	return s.store.SetFrozen(ctx, w.ID, outpointsOf(utxos), frozen, now, who.Event(now, action, w.ID, detail))
}

// lock excludes UTXOs from Core's coin selection, or includes them again. It does
// not unlock UTXOs that a proposal reserves: they are unlocked when the proposal
// ends. Unlocking also removes a lock that existed before the UTXO was frozen,
// including a lock of other software.
func (s *Service) lock(ctx context.Context, _ *auth.Principal, w Wallet, utxos []UTXO, locked bool) error {
	if !locked {
		utxos = filterUTXOs(utxos, func(c UTXO) bool { return !c.Reserved })
	}
	if len(utxos) == 0 {
		return nil
	}
	if err := s.node.SetLocked(ctx, w.NodeWallet(), outpointsOf(utxos), locked); err != nil {
		return fmt.Errorf("lock or unlock UTXOs of wallet %s: %w", w.ID, err)
	}
	return nil
}
