package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// OwnPlaces implements wallet.Index.
func (s *Store) OwnPlaces(ctx context.Context, walletID string, addresses []string) (map[string]wallet.Place, error) {
	places := map[string]wallet.Place{}
	if len(addresses) == 0 {
		return places, nil
	}
	rows, err := s.reads().OwnPlaces(ctx, db.OwnPlacesParams{WalletID: walletID, Addresses: listOf(addresses)})
	if err != nil {
		return nil, translate(fmt.Errorf("look up addresses: %w", err))
	}
	for _, row := range rows {
		places[row.Address] = wallet.Place{Branch: wallet.Branch(row.Branch), Index: row.AddressIndex}
	}
	return places, nil
}

// OwnOutputs implements wallet.Index.
func (s *Store) OwnOutputs(ctx context.Context, walletID string, at []btc.Outpoint) (map[btc.Outpoint]btc.Amount, error) {
	own := map[btc.Outpoint]btc.Amount{}
	if len(at) == 0 {
		return own, nil
	}
	wanted, txids := outpointSet(at)
	rows, err := s.reads().OwnOutputs(ctx, db.OwnOutputsParams{WalletID: walletID, Txids: txids})
	if err != nil {
		return nil, translate(fmt.Errorf("look up outputs: %w", err))
	}
	for _, row := range rows {
		if o := (btc.Outpoint{Txid: row.Txid, Vout: row.Vout}); wanted[o] {
			own[o] = row.AmountSat
		}
	}
	return own, nil
}

// outpointSet returns the outpoints as a set, and their txids as a list for queries.
func outpointSet(at []btc.Outpoint) (set map[btc.Outpoint]bool, txids string) {
	set = make(map[btc.Outpoint]bool, len(at))
	ids := make([]string, len(at))
	for i, o := range at {
		set[o], ids[i] = true, o.Txid
	}
	return set, listOf(ids)
}

// States implements wallet.Index.
func (s *Store) States(ctx context.Context, walletID string, txids []string) (map[string]wallet.State, error) {
	states, err := statesOf(ctx, s.reads(), walletID, txids)
	return states, translate(err)
}

func statesOf(ctx context.Context, q *db.Queries, walletID string, txids []string) (map[string]wallet.State, error) {
	states := map[string]wallet.State{}
	if len(txids) == 0 {
		return states, nil
	}
	rows, err := q.States(ctx, db.StatesParams{WalletID: walletID, Txids: listOf(txids)})
	if err != nil {
		return nil, fmt.Errorf("look up transactions: %w", err)
	}
	for _, row := range rows {
		states[row.Txid] = stateOf(row)
	}
	return states, nil
}

// Unsettled implements wallet.Index.
func (s *Store) Unsettled(ctx context.Context, walletID string, height int) (map[string]wallet.State, error) {
	rows, err := s.reads().Unsettled(ctx, db.UnsettledParams{WalletID: walletID, Height: &height})
	if err != nil {
		return nil, translate(fmt.Errorf("list unsettled transactions: %w", err))
	}
	states := make(map[string]wallet.State, len(rows))
	for _, row := range rows {
		states[row.Txid] = stateOf(db.StatesRow(row))
	}
	return states, nil
}

// WalletsWith implements wallet.Index.
func (s *Store) WalletsWith(ctx context.Context, addresses []string, at []btc.Outpoint) ([]string, error) {
	var ids []string
	if len(addresses) > 0 {
		rows, err := s.reads().WalletsWithAddresses(ctx, listOf(addresses))
		if err != nil {
			return nil, translate(fmt.Errorf("look up wallets by addresses: %w", err))
		}
		ids = append(ids, rows...)
	}
	if len(at) > 0 {
		wanted, txids := outpointSet(at)
		rows, err := s.reads().WalletsWithOutputs(ctx, txids)
		if err != nil {
			return nil, translate(fmt.Errorf("look up wallets by outputs: %w", err))
		}
		for _, row := range rows {
			if wanted[btc.Outpoint{Txid: row.Txid, Vout: row.Vout}] {
				ids = append(ids, row.WalletID)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
