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

// The reservation in the database is authoritative; the lock in Core's wallet only
// prevents Core from selecting a reserved UTXO for another proposal, which would then be
// refused. Core loses its locks at a restart, and a process may die before it has set
// them, so the indexer compares both in every sync round.

// Reconcile locks reserved outputs in Core's wallet that are not among locked. It unlocks
// released outputs, deletes their reservations and returns the unlocked outputs. The
// reservations must not be deleted earlier, because a sync round that has already started
// may have seen the lock. The reservation of an output that Core does not unlock yet is
// kept, so that the next sync round tries again.
func (s *Service) Reconcile(ctx context.Context, w wallet.Wallet, locked []btc.Outpoint) (unlocked []btc.Outpoint, err error) {
	reserved, err := s.store.Reservations(ctx, w.ID)
	if err != nil || len(ToLock(reserved, locked)) == 0 && len(released(reserved)) == 0 {
		return nil, err
	}
	soon, cancel := context.WithTimeout(ctx, selectionPatience)
	defer cancel()
	done, err := s.wallets.LockSelection(soon, w.ID)
	if err != nil {
		return nil, ctx.Err() // another caller holds the mutex; the next sync round tries again
	}
	defer done()
	if reserved, err = s.store.Reservations(ctx, w.ID); err != nil {
		return nil, err
	}
	if err := s.lockReserved(ctx, w, ToLock(reserved, locked)); err != nil {
		return nil, err
	}
	unlocking := released(reserved)
	if len(unlocking) == 0 {
		return nil, nil
	}
	if unlocked, err = s.unlock(ctx, w, unlocking); err != nil {
		return nil, err
	}
	unlocked, refused, err := s.stillLocked(ctx, w, unlocked)
	if err != nil {
		return nil, err
	}
	unlocking = slices.DeleteFunc(unlocking, func(at btc.Outpoint) bool { return slices.Contains(refused, at) })
	return unlocked, s.store.ForgetReleased(ctx, w.ID, unlocking)
}

// stillLocked separates the outputs that Core was asked to unlock into unlocked and still
// locked ones. Core refuses to unlock a spent output and keeps its lock: the output would
// stay locked if it became unspent again.
func (s *Service) stillLocked(ctx context.Context, w wallet.Wallet, asked []btc.Outpoint) (unlocked, refused []btc.Outpoint, err error) {
	if len(asked) == 0 {
		return nil, nil, nil
	}
	locked, err := s.node.Locked(ctx, w.NodeWallet())
	for _, at := range asked {
		if slices.Contains(locked, at) {
			refused = append(refused, at)
		} else {
			unlocked = append(unlocked, at)
		}
	}
	return unlocked, refused, err
}

// selectionPatience is how long a sync round waits for requests that create proposals in the
// wallet.
const selectionPatience = 100 * time.Millisecond

// ToLock returns the reserved UTXOs that are not among locked and must be locked in Core.
// It omits spent outputs, which Core cannot lock.
func ToLock(reserved []Reservation, locked []btc.Outpoint) []btc.Outpoint {
	var utxos []btc.Outpoint
	for _, r := range reserved {
		if r.ProposalID != "" && r.Unspent && !slices.Contains(locked, r.Outpoint) {
			utxos = append(utxos, r.Outpoint)
		}
	}
	return utxos
}

// released returns the outputs that proposals have released.
func released(reserved []Reservation) []btc.Outpoint {
	var utxos []btc.Outpoint
	for _, r := range reserved {
		if r.ProposalID == "" {
			utxos = append(utxos, r.Outpoint)
		}
	}
	return utxos
}

// release unlocks released outputs in Core; the caller must hold the wallet's keyed
// mutex. If that fails, the indexer unlocks them in the next sync round, which also
// deletes the released reservations.
func (s *Service) release(ctx context.Context, w wallet.Wallet) {
	reserved, err := s.store.Reservations(ctx, w.ID)
	if err == nil {
		_, err = s.unlock(ctx, w, released(reserved))
	}
	if err != nil {
		s.log.WarnContext(ctx, "cannot unlock UTXOs in Bitcoin Core yet", "wallet_id", w.ID, "error", err)
	}
	s.o.Kick(w.ID)
}

// lockReserved locks reserved or frozen UTXOs in Core, and unlocks UTXOs that were released
// meanwhile: another process may have unlocked them, and deleted their reservations, before they were
// locked, and no later step would unlock them. If another proposal has reserved one since, the next
// sync round locks it again.
func (s *Service) lockReserved(ctx context.Context, w wallet.Wallet, utxos []btc.Outpoint) error {
	if len(utxos) == 0 {
		return nil
	}
	if err := s.lock(ctx, w, utxos); err != nil {
		return err
	}
	reserved, err := s.store.Reservations(ctx, w.ID)
	if err != nil {
		return err
	}
	held := make(map[btc.Outpoint]bool, len(reserved))
	for _, r := range reserved {
		held[r.Outpoint] = r.ProposalID != ""
	}
	_, err = s.unlock(ctx, w, slices.DeleteFunc(slices.Clone(utxos), func(at btc.Outpoint) bool { return held[at] }))
	return err
}

// lock locks UTXOs in Core, so that Core does not select them. If Core refuses because a
// UTXO is spent, lock returns nil, because a spent output needs no lock: a replacement spends
// the inputs of the transaction that it replaces.
func (s *Service) lock(ctx context.Context, w wallet.Wallet, utxos []btc.Outpoint) error {
	if len(utxos) == 0 {
		return nil
	}
	err := s.node.SetLocked(ctx, w.NodeWallet(), utxos, true)
	if err == nil || fault.KindOf(err) == fault.Conflict {
		return nil
	}
	return fmt.Errorf("lock UTXOs of wallet %s: %w", w.ID, err)
}

// unlock unlocks released outputs in Core, except frozen ones, and returns the outputs
// that Core may select again.
func (s *Service) unlock(ctx context.Context, w wallet.Wallet, released []btc.Outpoint) (free []btc.Outpoint, err error) {
	for _, at := range released {
		utxo, err := s.store.UTXO(ctx, w.ID, at)
		if err != nil && !errors.Is(err, wallet.ErrUTXONotFound) { // a spent output is not frozen
			return nil, err
		}
		if !utxo.Frozen {
			free = append(free, at)
		}
	}
	if len(free) == 0 {
		return nil, nil
	}
	if err := s.node.SetLocked(ctx, w.NodeWallet(), free, false); err != nil {
		return nil, fmt.Errorf("unlock UTXOs of wallet %s: %w", w.ID, err)
	}
	return free, nil
}
