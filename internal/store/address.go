package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// ExtendRange implements wallet.Registry.
func (s *Store) ExtendRange(ctx context.Context, id string, rangeEnd uint32, addresses []wallet.Address) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		n, err := q.RaiseRange(ctx, db.RaiseRangeParams{WalletID: id, RangeEnd: rangeEnd})
		if err != nil {
			return fmt.Errorf("raise the range of a wallet: %w", err)
		}
		if n == 0 {
			return nil // the range is at least as large, or the wallet has been deleted
		}
		return addAddresses(ctx, q, id, addresses)
	})
}

// addAddresses inserts addresses, with one statement per run of consecutive indexes.
func addAddresses(ctx context.Context, q *db.Queries, walletID string, addresses []wallet.Address) error {
	for len(addresses) > 0 {
		first := addresses[0].Place
		var run []string
		for i, a := range addresses {
			if a.Branch != first.Branch || int(a.Index) != int(first.Index)+i {
				break
			}
			run = append(run, a.Address)
		}
		err := q.AddAddresses(ctx, db.AddAddressesParams{
			WalletID: walletID, Branch: int64(first.Branch), FirstIndex: int64(first.Index), Addresses: listOf(run),
		})
		if err != nil {
			return fmt.Errorf("insert addresses: %w", err)
		}
		addresses = addresses[len(run):]
	}
	return nil
}

// AddressesOf implements wallet.Book.
func (s *Store) AddressesOf(ctx context.Context, walletID string, f wallet.AddressFilter, after *wallet.Place, limit int) ([]wallet.Address, error) {
	p := db.AddressesParams{
		WalletID: walletID, LastBranch: uint8(wallet.ChangeBranch), MaxRows: int64(limit),
		AnyUsed: f.Used == nil, AnyRevealed: f.Revealed == nil, AnyLabel: f.Label == nil,
	}
	if f.Used != nil {
		p.Used = *f.Used
	}
	if f.Revealed != nil {
		p.Revealed = *f.Revealed
	}
	if f.Label != nil {
		p.Label = *f.Label
	}
	if after != nil {
		p.FirstBranch, p.FirstIndex = uint8(after.Branch), int64(after.Index)+1
	}
	if f.Branch != nil {
		p.LastBranch = uint8(*f.Branch)
		if p.FirstBranch < p.LastBranch {
			p.FirstBranch, p.FirstIndex = p.LastBranch, 0
		}
	}
	return addresses(ctx, s.reads(), p)
}

func addresses(ctx context.Context, q *db.Queries, p db.AddressesParams) ([]wallet.Address, error) {
	rows, err := q.Addresses(ctx, p)
	if err != nil {
		return nil, translate(fmt.Errorf("list addresses: %w", err))
	}
	list := make([]wallet.Address, len(rows))
	for i, row := range rows {
		list[i] = addressOf(row)
	}
	return list, nil
}

func addressOf(row db.AddressesRow) wallet.Address {
	return wallet.Address{
		Address: row.Address, Place: wallet.Place{Branch: wallet.Branch(row.Branch), Index: row.AddressIndex},
		Used: row.Used, Label: row.Label, Revealed: row.Revealed,
	}
}

// AddressAt implements wallet.Book.
func (s *Store) AddressAt(ctx context.Context, walletID string, at wallet.Place) (wallet.Address, error) {
	list, err := addresses(ctx, s.reads(), db.AddressesParams{
		WalletID: walletID, FirstBranch: uint8(at.Branch), LastBranch: uint8(at.Branch), FirstIndex: int64(at.Index),
		AnyUsed: true, AnyRevealed: true, AnyLabel: true, MaxRows: 1,
	})
	if err != nil {
		return wallet.Address{}, err
	}
	if len(list) == 0 || list[0].Place != at {
		return wallet.Address{}, wallet.ErrAddressNotFound
	}
	return list[0], nil
}

// AddressOf implements wallet.Book.
func (s *Store) AddressOf(ctx context.Context, walletID, address string) (wallet.Address, error) {
	row, err := s.reads().AddressOf(ctx, db.AddressOfParams{WalletID: walletID, Address: address})
	if errors.Is(err, sql.ErrNoRows) {
		return wallet.Address{}, wallet.ErrAddressNotFound
	}
	if err != nil {
		return wallet.Address{}, translate(fmt.Errorf("select an address: %w", err))
	}
	return addressOf(db.AddressesRow(row)), nil
}

// ReceivedBy implements wallet.Book.
func (s *Store) ReceivedBy(ctx context.Context, walletID string, addresses []string) (map[string]wallet.Received, error) {
	rows, err := s.reads().ReceivedBy(ctx, db.ReceivedByParams{WalletID: walletID, Addresses: listOf(addresses)})
	if err != nil {
		return nil, translate(fmt.Errorf("add up the payments to addresses: %w", err))
	}
	received := make(map[string]wallet.Received, len(rows))
	for _, row := range rows {
		received[row.Address] = wallet.Received{Total: btc.Amount(row.ReceivedSat), Confirmed: btc.Amount(row.ConfirmedSat), Transactions: int(row.Transactions)}
	}
	return received, nil
}

// LastPaid implements proposal.Store.
func (s *Store) LastPaid(ctx context.Context, walletID string, addresses []string, replaced string) (map[string]time.Time, error) {
	rows, err := s.reads().LastPaid(ctx, db.LastPaidParams{WalletID: walletID, Addresses: listOf(addresses), Replaced: replaced})
	if err != nil {
		return nil, translate(fmt.Errorf("look up payments to addresses: %w", err))
	}
	at := make(map[string]time.Time, len(rows))
	for _, row := range rows {
		at[row.Address] = time.UnixMicro(row.PaidAt).UTC()
	}
	return at, nil
}

// FindAddress implements wallet.Book.
func (s *Store) FindAddress(ctx context.Context, userID, address string) ([]wallet.OwnedAddress, error) {
	rows, err := s.reads().FindAddress(ctx, db.FindAddressParams{UserID: userID, Address: address})
	if err != nil {
		return nil, translate(fmt.Errorf("find an address: %w", err))
	}
	found := make([]wallet.OwnedAddress, len(rows))
	for i, row := range rows {
		found[i] = wallet.OwnedAddress{WalletID: row.WalletID, Alias: row.Alias, Synced: wallet.Tip{Height: row.SyncedHeight, Hash: row.SyncedHash}, Address: addressOf(db.AddressesRow{
			Address: row.Address, Branch: row.Branch, AddressIndex: row.AddressIndex,
			Used: row.Used, Label: row.Label, Revealed: row.Revealed,
		})}
	}
	return found, nil
}

// UnusedInARow implements wallet.Book.
func (s *Store) UnusedInARow(ctx context.Context, walletID string) (int, error) {
	n, err := s.reads().UnusedInARow(ctx, walletID)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, wallet.ErrNotFound
	}
	if err != nil {
		return 0, translate(fmt.Errorf("count the unpaid addresses: %w", err))
	}
	return int(n), nil
}
