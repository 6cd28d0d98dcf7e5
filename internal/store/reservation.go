package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// reserve reserves all inputs of a new proposal. It returns proposal.ErrUTXOFrozen or
// proposal.ErrUTXOReserved if some are frozen or reserved for another proposal; the
// transaction must then not be committed.
func reserve(ctx context.Context, q *db.Queries, p proposal.Proposal) error {
	at := make([]btc.Outpoint, len(p.Inputs))
	for i, in := range p.Inputs {
		at[i] = in.Outpoint
	}
	if err := refuseFrozen(ctx, q, p.WalletID, at); err != nil {
		return err
	}
	return reserveAgain(ctx, q, p)
}

// reserveAgain reserves inputs that the proposal had already reserved once. Unlike
// reserve, it accepts inputs that were frozen since.
func reserveAgain(ctx context.Context, q *db.Queries, p proposal.Proposal) error {
	var taken []string
	for _, in := range p.Inputs {
		n, err := q.Reserve(ctx, db.ReserveParams{WalletID: p.WalletID, Txid: in.Txid, Vout: in.Vout, ProposalID: &p.ID})
		if err != nil {
			return fmt.Errorf("reserve a UTXO: %w", err)
		}
		if n == 0 {
			taken = append(taken, in.String())
		}
	}
	return naming(proposal.ErrUTXOReserved, taken)
}

func refuseFrozen(ctx context.Context, q *db.Queries, walletID string, at []btc.Outpoint) error {
	wanted, txids := outpointSet(at)
	rows, err := q.FrozenAmong(ctx, db.FrozenAmongParams{WalletID: walletID, Txids: txids})
	if err != nil {
		return fmt.Errorf("look up frozen UTXOs: %w", err)
	}
	var frozen []string
	for _, row := range rows {
		if o := (btc.Outpoint{Txid: row.Txid, Vout: row.Vout}); wanted[o] {
			frozen = append(frozen, o.String())
		}
	}
	return naming(proposal.ErrUTXOFrozen, frozen)
}

// naming returns f with the UTXOs as a detail, or nil if there are none.
func naming(f *fault.Error, utxos []string) error {
	if len(utxos) == 0 {
		return nil
	}
	slices.Sort(utxos)
	return f.WithDetail("utxos", strings.Join(utxos, " "))
}

// Reservations implements proposal.Store.
func (s *Store) Reservations(ctx context.Context, walletID string) ([]proposal.Reservation, error) {
	rows, err := s.reads().Reservations(ctx, walletID)
	if err != nil {
		return nil, translate(fmt.Errorf("list reserved UTXOs: %w", err))
	}
	list := make([]proposal.Reservation, len(rows))
	for i, row := range rows {
		list[i].Outpoint, list[i].Unspent = btc.Outpoint{Txid: row.Txid, Vout: row.Vout}, row.Unspent
		if row.ProposalID != nil {
			list[i].ProposalID = *row.ProposalID
		}
	}
	return list, nil
}

// ForgetReleased implements proposal.Store. It also deletes the records of their locks in
// Core, so that callers need not wait until the indexer notices that they are unlocked.
func (s *Store) ForgetReleased(ctx context.Context, walletID string, at []btc.Outpoint) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		for _, utxo := range at {
			if err := q.ForgetReleased(ctx, db.ForgetReleasedParams{WalletID: walletID, Txid: utxo.Txid, Vout: utxo.Vout}); err != nil {
				return fmt.Errorf("delete a reservation: %w", err)
			}
			if err := q.DeleteLocked(ctx, db.DeleteLockedParams{WalletID: walletID, Txid: utxo.Txid, Vout: utxo.Vout}); err != nil {
				return fmt.Errorf("delete a locked output: %w", err)
			}
		}
		return nil
	})
}

// OwnUTXOs implements proposal.Store.
func (s *Store) OwnUTXOs(ctx context.Context, walletID string, at []btc.Outpoint) (map[btc.Outpoint]proposal.Input, error) {
	wanted, txids := outpointSet(at)
	rows, err := s.reads().OwnUTXOs(ctx, db.OwnUTXOsParams{WalletID: walletID, Txids: txids})
	if err != nil {
		return nil, translate(fmt.Errorf("look up UTXOs: %w", err))
	}
	own := make(map[btc.Outpoint]proposal.Input, len(at))
	for _, row := range rows {
		if o := (btc.Outpoint{Txid: row.Txid, Vout: row.Vout}); wanted[o] && row.Branch != nil && row.AddressIndex != nil {
			own[o] = proposal.Input{
				Outpoint: o, Place: wallet.Place{Branch: wallet.Branch(*row.Branch), Index: *row.AddressIndex},
				Address: row.Address, Amount: row.AmountSat,
			}
		}
	}
	return own, nil
}
