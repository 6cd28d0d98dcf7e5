package v1

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
)

type createProposalRequest struct {
	walletRequest
	api.CreateProposalRequest
}

// MaxBody implements route.Limited.
func (createProposalRequest) MaxBody() int64 { return proposal.MaxParamsJSON }

// params converts the request to the parameters of the service. It rejects missing fields
// and values that the parameters cannot express; the service validates all others.
func (in createProposalRequest) params() (proposal.CreateParams, error) {
	o := proposal.CreateParams{
		Recipients: make([]proposal.Recipient, len(in.Recipients)), RecipientsCSV: in.CSV, AllowDuplicates: in.Duplicates, SendMax: in.SendMax, Replaces: in.Replaces,
		NotReplaceable: in.Replaceable != nil && !*in.Replaceable, Evict: in.Evict, DryRun: in.DryRun,
	}
	for i, r := range in.Recipients {
		var err error
		if o.Recipients[i], err = recipientOf(r, i); err != nil {
			return o, err
		}
	}
	if len(in.SubtractFrom) > 0 {
		o.SubtractFrom = in.SubtractFrom
	}
	if in.UTXOs != nil {
		o.UTXOs = make([]btc.Outpoint, len(in.UTXOs))
	}
	for i, text := range in.UTXOs {
		at, err := btc.ParseOutpoint(text)
		if err != nil {
			return o, btc.ErrOutpoint.ForField(fmt.Sprintf("utxos[%d]", i))
		}
		o.UTXOs[i] = at
	}
	return o, in.setTerms(&o)
}

// recipientOf converts the recipient at position i of a request.
func recipientOf(r api.Recipient, i int) (proposal.Recipient, error) {
	out := proposal.Recipient{Address: r.Address, Label: r.Label}
	if r.Amount != nil {
		if out.Amount = btc.Amount(*r.Amount); out.Amount <= 0 { // for the service, 0 means that the amount is omitted
			return out, fault.InvalidField(fmt.Sprintf("recipients[%d].amount_sat", i), "must be above 0")
		}
	}
	if r.Data != nil {
		data, err := hex.DecodeString(*r.Data)
		if err != nil {
			return out, fault.InvalidField(fmt.Sprintf("recipients[%d].data", i), "must be hexadecimal, with two digits for each byte")
		}
		out.Data = append([]byte{}, data...) // not nil, also if it is empty
	}
	return out, nil
}

func (in createProposalRequest) setTerms(o *proposal.CreateParams) error {
	var err error
	if in.FeeRate != nil {
		if o.FeeRate, err = parseFeeRate("fee_rate_sat_vb", *in.FeeRate); err != nil {
			return err
		}
	}
	if in.TargetBlocks != nil {
		if o.TargetBlocks = *in.TargetBlocks; o.TargetBlocks == 0 { // for the service, 0 means no target
			o.TargetBlocks = -1
		}
	}
	if in.ExpiresAt != nil {
		if o.ExpiresAt = *in.ExpiresAt; o.ExpiresAt.IsZero() { // for the service, the zero time means no expiry
			o.ExpiresAt = time.Unix(0, 0)
		}
	}
	o.MaxFee, err = maxFee(in.MaxFee)
	return err
}

// maxFee converts the maximum fee of a request, nil if the request does not set one, to the
// maximum fee of the service, which is then 0.
func maxFee(asked *int64) (btc.Amount, error) {
	switch {
	case asked == nil:
		return 0, nil
	case *asked <= 0:
		return 0, fault.InvalidField("max_fee_sat", "must be above 0")
	}
	return btc.Amount(*asked), nil
}

// CreateProposal serves POST /api/v1/wallets/{alias}/proposals.
func (a *API) CreateProposal(ctx context.Context, in createProposalRequest) (api.ProposalDetails, bool, error) {
	params, err := in.params()
	if err != nil {
		return api.ProposalDetails{}, false, err
	}
	out, err := a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Create(ctx, access(ctx), params)
	})
	return out, !in.DryRun, err
}

type bumpProposalRequest struct {
	proposalRequest
	api.BumpProposalRequest
}

// BumpProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/bump.
func (a *API) BumpProposal(ctx context.Context, in bumpProposalRequest) (api.ProposalDetails, bool, error) {
	if in.FeeRate == nil {
		return api.ProposalDetails{}, false, fault.InvalidField("fee_rate_sat_vb", "is required")
	}
	rate, err := parseFeeRate("fee_rate_sat_vb", *in.FeeRate)
	if err != nil {
		return api.ProposalDetails{}, false, err
	}
	most, err := maxFee(in.MaxFee)
	if err != nil {
		return api.ProposalDetails{}, false, err
	}
	out, err := a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Bump(ctx, access(ctx), in.ID, proposal.BumpParams{
			FeeRate: rate, MaxFee: most, Evict: in.Evict, DryRun: in.DryRun,
		})
	})
	return out, !in.DryRun, err
}
