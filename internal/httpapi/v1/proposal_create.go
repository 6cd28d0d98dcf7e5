package v1

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
)

type recipient struct {
	Address string      `json:"address" description:"Address or bitcoin: URI (BIP-21). Required unless data is given. The amount of a URI is used if amount_sat is omitted, and must be equal to it otherwise; its label or else its message is used if label is omitted."`
	Amount  *btc.Amount `json:"amount_sat" minimum:"1" description:"Amount in satoshis. Omit it if a bitcoin: URI states it, and for the one recipient that receives the remainder (send_max)."`
	Label   string      `json:"label" maxLength:"255" description:"Label to set for the address."`
	Data    *string     `json:"data" example:"6869" description:"Data to store in the transaction, in hexadecimal, instead of an address, an amount and a label (OP_RETURN). At most one recipient can have data, by default up to 80 bytes (SPECTER_MAX_DATA_BYTES)."`
}

type createProposalRequest struct {
	walletRequest
	Recipients   []recipient `json:"recipients" maxItems:"3000" example:"[{\"address\": \"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x\", \"amount_sat\": 100000, \"label\": \"rent\"}]" description:"Recipients and amounts; each address at most once, unless allow_duplicates is true. Required unless recipients_csv is given."`
	CSV          string      `json:"recipients_csv" example:"address,amount_btc,label\nbcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x,0.001,rent" description:"The recipients as CSV, instead of recipients. The first line names the columns: address (an address or a bitcoin: URI), amount_sat or amount_btc, and optionally label. Values are separated by commas, semicolons or tabs; amounts have a decimal point and no commas. Errors name the line and the column of each problem, up to 20."`
	Duplicates   bool        `json:"allow_duplicates" description:"Allow several recipients to have the same address."`
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
		Recipients: make([]proposal.Recipient, len(in.Recipients)), RecipientsCSV: in.CSV, AllowDuplicates: in.Duplicates, SendMax: in.SendMax, Replaces: in.Replaces,
		NotReplaceable: in.Replaceable != nil && !*in.Replaceable, Evict: in.Evict, DryRun: in.DryRun,
	}
	for i, r := range in.Recipients {
		var err error
		if o.Recipients[i], err = r.params(i); err != nil {
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

// params converts the recipient at position i.
func (r recipient) params(i int) (proposal.Recipient, error) {
	out := proposal.Recipient{Address: r.Address, Label: r.Label}
	if r.Amount != nil {
		if out.Amount = *r.Amount; out.Amount <= 0 { // for the service, 0 means that the amount is omitted
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
