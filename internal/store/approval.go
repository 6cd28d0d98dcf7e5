package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// The decisions in proposal_approvals.
const (
	decisionApprove = "approve"
	decisionReject  = "reject"
)

// appendApprovals inserts the approvals that p has in addition to those of was.
func appendApprovals(ctx context.Context, q *db.Queries, was, p proposal.Proposal) error {
	for i, a := range p.Approvals[len(was.Approvals):] {
		decision := decisionApprove
		if a.Rejects {
			decision = decisionReject
		}
		err := q.AddProposalApproval(ctx, db.AddProposalApprovalParams{
			ProposalID: p.ID, Position: len(was.Approvals) + i, At: sqltype.Time{Time: a.At}, UserID: a.By.UserID, UserName: a.By.UserName, TokenID: a.By.TokenID,
			Decision: decision, Reason: a.Reason, Hash: a.Hash,
		})
		if err != nil {
			return fmt.Errorf("insert an approval of a proposal: %w", err)
		}
	}
	return nil
}

func approvalOf(row db.ProposalApproval) proposal.Approval {
	return proposal.Approval{
		At: row.At.Time, By: proposal.Actor{UserID: row.UserID, UserName: row.UserName, TokenID: row.TokenID},
		Rejects: row.Decision == decisionReject, Reason: row.Reason, Hash: row.Hash,
	}
}

// NextRelease implements proposal.Store.
func (s *Store) NextRelease(ctx context.Context) (time.Time, error) {
	next, err := s.reads().NextRelease(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && next == 0 {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, translate(fmt.Errorf("select the next release: %w", err))
	}
	return time.UnixMicro(next).UTC(), nil
}

// DueReleases implements proposal.Store.
func (s *Store) DueReleases(ctx context.Context, now time.Time) ([]proposal.Proposal, error) {
	var list []proposal.Proposal
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		ids, err := q.DueReleases(ctx, sqltype.NullTime{Time: now})
		if err != nil {
			return fmt.Errorf("list the proposals to release: %w", err)
		}
		list, err = proposals(ctx, q, ids)
		return err
	})
	return list, err
}
