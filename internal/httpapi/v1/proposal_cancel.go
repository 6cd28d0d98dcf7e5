package v1

import (
	"context"

	"github.com/specterd/specterd/internal/proposal"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// cancelledProposal is a proposal that was cancelled or abandoned.
type cancelledProposal struct {
	proposalDetails
	Remedy *remedy `json:"remedy" required:"true" description:"Body of a request to POST /api/v1/wallets/{alias}/proposals that spends one of its UTXOs to an address of the wallet. Sign and broadcast that proposal to make the cancelled one invalid. Null without the warning still_valid, and if none of its UTXOs can be spent now, such as those of a transaction that it would have replaced."`
}

type remedy struct {
	Recipients []remedyRecipient `json:"recipients" required:"true" nullable:"false" description:"One recipient, the wallet itself."`
	UTXOs      []string          `json:"utxos" required:"true" nullable:"false" description:"The UTXO, as txid:vout."`
	SendMax    bool              `json:"send_max" required:"true" description:"Always true: the address receives the amount of the UTXO less the fee."`
}

type remedyRecipient struct {
	Address string `json:"address" required:"true" description:"A change address of the wallet that has not received a payment."`
}

func (a *API) cancelledOf(ctx context.Context, p proposal.Proposal, w wallets.View) cancelledProposal {
	out := cancelledProposal{proposalDetails: detailsOf(p, w)}
	if o := a.o.Proposals.Remedy(ctx, p); o != nil {
		out.Remedy = &remedy{Recipients: []remedyRecipient{{o.Recipients[0].Address}}, UTXOs: []string{o.UTXOs[0].String()}, SendMax: o.SendMax}
	}
	return out
}

// CancelProposal serves DELETE /api/v1/wallets/{alias}/proposals/{id}.
func (a *API) CancelProposal(ctx context.Context, in changeProposalRequest) (cancelledProposal, error) {
	return a.cancel(ctx, in, a.o.Proposals.Cancel)
}

// cancel calls do, which cancels or abandons a proposal, and returns the proposal and, if
// there is one, a remedy.
func (a *API) cancel(ctx context.Context, in changeProposalRequest, do func(ctx context.Context, access wallets.Access, id string, expected proposal.Versions) (proposal.Proposal, error)) (cancelledProposal, error) {
	expected, err := in.versions()
	if err != nil {
		return cancelledProposal{}, err
	}
	w, err := a.view(ctx, fresh{})
	if err != nil {
		return cancelledProposal{}, err
	}
	p, err := do(ctx, access(ctx), in.ID, expected)
	if err != nil {
		return cancelledProposal{}, err
	}
	return a.cancelledOf(ctx, p, w), nil
}

// AbandonProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/abandon.
func (a *API) AbandonProposal(ctx context.Context, in changeProposalRequest) (cancelledProposal, error) {
	return a.cancel(ctx, in, a.o.Proposals.Abandon)
}
