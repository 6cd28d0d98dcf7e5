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

// reserve reserves the inputs of a new proposal, all or none. This transaction decides
// whether an input is reserved for another proposal or frozen.
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

// reserveAgain reserves inputs for a proposal that had reserved them before. They may
// have been frozen since, like the inputs of an open proposal.
func reserveAgain(ctx context.Context, q *db.Queries, p proposal.Proposal) error {
	var taken []string
	for _, in := range p.Inputs {
		n, err := q.Reserve(ctx, db.ReserveParams{WalletID: p.WalletID, Txid: in.Txid, Vout: in.Vout, ProposalID: &p.ID})
		if err != nil {
			return fmt.Errorf("reserve a coin: %w", err)
		}
		if n == 0 {
			taken = append(taken, in.String())
		}
	}
	return naming(proposal.ErrCoinReserved, taken)
}

func refuseFrozen(ctx context.Context, q *db.Queries, walletID string, at []btc.Outpoint) error {
	wanted, txids := outpointSet(at)
	rows, err := q.FrozenAmong(ctx, db.FrozenAmongParams{WalletID: walletID, Txids: txids})
	if err != nil {
		return fmt.Errorf("look up frozen coins: %w", err)
	}
	var frozen []string
	for _, row := range rows {
		if o := (btc.Outpoint{Txid: row.Txid, Vout: row.Vout}); wanted[o] {
			frozen = append(frozen, o.String())
		}
	}
	return naming(proposal.ErrCoinFrozen, frozen)
}

// naming returns a fault that names UTXOs, or nil if the list is empty.
func naming(f *fault.Error, coins []string) error {
	if len(coins) == 0 {
		return nil
	}
	slices.Sort(coins)
	return f.WithDetail("coins", strings.Join(coins, " "))
}

// Reservations implements proposal.Store.
func (s *Store) Reservations(ctx context.Context, walletID string) ([]proposal.Reservation, error) {
	rows, err := s.reads().Reservations(ctx, walletID)
	if err != nil {
		return nil, translate(fmt.Errorf("list reserved coins: %w", err))
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
		for _, coin := range at {
			if err := q.ForgetReleased(ctx, db.ForgetReleasedParams{WalletID: walletID, Txid: coin.Txid, Vout: coin.Vout}); err != nil {
				return fmt.Errorf("delete a reservation: %w", err)
			}
			if err := q.DeleteLocked(ctx, db.DeleteLockedParams{WalletID: walletID, Txid: coin.Txid, Vout: coin.Vout}); err != nil {
				return fmt.Errorf("delete a locked output: %w", err)
			}
		}
		return nil
	})
}

// OwnCoins implements proposal.Store.
func (s *Store) OwnCoins(ctx context.Context, walletID string, at []btc.Outpoint) (map[btc.Outpoint]proposal.Input, error) {
	wanted, txids := outpointSet(at)
	rows, err := s.reads().OwnCoins(ctx, db.OwnCoinsParams{WalletID: walletID, Txids: txids})
	if err != nil {
		return nil, translate(fmt.Errorf("look up coins: %w", err))
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
