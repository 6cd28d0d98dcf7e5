package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// Proposal implements proposal.Store.
func (s *Store) Proposal(ctx context.Context, walletID, id string) (proposal.Proposal, error) {
	var p proposal.Proposal
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		var err error
		if p, err = readProposal(ctx, q, walletID, id); err != nil {
			return err
		}
		return p.NotePolicies(rules{ctx, s, q, false}, nil)
	})
	return p, err
}

func readProposal(ctx context.Context, q *db.Queries, walletID, id string) (proposal.Proposal, error) {
	list, err := proposals(ctx, q, []string{id})
	if err != nil {
		return proposal.Proposal{}, err
	}
	if len(list) == 0 || list[0].WalletID != walletID {
		return proposal.Proposal{}, proposal.ErrNotFound
	}
	return list[0], nil
}

// Proposals implements proposal.Store.
func (s *Store) Proposals(ctx context.Context, walletID string, f proposal.Filter, after proposal.Cursor, limit int) ([]proposal.Proposal, error) {
	statuses := make([]string, len(f.Statuses))
	for i, status := range f.Statuses {
		statuses[i] = string(status)
	}
	before := after.CreatedAt
	if before.IsZero() {
		before = endOfTime
	}
	var list []proposal.Proposal
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		ids, err := q.Proposals(ctx, db.ProposalsParams{
			WalletID: walletID, BeforeCreatedAt: sqltype.Time{Time: before}, BeforeProposalID: after.ID,
			AnyStatus: f.Statuses == nil, Statuses: listOf(statuses), AnyTxid: f.Txid == "", Txid: f.Txid, AnyCreator: f.Creator == "", UserID: f.Creator,
			AnyParent: f.Parents == nil, Parents: listOf(f.Parents), MaxRows: int64(limit),
		})
		if err != nil {
			return fmt.Errorf("list proposals: %w", err)
		}
		if list, err = proposals(ctx, q, ids); err != nil {
			return err
		}
		known := map[string]string{}
		for i := range list {
			if err := list[i].NotePolicies(rules{ctx, s, q, false}, known); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// openProposalsOf is the key of the open proposals of a wallet for credentialReader.remember.
type openProposalsOf struct{ walletID string }

// maxSmallPSBTs is the maximum size, in bytes, of the PSBTs in a list that is cached.
const maxSmallPSBTs = 16 << 10

// OpenProposals implements proposal.Store.
func (s *Store) OpenProposals(ctx context.Context, walletID string) ([]proposal.Proposal, error) {
	list, err := remember(ctx, s, openProposalsOf{walletID}, func() ([]proposal.Proposal, bool, error) {
		list, err := s.readOpenProposals(ctx, walletID)
		size := 0
		for _, p := range list {
			size += len(p.PSBT) + len(p.Raw)
		}
		return list, size <= maxSmallPSBTs, err
	})
	return slices.Clone(list), err
}

func (s *Store) readOpenProposals(ctx context.Context, walletID string) ([]proposal.Proposal, error) {
	var list []proposal.Proposal
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		rows, err := q.OpenProposals(ctx, walletID)
		if err != nil {
			return fmt.Errorf("list open proposals: %w", err)
		}
		list, err = proposalsOf(rows, func(ids string, byID map[string]*proposal.Proposal) error {
			return fillPayments(ctx, q, ids, byID)
		})
		return err
	})
	return list, err
}

// proposals returns the existing proposals among these ids, in the order of the ids.
func proposals(ctx context.Context, q *db.Queries, ids []string) ([]proposal.Proposal, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := q.ProposalsByID(ctx, listOf(ids))
	if err != nil {
		return nil, fmt.Errorf("select proposals: %w", err)
	}
	rank := make(map[string]int, len(ids))
	for i, id := range ids {
		rank[id] = i
	}
	slices.SortFunc(rows, func(a, b db.Proposal) int { return rank[a.ProposalID] - rank[b.ProposalID] })
	return proposalsOf(rows, func(ids string, byID map[string]*proposal.Proposal) error {
		return fillProposals(ctx, q, ids, byID)
	})
}

// proposalsOf converts rows to proposals, and calls fill to read their parts from other tables.
func proposalsOf(rows []db.Proposal, fill func(ids string, byID map[string]*proposal.Proposal) error) ([]proposal.Proposal, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	list := make([]proposal.Proposal, len(rows))
	ids, byID := make([]string, len(rows)), make(map[string]*proposal.Proposal, len(rows))
	for i, row := range rows {
		var err error
		if list[i], err = proposalOf(row); err != nil {
			return nil, err
		}
		ids[i], byID[row.ProposalID] = row.ProposalID, &list[i]
	}
	if err := fill(listOf(ids), byID); err != nil {
		return nil, err
	}
	for i := range list {
		if err := list[i].ReadData(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func proposalOf(row db.Proposal) (proposal.Proposal, error) {
	p := proposal.Proposal{
		ID: row.ProposalID, WalletID: row.WalletID, Txid: row.Txid, FinalTxid: row.FinalTxid,
		Status: proposal.Status(row.Status), StatusAt: row.StatusAt.Time, Reason: row.Reason, Version: row.Version,
		Creator:   proposal.Actor{UserID: row.UserID, UserName: row.UserName, TokenID: row.TokenID},
		CreatedAt: row.CreatedAt.Time, ExpiresAt: row.ExpiresAt.Time,
		Terms: proposal.Terms{
			FeeRate: row.FeeRate, FeeSource: proposal.FeeSource(row.FeeSource), TargetBlocks: row.TargetBlocks, Replaceable: row.Replaceable,
			SendMax: row.SendMax, Replaces: row.Replaces,
		},
		PSBT: row.Psbt, Raw: row.Raw, Fee: row.FeeSat, VSize: row.Vsize, ExcessFee: row.ExcessFeeSat,
		ReplacesID: row.ReplacesID, ReplacedBy: row.ReplacedBy, Imported: row.Imported, TryAt: row.ReleaseAt.Time,
	}
	var err error
	if p.Review, err = reviewOf(row.Review); err != nil {
		return p, err
	}
	if err := json.Unmarshal([]byte(row.SubtractFrom), &p.SubtractFrom); err != nil {
		return p, fmt.Errorf("read subtract_from of a proposal: %w", err)
	}
	if err := json.Unmarshal([]byte(row.Evicts), &p.Evicts); err != nil {
		return p, fmt.Errorf("read the evictions of a proposal: %w", err)
	}
	if len(p.Evicts) == 0 {
		p.Evicts = nil
	}
	return p, nil
}

// fillProposals fills in the fields of proposals that are stored in other tables.
func fillProposals(ctx context.Context, q *db.Queries, ids string, byID map[string]*proposal.Proposal) error {
	steps, err1 := q.ProposalSteps(ctx, ids)
	approvals, err2 := q.ApprovalsOfProposals(ctx, ids)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("select the steps and approvals of proposals: %w", err)
	}
	for _, row := range steps {
		p := byID[row.ProposalID]
		p.Steps = append(p.Steps, proposal.Step{
			At: row.At.Time, Action: row.Action, Detail: row.Detail,
			By: proposal.Actor{UserID: row.UserID, UserName: row.UserName, TokenID: row.TokenID},
		})
	}
	for _, row := range approvals {
		p := byID[row.ProposalID]
		p.Approvals = append(p.Approvals, approvalOf(row))
	}
	return fillPayments(ctx, q, ids, byID)
}

// fillPayments fills in the inputs, outputs and signatures of proposals.
func fillPayments(ctx context.Context, q *db.Queries, ids string, byID map[string]*proposal.Proposal) error {
	inputs, err1 := q.ProposalInputs(ctx, ids)
	outputs, err2 := q.ProposalOutputs(ctx, ids)
	signatures, err3 := q.ProposalSignatures(ctx, ids)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("select the parts of proposals: %w", err)
	}
	for _, row := range inputs {
		p := byID[row.ProposalID]
		p.Inputs = append(p.Inputs, proposal.Input{
			Outpoint: btc.Outpoint{Txid: row.Txid, Vout: row.Vout},
			Place:    wallet.Place{Branch: wallet.Branch(row.Branch), Index: row.AddressIndex},
			Address:  row.Address, Amount: row.AmountSat,
		})
	}
	for _, row := range outputs {
		p := byID[row.ProposalID]
		p.Outputs = append(p.Outputs, proposalOutput(row))
	}
	for _, row := range signatures {
		p := byID[row.ProposalID]
		p.Signatures = append(p.Signatures, proposal.Signature{
			Input: row.Position, Key: row.KeyPosition, At: row.At.Time,
			By: proposal.Actor{UserID: row.UserID, UserName: row.UserName, TokenID: row.TokenID},
		})
	}
	return nil
}

func proposalOutput(row db.ProposalOutput) proposal.Output {
	out := proposal.Output{Address: row.Address, Amount: row.AmountSat, Asked: row.RequestedSat, Kind: proposal.Kind(row.Kind), Recipient: -1}
	if row.Branch != nil && row.AddressIndex != nil {
		out.Own = &wallet.Place{Branch: wallet.Branch(*row.Branch), Index: *row.AddressIndex}
	}
	if row.Recipient != nil {
		out.Recipient = *row.Recipient
	}
	return out
}
