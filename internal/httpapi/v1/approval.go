package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/proposal"
)

// ApproveProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/approve.
func (a *API) ApproveProposal(ctx context.Context, in changeProposalRequest) (api.ProposalDetails, error) {
	expected, err := in.versions()
	if err != nil {
		return api.ProposalDetails{}, err
	}
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Approve(ctx, access(ctx), in.ID, expected)
	})
}

type rejectProposalRequest struct {
	changeProposalRequest
	api.RejectProposalRequest
}

// RejectProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/reject.
func (a *API) RejectProposal(ctx context.Context, in rejectProposalRequest) (api.ProposalDetails, error) {
	expected, err := in.versions()
	if err != nil {
		return api.ProposalDetails{}, err
	}
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Reject(ctx, access(ctx), in.ID, in.Reason, expected)
	})
}
