package v1

import (
	"context"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
)

type recipient struct {
	Address string      `json:"address" required:"true"`
	Amount  *btc.Amount `json:"amount_sat" minimum:"1" description:"Amount in satoshis. Omit it for the one recipient that receives the remainder (send_max)."`
	Label   string      `json:"label" maxLength:"255" description:"Label to set for the address."`
}

type createProposalRequest struct {
	walletRequest
	Recipients   []recipient `json:"recipients" required:"true" minItems:"1" maxItems:"3000" example:"[{\"address\": \"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x\", \"amount_sat\": 100000, \"label\": \"rent\"}]" description:"Recipients and amounts; each address at most once."`
	FeeRate      *feeRate    `json:"fee_rate_sat_vb" description:"Fee rate in satoshis per virtual byte, with at most three decimals. Default: the estimate of Bitcoin Core for target_blocks."`
	TargetBlocks *int        `json:"target_blocks" minimum:"1" maximum:"1008" description:"Confirmation target, in blocks. Default without a fee rate: 6."`
	UTXOs        []string    `json:"utxos" description:"The only UTXOs to spend, each as txid:vout."`
	SendMax      bool        `json:"send_max" description:"Whether the recipient without amount_sat receives the remainder of the UTXOs in utxos or, without utxos, of the available balance."`
	SubtractFrom []int       `json:"subtract_fee_from" description:"Positions of the recipients that pay the fee, starting at 0. Default: the wallet pays it."`
	Replaces     string      `json:"replaces" description:"Id of a proposal, or txid of an unconfirmed transaction, to replace by spending its UTXOs."`
	Replaceable  *bool       `json:"replaceable" default:"true" description:"Whether the transaction signals replaceability (BIP-125)."`
	MaxFee       *btc.Amount `json:"max_fee_sat" minimum:"1" description:"Maximum fee in satoshis. It can only lower the maximum that follows from the maximum fee rate of the wallet and the server."`
	Evict        bool        `json:"evict" description:"Allow a replacement to evict later payments that are not your own; the response lists them as evicts."`
	ExpiresAt    *time.Time  `json:"expires_at" description:"Time when the proposal expires, between 1 minute and 366 days from now."`
	DryRun       bool        `json:"dry_run" description:"Return what would be proposed, with 200, and store and reserve nothing."`
}

// MaxBody implements route.Limited.
func (createProposalRequest) MaxBody() int64 { return proposal.MaxParamsJSON }

// params converts the request to the parameters of the service. It rejects missing fields
// and values that the parameters cannot express; the service validates all others.
func (in createProposalRequest) params() (proposal.CreateParams, error) {
	o := proposal.CreateParams{
		Recipients: make([]proposal.Recipient, len(in.Recipients)), SendMax: in.SendMax, Replaces: in.Replaces,
		NotReplaceable: in.Replaceable != nil && !*in.Replaceable, Evict: in.Evict, DryRun: in.DryRun,
	}
	for i, r := range in.Recipients {
		o.Recipients[i] = proposal.Recipient{Address: r.Address, Label: r.Label}
		field := fmt.Sprintf("recipients[%d].amount_sat", i)
		switch {
		case r.Address == "":
			return o, fault.InvalidField(fmt.Sprintf("recipients[%d].address", i), "is required")
		case r.Amount == nil && !in.SendMax:
			return o, fault.InvalidField(field, "is required; only with send_max may one recipient omit it")
		case r.Amount != nil && *r.Amount <= 0:
			return o, fault.InvalidField(field, "must be above 0")
		case r.Amount != nil:
			o.Recipients[i].Amount = *r.Amount
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

func (in createProposalRequest) setTerms(o *proposal.CreateParams) error {
	if in.FeeRate != nil {
		o.FeeRate = btc.FeeRate(*in.FeeRate)
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
	var err error
	o.MaxFee, err = maxFee(in.MaxFee)
	return err
}

// maxFee converts the maximum fee of a request, nil if the request does not set one, to the
// maximum fee of the service, which is then 0.
func maxFee(asked *btc.Amount) (btc.Amount, error) {
	switch {
	case asked == nil:
		return 0, nil
	case *asked <= 0:
		return 0, fault.InvalidField("max_fee_sat", "must be above 0")
	}
	return *asked, nil
}

// CreateProposal serves POST /api/v1/wallets/{alias}/proposals.
func (a *API) CreateProposal(ctx context.Context, in createProposalRequest) (proposalDetails, bool, error) {
	params, err := in.params()
	if err != nil {
		return proposalDetails{}, false, err
	}
	out, err := a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Create(ctx, access(ctx), params)
	})
	return out, !in.DryRun, err
}

type bumpProposalRequest struct {
	proposalRequest
	FeeRate *feeRate    `json:"fee_rate_sat_vb" required:"true" example:"12.5" description:"Fee rate in satoshis per virtual byte, above the fee rate of the proposal. If it is too low for the Bitcoin node, the error reports the lowest that works."`
	MaxFee  *btc.Amount `json:"max_fee_sat" minimum:"1" description:"Maximum fee in satoshis. It can only lower the maximum that follows from the maximum fee rate of the wallet and the server."`
	Evict   bool        `json:"evict" description:"Allow the replacement to evict later payments that are not your own; the response lists them as evicts. Not required for what an open replacement, whose place this one takes, already replaces or evicts."`
	DryRun  bool        `json:"dry_run" description:"Return what would be proposed, with 200, and store and reserve nothing."`
}

// BumpProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/bump.
func (a *API) BumpProposal(ctx context.Context, in bumpProposalRequest) (proposalDetails, bool, error) {
	if in.FeeRate == nil {
		return proposalDetails{}, false, fault.InvalidField("fee_rate_sat_vb", "is required")
	}
	most, err := maxFee(in.MaxFee)
	if err != nil {
		return proposalDetails{}, false, err
	}
	out, err := a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Bump(ctx, access(ctx), in.ID, proposal.BumpParams{
			FeeRate: btc.FeeRate(*in.FeeRate), MaxFee: most, Evict: in.Evict, DryRun: in.DryRun,
		})
	})
	return out, !in.DryRun, err
}
