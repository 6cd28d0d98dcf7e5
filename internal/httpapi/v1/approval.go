package v1

import (
	"context"

	"github.com/specterd/specterd/internal/proposal"
)

// ApproveProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/approve.
func (a *API) ApproveProposal(ctx context.Context, in changeProposalRequest) (proposalDetails, error) {
	expected, err := in.versions()
	if err != nil {
		return proposalDetails{}, err
	}
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Approve(ctx, access(ctx), in.ID, expected)
	})
}

type rejectProposalRequest struct {
	changeProposalRequest
	Reason string `json:"reason" required:"true" minLength:"1" maxLength:"500" example:"unknown recipient" description:"Why; all members can read it."`
}

// RejectProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/reject.
func (a *API) RejectProposal(ctx context.Context, in rejectProposalRequest) (proposalDetails, error) {
	expected, err := in.versions()
	if err != nil {
		return proposalDetails{}, err
	}
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Reject(ctx, access(ctx), in.ID, in.Reason, expected)
	})
}
