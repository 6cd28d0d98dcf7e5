package store

import (
	"context"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// Coins implements proposal.Store.
func (s *Store) Coins(ctx context.Context, walletID string, after btc.Outpoint, limit int) ([]wallet.Coin, error) {
	return s.FilteredCoins(ctx, walletID, wallet.CoinFilter{}, after, limit)
}

// FilteredCoins implements wallet.Book.
func (s *Store) FilteredCoins(ctx context.Context, walletID string, f wallet.CoinFilter, after btc.Outpoint, limit int) ([]wallet.Coin, error) {
	return s.coinsFrom(ctx, walletID, f, btc.Outpoint{Txid: after.Txid, Vout: after.Vout + 1}, limit)
}

// Coin implements wallet.Book.
func (s *Store) Coin(ctx context.Context, walletID string, at btc.Outpoint) (wallet.Coin, error) {
	coins, err := s.coinsFrom(ctx, walletID, wallet.CoinFilter{}, at, 1)
	if err != nil {
		return wallet.Coin{}, err
	}
	if len(coins) == 0 || coins[0].Outpoint != at {
		return wallet.Coin{}, wallet.ErrCoinNotFound
	}
	return coins[0], nil
}

// coinsFrom returns UTXOs from first on, inclusive.
func (s *Store) coinsFrom(ctx context.Context, walletID string, f wallet.CoinFilter, first btc.Outpoint, limit int) ([]wallet.Coin, error) {
	p := db.CoinsParams{
		WalletID: walletID, FirstTxid: first.Txid, FirstVout: first.Vout, MaxRows: int64(limit),
		AnyLabel: f.Label == nil, AnyAddress: f.Address == "", Address: f.Address, AnyFrozen: f.Frozen == nil,
	}
	if f.Label != nil {
		p.Label = *f.Label
	}
	if f.Frozen != nil {
		p.Frozen = *f.Frozen
	}
	rows, err := s.reads().Coins(ctx, p)
	if err != nil {
		return nil, translate(fmt.Errorf("list coins: %w", err))
	}
	coins := make([]wallet.Coin, len(rows))
	for i, row := range rows {
		coins[i] = coinOf(row)
	}
	return coins, nil
}

func coinOf(row db.CoinsRow) wallet.Coin {
	c := wallet.Coin{
		Outpoint: btc.Outpoint{Txid: row.Txid, Vout: row.Vout}, Address: row.Address,
		Place:  wallet.Place{Branch: wallet.Branch(row.Branch), Index: row.AddressIndex},
		Amount: row.AmountSat, Time: row.Time.Time, Status: wallet.Status(row.Status), Confirmations: int(row.Confirmations),
		Label: row.Label, Trusted: row.Trusted, Immature: row.Immature, Locked: row.Locked, Frozen: row.Frozen, Reserved: row.Reserved,
	}
	if row.BlockHeight != nil {
		c.Height = *row.BlockHeight
	}
	return c
}

// SetFrozen implements wallet.Book.
func (s *Store) SetFrozen(ctx context.Context, walletID string, at []btc.Outpoint, frozen bool, now time.Time, e auth.Event) error {
	return orWalletGone(s.withSubjectLock(ctx, walletID, func() error {
		return s.inBulkTx(ctx, func(q *db.Queries) error {
			more := int64(0)
			for _, one := range at {
				n, err := setFrozen(ctx, q, walletID, one, frozen, now)
				if err != nil {
					return err
				}
				more += n
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
	return orWalletGone(s.inBulkTx(ctx, func(q *db.Queries) error { return noteLocks(ctx, q, walletID, at) }))
}

func noteLocks(ctx context.Context, q *db.Queries, walletID string, at []btc.Outpoint) error {
	for _, one := range at {
		if err := q.NoteLock(ctx, db.NoteLockParams{WalletID: walletID, Txid: one.Txid, Vout: one.Vout}); err != nil {
			return fmt.Errorf("note that an output may be locked: %w", err)
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
		return 0, fmt.Errorf("freeze an output or let it go: %w", err)
	}
	return more, nil
}

// FrozenCoins implements wallet.Book.
func (s *Store) FrozenCoins(ctx context.Context, walletID string) ([]btc.Outpoint, error) {
	rows, err := s.reads().FrozenCoins(ctx, walletID)
	if err != nil {
		return nil, translate(fmt.Errorf("list frozen coins: %w", err))
	}
	coins := make([]btc.Outpoint, len(rows))
	for i, row := range rows {
		coins[i] = btc.Outpoint{Txid: row.Txid, Vout: row.Vout}
	}
	return coins, nil
}

// HeldCoins implements wallet.Book.
func (s *Store) HeldCoins(ctx context.Context, walletID string) ([]btc.Outpoint, error) {
	rows, err := s.reads().HeldOutputs(ctx, walletID)
	if err != nil {
		return nil, translate(fmt.Errorf("list frozen and reserved coins: %w", err))
	}
	coins := make([]btc.Outpoint, len(rows))
	for i, row := range rows {
		coins[i] = btc.Outpoint{Txid: row.Txid, Vout: row.Vout}
	}
	return coins, nil
}

// orWalletGone converts a foreign-key error, which means that the wallet of a new row
// does not exist, into a fault.
func orWalletGone(err error) error {
	if isForeignKey(err) {
		return wallet.ErrNotFound
	}
	return err
}
