package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/spend"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// settleProposals brings the proposals of a wallet that have coins in common with
// transactions that changed to where the chain says that they are.
func settleProposals(ctx context.Context, q *db.Queries, c wallet.Change, now time.Time) error {
	if has, err := q.HasPsbts(ctx, c.WalletID); err != nil || !has {
		return err
	}
	txids := slices.Collect(maps.Keys(c.Changed))
	for _, t := range c.Added {
		txids = append(txids, t.Txid)
	}
	ids, err := q.PsbtsTouchedBy(ctx, db.PsbtsTouchedByParams{WalletID: c.WalletID, Txids: listOf(txids)})
	if err != nil {
		return fmt.Errorf("list the proposals that transactions are about: %w", err)
	}
	list, err := proposals(ctx, q, ids)
	if err != nil {
		return err
	}
	for _, was := range list {
		spenders, err := spendersOf(ctx, q, was)
		if err != nil {
			return err
		}
		p := was
		if !p.Settle(spenders, now) {
			continue
		}
		if err := saveProposal(ctx, q, was, p); err != nil {
			return err
		}
	}
	return nil
}

// spendersOf returns the transactions that spend coins of a proposal.
func spendersOf(ctx context.Context, q *db.Queries, p spend.Proposal) ([]spend.Spender, error) {
	rows, err := q.SpendersOfPsbt(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("list what spends the coins of a proposal: %w", err)
	}
	spenders := make([]spend.Spender, len(rows))
	for i, row := range rows {
		unsigned := psbt.UnsignedTxid(row.Raw)
		spenders[i] = spend.Spender{Txid: row.Txid, UnsignedTxid: unsigned, Status: wallet.Status(row.Status)}
		replacement, err := q.ReplacementOf(ctx, db.ReplacementOfParams{WalletID: p.WalletID, ReplacesID: p.ID, Txid: unsigned})
		if err != nil {
			return nil, fmt.Errorf("look up what replaces a proposal: %w", err)
		}
		if len(replacement) > 0 {
			spenders[i].Replacement = replacement[0]
		}
	}
	return spenders, nil
}
