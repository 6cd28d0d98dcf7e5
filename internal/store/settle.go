package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

// settleChange updates the status of the proposals that are affected by a change to a
// wallet's transactions.
func settleChange(ctx context.Context, q *db.Queries, log *eventLog, c wallet.Change) error {
	if has, err := q.HasProposals(ctx, c.WalletID); err != nil || !has {
		return err
	}
	txids := slices.Collect(maps.Keys(c.Changed))
	for _, t := range c.Added {
		txids = append(txids, t.Txid)
	}
	ids, err := q.ProposalsTouchedBy(ctx, db.ProposalsTouchedByParams{Txids: listOf(txids), WalletID: c.WalletID})
	if err != nil {
		return fmt.Errorf("list the proposals that transactions affect: %w", err)
	}
	return settleProposals(ctx, q, log, c.WalletID, ids)
}

// SettleProposals implements proposal.Store.
func (s *Store) SettleProposals(ctx context.Context) error {
	wallets, err := s.AllWallets(ctx)
	if err != nil {
		return err
	}
	for _, w := range wallets {
		err := s.withEvents(ctx, s.inTx, func(q *db.Queries, log *eventLog) error {
			ids, err := q.UnsettledProposals(ctx, w.ID)
			if err != nil {
				return fmt.Errorf("list open and sent proposals: %w", err)
			}
			return settleProposals(ctx, q, log, w.ID, ids)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DropSignatures implements proposal.Store.
func (s *Store) DropSignatures(ctx context.Context) error {
	if due, err := s.hasSetting(ctx, settingDropSignatures); err != nil || !due {
		return err
	}
	wallets, err := s.AllWallets(ctx)
	if err != nil {
		return err
	}
	for _, w := range wallets {
		if err := s.dropSignaturesOf(ctx, w.ID); err != nil {
			return err
		}
	}
	return s.inTx(ctx, func(q *db.Queries) error { return q.DeleteSetting(ctx, settingDropSignatures) })
}

// proposalsAtATime is the number of proposals that DropSignatures reads at once.
const proposalsAtATime = 100

func (s *Store) dropSignaturesOf(ctx context.Context, walletID string) error {
	ended := proposal.Filter{Statuses: proposal.StatusesWithoutSignatures}
	for after := (proposal.Cursor{}); ; {
		list, err := s.Proposals(ctx, walletID, ended, after, proposalsAtATime)
		if err != nil {
			return err
		}
		for _, p := range list {
			after = proposal.Cursor{CreatedAt: p.CreatedAt, ID: p.ID}
			if !p.DropSignatures() {
				continue
			}
			_, err := s.UpdateProposal(ctx, walletID, p.ID, func(u *proposal.Update) error {
				u.Changed = u.DropSignatures()
				return nil
			})
			if err != nil && !errors.Is(err, proposal.ErrNotFound) {
				return err
			}
		}
		if len(list) < proposalsAtATime {
			return nil
		}
	}
}

// settleProposals updates the status of proposals according to the index. Open proposals
// are updated first, so that a proposal that closes frees its inputs for proposals that
// reopen. If several closed proposals with a common input can reopen, the one that was
// closed last gets the input.
func settleProposals(ctx context.Context, q *db.Queries, log *eventLog, walletID string, ids []string) error {
	list, err := proposals(ctx, q, ids)
	if err != nil || len(list) == 0 {
		return err
	}
	w, err := walletByID(ctx, q, walletID)
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b proposal.Proposal) int {
		return cmp.Or(boolOrder(b.Status.Open(), a.Status.Open()), b.StatusAt.Compare(a.StatusAt), b.CreatedAt.Compare(a.CreatedAt))
	})
	for _, was := range list {
		inputs, err := inputStateOf(ctx, q, w, was)
		if err != nil {
			return err
		}
		p := was
		if !p.Settle(inputs, log.now) {
			if err := recountLine(ctx, q, p); err != nil { // its transaction may have left the mempool or the chain
				return err
			}
			continue
		}
		if err := saveProposal(ctx, q, log, was, p); err != nil {
			return err
		}
	}
	return nil
}

// boolOrder compares two booleans like cmp.Compare; false is less than true.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// inputStateOf returns the state of a proposal's inputs in the index.
func inputStateOf(ctx context.Context, q *db.Queries, w wallet.Wallet, p proposal.Proposal) (proposal.InputState, error) {
	inputs := proposal.InputState{Wallet: w}
	lost, err := q.LostAncestors(ctx, db.LostAncestorsParams{ProposalID: p.ID, WalletID: p.WalletID})
	if err != nil {
		return inputs, fmt.Errorf("look up the transactions that created a proposal's inputs: %w", err)
	}
	if len(lost) > 0 {
		inputs.Lost = &proposal.Ancestor{Txid: lost[0].Txid, Status: wallet.Status(lost[0].Status)}
	}
	if inputs.Taken, err = q.IsProposalTaken(ctx, p.ID); err != nil {
		return inputs, fmt.Errorf("look up the proposals that reserve a proposal's inputs: %w", err)
	}
	rows, err := q.SpendersOfProposal(ctx, p.ID)
	if err != nil {
		return inputs, fmt.Errorf("list the transactions that spend a proposal's inputs: %w", err)
	}
	for _, row := range rows {
		spender := proposal.Spender{Txid: row.Txid, UnsignedTxid: psbt.UnsignedTxid(row.Raw), Status: wallet.Status(row.Status), Raw: row.Raw}
		if spender.Replacement, err = replacementOf(ctx, q, p, spender.UnsignedTxid); err != nil {
			return inputs, err
		}
		inputs.Spenders = append(inputs.Spenders, spender)
	}
	return inputs, nil
}

// maxReplacements is the maximum number of replacements that replacementOf follows.
const maxReplacements = 1000

// replacementOf returns the id of the proposal with the given txid if it replaces p,
// directly or through other proposals. Otherwise it returns an empty string.
func replacementOf(ctx context.Context, q *db.Queries, p proposal.Proposal, unsignedTxid string) (id string, err error) {
	candidates, err := q.ProposalsOfTxid(ctx, db.ProposalsOfTxidParams{WalletID: p.WalletID, Txid: unsignedTxid})
	if err != nil {
		return "", fmt.Errorf("look up the replacement of a proposal: %w", err)
	}
	for _, c := range candidates {
		replaced := c.ReplacesID
		for range maxReplacements {
			if replaced == p.ID {
				return c.ProposalID, nil
			}
			if replaced == "" {
				break
			}
			if replaced, err = q.ReplacedID(ctx, replaced); errors.Is(err, sql.ErrNoRows) {
				break // it was deleted outside of specterd
			} else if err != nil {
				return "", fmt.Errorf("look up the transaction that a proposal replaces: %w", err)
			}
		}
	}
	return "", nil
}
