package store

import (
	"context"
	"fmt"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// longQueries are queries that may return many rows.
type longQueries interface {
	recordReader
	outputReader
	PlainAddresses(ctx context.Context, p db.PlainAddressesParams) ([]db.PlainAddressesRow, error)
	LabelledAddresses(ctx context.Context, walletID string) ([]db.LabelledAddressesRow, error)
	UnspentOutputs(ctx context.Context, walletID string) ([]db.UnspentOutputsRow, error)
	LockedOutputs(ctx context.Context, walletID string) ([]db.LockedOutputsRow, error)
	FrozenOutputs(ctx context.Context, walletID string) ([]db.FrozenOutputsRow, error)
}

// outputReader reads the outputs of transactions.
type outputReader interface {
	OutputsOf(ctx context.Context, p db.OutputsOfParams) ([]db.OutputsOfRow, error)
	OutputsBetween(ctx context.Context, p db.OutputsBetweenParams) ([]db.OutputsBetweenRow, error)
}

// inLongReadTx runs body like inReadTx, and in a faster way if the engine supports that.
func (s *Store) inLongReadTx(ctx context.Context, body func(longQueries) error) error {
	if fast, ok := s.histories.(interface {
		inReadTx(ctx context.Context, body func(longQueries) error) error
	}); ok {
		return translate(fast.inReadTx(ctx, body))
	}
	return s.inReadTx(ctx, func(q *db.Queries) error { return body(queriedRecords{q}) })
}

// Details implements wallet.Book.
func (s *Store) Details(ctx context.Context, v wallet.View, end [2]uint32) (wallet.Details, error) {
	p := wallet.Details{View: v}
	err := s.inLongReadTx(ctx, func(q longQueries) error {
		for branch := range p.Addresses {
			var err error
			if p.Addresses[branch], err = plainAddresses(ctx, q, v.ID, branch, end[branch]); err != nil {
				return err
			}
		}
		var err error
		if p.Labelled, err = labelledAddresses(ctx, q, v.ID); err != nil {
			return err
		}
		p.Unspent, err = unspent(ctx, q, v.ID)
		return err
	})
	return p, err
}

func plainAddresses(ctx context.Context, q longQueries, walletID string, branch int, end uint32) ([]wallet.PlainAddress, error) {
	rows, err := q.PlainAddresses(ctx, db.PlainAddressesParams{WalletID: walletID, Branch: uint8(branch), EndIndex: end}) //nolint:gosec // 0 or 1
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	addresses := make([]wallet.PlainAddress, len(rows))
	for i, row := range rows {
		addresses[i] = wallet.PlainAddress(row)
	}
	return addresses, nil
}

func labelledAddresses(ctx context.Context, q longQueries, walletID string) ([]wallet.LabelledAddress, error) {
	rows, err := q.LabelledAddresses(ctx, walletID)
	if err != nil {
		return nil, fmt.Errorf("list the labelled addresses: %w", err)
	}
	addresses := make([]wallet.LabelledAddress, len(rows))
	for i, row := range rows {
		addresses[i] = wallet.LabelledAddress{Address: row.Address, Label: row.Label, Used: row.Used}
		if row.Own {
			addresses[i].Own = &wallet.Place{Branch: wallet.Branch(row.Branch), Index: uint32(row.AddressIndex)} //nolint:gosec // values written by the program
		}
	}
	return addresses, nil
}

// unspent returns the unspent outputs. It looks up locks in a separate query, because
// there are few and a join would check every output.
func unspent(ctx context.Context, q longQueries, walletID string) ([]wallet.Unspent, error) {
	rows, err := q.UnspentOutputs(ctx, walletID)
	if err != nil {
		return nil, fmt.Errorf("list unspent outputs: %w", err)
	}
	locked, err := q.LockedOutputs(ctx, walletID)
	if err != nil {
		return nil, fmt.Errorf("list locked outputs: %w", err)
	}
	frozen, err := q.FrozenOutputs(ctx, walletID)
	if err != nil {
		return nil, fmt.Errorf("list frozen outputs: %w", err)
	}
	isLocked, isFrozen := map[btc.Outpoint]bool{}, map[btc.Outpoint]bool{}
	for _, row := range locked {
		isLocked[btc.Outpoint(row)] = true
	}
	for _, row := range frozen {
		isFrozen[btc.Outpoint(row)] = true
	}
	outputs := make([]wallet.Unspent, len(rows))
	for i, row := range rows {
		at := btc.Outpoint{Txid: row.Txid, Vout: row.Vout}
		outputs[i] = wallet.Unspent{Outpoint: at, Address: row.Address, Amount: row.AmountSat, Locked: isLocked[at] || isFrozen[at], Frozen: isFrozen[at]}
	}
	return outputs, nil
}
