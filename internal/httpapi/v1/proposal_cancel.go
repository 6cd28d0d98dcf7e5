package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/proposal"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func (a *API) cancelledOf(ctx context.Context, p proposal.Proposal, w wallets.View) api.CancelledProposal {
	out := api.CancelledProposal{ProposalDetails: detailsOf(p, w)}
	if o := a.o.Proposals.Remedy(ctx, p); o != nil {
		out.Remedy = &api.Remedy{Recipients: []api.RemedyRecipient{{Address: o.Recipients[0].Address}}, UTXOs: []string{o.UTXOs[0].String()}, SendMax: o.SendMax}
	}
	return out
}

// CancelProposal serves DELETE /api/v1/wallets/{alias}/proposals/{id}.
func (a *API) CancelProposal(ctx context.Context, in changeProposalRequest) (api.CancelledProposal, error) {
	return a.cancel(ctx, in, a.o.Proposals.Cancel)
}

// cancel calls do, which cancels or abandons a proposal, and returns the proposal and, if
// there is one, a remedy.
func (a *API) cancel(ctx context.Context, in changeProposalRequest, do func(ctx context.Context, access wallets.Access, id string, expected proposal.Versions) (proposal.Proposal, error)) (api.CancelledProposal, error) {
	expected, err := in.versions()
	if err != nil {
		return api.CancelledProposal{}, err
	}
	w, err := a.view(ctx, fresh{})
	if err != nil {
		return api.CancelledProposal{}, err
	}
	p, err := do(ctx, access(ctx), in.ID, expected)
	if err != nil {
		return api.CancelledProposal{}, err
	}
	return a.cancelledOf(ctx, p, w), nil
}

// AbandonProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/abandon.
func (a *API) AbandonProposal(ctx context.Context, in changeProposalRequest) (api.CancelledProposal, error) {
	return a.cancel(ctx, in, a.o.Proposals.Abandon)
}
