package store

import (
	"context"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// UTXOs implements proposal.Store.
func (s *Store) UTXOs(ctx context.Context, walletID string, after btc.Outpoint, limit int) ([]wallet.UTXO, error) {
	return s.FilteredUTXOs(ctx, walletID, wallet.UTXOFilter{}, after, limit)
}

// FilteredUTXOs implements wallet.Book.
func (s *Store) FilteredUTXOs(ctx context.Context, walletID string, f wallet.UTXOFilter, after btc.Outpoint, limit int) ([]wallet.UTXO, error) {
	return s.utxosFrom(ctx, walletID, f, btc.Outpoint{Txid: after.Txid, Vout: after.Vout + 1}, limit)
}

// UTXO implements wallet.Book.
func (s *Store) UTXO(ctx context.Context, walletID string, at btc.Outpoint) (wallet.UTXO, error) {
	utxos, err := s.utxosFrom(ctx, walletID, wallet.UTXOFilter{}, at, 1)
	if err != nil {
		return wallet.UTXO{}, err
	}
	if len(utxos) == 0 || utxos[0].Outpoint != at {
		return wallet.UTXO{}, wallet.ErrUTXONotFound
	}
	return utxos[0], nil
}

// utxosFrom returns UTXOs in order, beginning with first.
func (s *Store) utxosFrom(ctx context.Context, walletID string, f wallet.UTXOFilter, first btc.Outpoint, limit int) ([]wallet.UTXO, error) {
	p := db.UTXOsParams{
		WalletID: walletID, FirstTxid: first.Txid, FirstVout: first.Vout, MaxRows: int64(limit),
		AnyLabel: f.Label == nil, AnyAddress: f.Address == "", Address: f.Address, AnyFrozen: f.Frozen == nil,
	}
	if f.Label != nil {
		p.Label = *f.Label
	}
	if f.Frozen != nil {
		p.Frozen = *f.Frozen
	}
	rows, err := s.reads().UTXOs(ctx, p)
	if err != nil {
		return nil, translate(fmt.Errorf("list UTXOs: %w", err))
	}
	utxos := make([]wallet.UTXO, len(rows))
	for i, row := range rows {
		utxos[i] = utxoOf(row)
	}
	return utxos, nil
}

func utxoOf(row db.UTXOsRow) wallet.UTXO {
	c := wallet.UTXO{
		Outpoint: btc.Outpoint{Txid: row.Txid, Vout: row.Vout}, Address: row.Address,
		Place:  wallet.Place{Branch: wallet.Branch(row.Branch), Index: row.AddressIndex},
		Amount: row.AmountSat, Time: row.Time.Time, Status: wallet.Status(row.Status), Confirmations: int(row.Confirmations),
		Label: row.Label, Trusted: row.Trusted, Immature: row.Immature, Locked: row.Locked, Frozen: row.Frozen, Reserved: row.ReservedBy != "", ReservedBy: row.ReservedBy,
	}
	if row.BlockHeight != nil {
		c.Height = *row.BlockHeight
	}
	return c
}

// SetFrozen implements wallet.Book.
func (s *Store) SetFrozen(ctx context.Context, walletID string, at []btc.Outpoint, frozen bool, now time.Time, e auth.Event) error {
	return walletGone(s.withSubjectLock(ctx, walletID, func() error {
		return s.withEvents(ctx, s.inBulkTx, func(q *db.Queries, log *eventLog) error {
			more := int64(0)
			for _, one := range at {
				n, err := setFrozen(ctx, q, walletID, one, frozen, now)
				if err != nil {
					return err
				}
				if more += n; n != 0 {
					log.addFrozen(walletID, one, frozen, event.ActorOf(e))
				}
			}
			if !frozen {
				if err := noteLocks(ctx, q, walletID, at); err != nil {
					return err
				}
			}
			if more != 0 {
				if err := s.charge(ctx, q, auth.QuotaFrozen, e.UserID, walletID, more); err != nil {
					return err
				}
			}
			return addEventIfAny(ctx, q, e)
		})
	}))
}

// NoteLock implements wallet.Book.
func (s *Store) NoteLock(ctx context.Context, walletID string, at []btc.Outpoint) error {
	return walletGone(s.inBulkTx(ctx, func(q *db.Queries) error { return noteLocks(ctx, q, walletID, at) }))
}

func noteLocks(ctx context.Context, q *db.Queries, walletID string, at []btc.Outpoint) error {
	for _, one := range at {
		if err := q.NoteLock(ctx, db.NoteLockParams{WalletID: walletID, Txid: one.Txid, Vout: one.Vout}); err != nil {
			return fmt.Errorf("record that an output may be locked: %w", err)
		}
	}
	return nil
}

// setFrozen returns the change in the number of frozen outputs, which may be negative.
func setFrozen(ctx context.Context, q *db.Queries, walletID string, at btc.Outpoint, frozen bool, now time.Time) (more int64, err error) {
	if frozen {
		more, err = q.Freeze(ctx, db.FreezeParams{WalletID: walletID, Txid: at.Txid, Vout: at.Vout, CreatedAt: sqltype.Time{Time: now}})
	} else {
		more, err = q.Unfreeze(ctx, db.UnfreezeParams{WalletID: walletID, Txid: at.Txid, Vout: at.Vout})
		more = -more
	}
	if err != nil {
		return 0, fmt.Errorf("freeze or unfreeze an output: %w", err)
	}
	return more, nil
}

// FrozenUTXOs implements wallet.Book.
func (s *Store) FrozenUTXOs(ctx context.Context, walletID string) ([]btc.Outpoint, error) {
	rows, err := s.reads().FrozenUTXOs(ctx, walletID)
	if err != nil {
		return nil, translate(fmt.Errorf("list frozen UTXOs: %w", err))
	}
	utxos := make([]btc.Outpoint, len(rows))
	for i, row := range rows {
		utxos[i] = btc.Outpoint{Txid: row.Txid, Vout: row.Vout}
	}
	return utxos, nil
}

// HeldUTXOs implements wallet.Book.
func (s *Store) HeldUTXOs(ctx context.Context, walletID string) ([]btc.Outpoint, error) {
	rows, err := s.reads().HeldOutputs(ctx, walletID)
	if err != nil {
		return nil, translate(fmt.Errorf("list frozen and reserved UTXOs: %w", err))
	}
	utxos := make([]btc.Outpoint, len(rows))
	for i, row := range rows {
		utxos[i] = btc.Outpoint{Txid: row.Txid, Vout: row.Vout}
	}
	return utxos, nil
}

// walletGone converts a foreign-key error, which means that the wallet of a new row does
// not exist, into wallet.ErrNotFound. It returns other errors unchanged.
func walletGone(err error) error {
	if isForeignKey(err) {
		return wallet.ErrNotFound
	}
	return err
}
