package v1

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/text"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func proposalOf(p proposal.Proposal, w wallets.View) api.ProposalSummary {
	out := api.ProposalSummary{
		ID: text.Optional(p.ID), Status: string(p.Status), StatusAt: p.StatusAt.UTC(), Reason: text.Optional(p.Reason),
		Txid: p.Txid, FinalTxid: text.Optional(p.FinalTxid), Amount: int64(p.Sent()), Fee: int64(p.Fee), FeeRate: feeRateOf(p.PaidRate()),
		ExcessFee: int64(p.ExcessFee), VSize: p.VSize, Estimated: !p.IsSigned(), Replaceable: p.Replaceable, SendMax: p.SendMax,
		SubtractFrom: p.SubtractFrom, Replaces: text.Optional(p.Replaces), ReplacesID: text.Optional(p.ReplacesID), ReplacedBy: text.Optional(p.ReplacedBy),
		Inputs: make([]api.SpentUTXO, len(p.Inputs)), Outputs: make([]api.Payment, len(p.Outputs)), SignaturesRequired: w.SignaturesRequired, Signers: signersOf(p, w),
		CreatedBy: api.Actor{User: p.Creator.UserName, TokenID: text.Optional(p.Creator.TokenID)}, CreatedAt: p.CreatedAt.UTC(), ExpiresAt: p.ExpiresAt.UTC(),
		Steps: make([]api.Step, len(p.Steps)), Evicts: make([]api.Eviction, len(p.Evicts)), Warnings: []api.Warning{},
	}
	for _, w := range p.Warnings() {
		out.Warnings = append(out.Warnings, api.Warning(w))
	}
	for i, e := range p.Evicts {
		out.Evicts[i] = api.Eviction{Txid: e.Txid, ProposalID: text.Optional(e.ProposalID), Status: text.Optional(string(e.Status)), User: text.Optional(e.UserName), Fee: int64(e.Fee), Recipients: make([]api.Payee, len(e.Payees))}
		for k, to := range e.Payees {
			out.Evicts[i].Recipients[k] = api.Payee{Address: to.Address, Amount: int64(to.Amount)}
		}
	}
	if p.TargetBlocks != 0 {
		out.TargetBlocks = &p.TargetBlocks
	} else {
		out.RequestedFeeRate = new(feeRateOf(p.FeeRate))
	}
	out.FeeSource = text.Optional(string(p.FeeSource))
	for i, in := range p.Inputs {
		out.Inputs[i] = api.SpentUTXO{Txid: in.Txid, Vout: in.Vout, Address: in.Address, Amount: int64(in.Amount), Branch: in.Branch.Name(), Index: in.Index, Signatures: p.SignaturesAt(i)}
	}
	for i, o := range p.Outputs {
		out.Outputs[i] = api.Payment{Address: text.Optional(o.Address), Amount: int64(o.Amount), Data: text.Optional(hex.EncodeToString(o.Data)), Kind: string(o.Kind)}
		if o.Own != nil {
			branch := o.Own.Branch.Name()
			out.Outputs[i].Branch, out.Outputs[i].Index = &branch, &o.Own.Index
		}
		if o.Recipient >= 0 {
			out.Outputs[i].Recipient = &o.Recipient
		}
	}
	out.Review = reviewOf(p)
	for i, s := range p.Steps {
		out.Steps[i] = api.Step{At: s.At.UTC(), Action: s.Action, User: text.Optional(s.By.UserName), TokenID: text.Optional(s.By.TokenID), Detail: text.Optional(s.Detail)}
	}
	return out
}

func signersOf(p proposal.Proposal, w wallets.View) []api.Signer {
	signers := make([]api.Signer, len(w.Keys))
	for i, k := range w.Keys {
		signers[i] = api.Signer{Fingerprint: k.Fingerprint, Derivation: k.Derivation, Device: text.Optional(k.Device), SignedInputs: p.Signed(i)}
		signers[i].Signed = signers[i].SignedInputs == len(p.Inputs)
		if last := p.LastSignature(i); last != nil {
			signers[i].SignedAt, signers[i].User = optionalTime(last.At), text.Optional(last.By.UserName)
		}
	}
	return signers
}

func detailsOf(p proposal.Proposal, w wallets.View) api.ProposalDetails {
	return api.ProposalDetails{
		ProposalSummary: proposalOf(p, w), PSBT: base64.StdEncoding.EncodeToString(p.PSBT), RawHex: text.Optional(hex.EncodeToString(p.Raw)),
		Withheld: p.SignaturesWithheld, Version: p.Version,
	}
}

type listProposalsRequest struct {
	walletRequest
	page
	Status []string `query:"status" json:"-" description:"Only proposals in one of these statuses. Separate several with commas, or repeat the parameter."`
	Txid   string   `query:"txid" json:"-" description:"Only proposals with this id of the unsigned or of the signed transaction."`
}

func (in listProposalsRequest) filter() (proposal.Filter, error) {
	statuses, err := proposal.ParseStatuses("status", in.Status)
	return proposal.Filter{Txid: in.Txid, Statuses: statuses}, err
}

// ListProposals serves GET /api/v1/wallets/{alias}/proposals.
func (a *API) ListProposals(ctx context.Context, in listProposalsRequest) (api.List[api.ProposalSummary], error) {
	limit, err := in.limit()
	if err != nil {
		return api.List[api.ProposalSummary]{}, err
	}
	after, err := proposalCursor(in.page)
	if err != nil {
		return api.List[api.ProposalSummary]{}, err
	}
	filter, err := in.filter()
	if err != nil {
		return api.List[api.ProposalSummary]{}, err
	}
	w, err := a.view(ctx, fresh{})
	if err != nil {
		return api.List[api.ProposalSummary]{}, err
	}
	found, err := a.o.Proposals.List(ctx, access(ctx), filter, after, limit+1)
	if err != nil {
		return api.List[api.ProposalSummary]{}, err
	}
	return newList(found, limit, func(p proposal.Proposal) api.ProposalSummary { return proposalOf(p, w) }, func(p proposal.Proposal) string {
		return fmt.Sprint(p.CreatedAt.UnixMicro(), " ", p.ID)
	}), nil
}

func proposalCursor(p page) (proposal.Cursor, error) {
	text, err := p.place()
	if err != nil || text == "" {
		return proposal.Cursor{}, err
	}
	at, id, _ := strings.Cut(text, " ")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return proposal.Cursor{}, errCursor
	}
	return proposal.Cursor{CreatedAt: time.UnixMicro(micros), ID: id}, nil
}

type proposalRequest struct {
	walletRequest
	ID string `path:"id" json:"-" description:"Id of the proposal."`
}

// GetProposal serves GET /api/v1/wallets/{alias}/proposals/{id}.
func (a *API) GetProposal(ctx context.Context, in proposalRequest) (api.ProposalDetails, error) {
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Get(ctx, access(ctx), in.ID)
	})
}

// withWallet calls do, which reads or changes a proposal, and returns the proposal as it is
// shown in the API. It loads the wallet first, so that the request cannot fail after a
// successful change.
func (a *API) withWallet(ctx context.Context, do func() (proposal.Proposal, error)) (api.ProposalDetails, error) {
	w, err := a.view(ctx, fresh{})
	if err != nil {
		return api.ProposalDetails{}, err
	}
	p, err := do()
	if err != nil {
		return api.ProposalDetails{}, err
	}
	return detailsOf(p, w), nil
}

// ifMatch contains the header If-Match of a request that changes a proposal.
type ifMatch struct {
	IfMatch *string `header:"If-Match" json:"-" example:"\"7\"" description:"Optional. Known ETag of the proposal, or up to 16 of them, separated by commas; 412 if the proposal has changed since."`
}

// maxETags is the maximum number of ETags in If-Match.
const maxETags = 16

// versions returns the versions of the proposal that If-Match lists, or nil if the header is
// missing or *. Weak ETags, and ETags that do not contain a version, match no version (RFC
// 9110, section 13.1.1).
func (m ifMatch) versions() (proposal.Versions, error) {
	if m.IfMatch == nil {
		return nil, nil
	}
	text := strings.TrimSpace(*m.IfMatch)
	if text == "*" {
		return nil, nil
	}
	if strings.Count(text, ",") >= maxETags {
		return nil, fault.InvalidField("If-Match", "must not have more than %d ETags", maxETags)
	}
	versions := proposal.Versions{}
	for tag := range strings.SplitSeq(text, ",") {
		tag = strings.TrimSpace(tag)
		opaque := strings.TrimPrefix(tag, "W/")
		if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
			return nil, fault.InvalidField("If-Match", `must be an ETag such as "7", with its quotation marks`)
		}
		version, err := strconv.Atoi(opaque[1 : len(opaque)-1])
		if err == nil && tag == `"`+strconv.Itoa(version)+`"` {
			versions = append(versions, version)
		}
	}
	return versions, nil
}

type changeProposalRequest struct {
	proposalRequest
	ifMatch
}

type addSignaturesRequest struct {
	proposalRequest
	ifMatch
	api.AddSignaturesRequest
	Data []byte `body:"application/octet-stream,text/plain,application/x-www-form-urlencoded,multipart/form-data" formfield:"psbt" json:"-" description:"A PSBT of version 0 or 2 with signatures, or the signed transaction, in a JSON field, as the file of a form, or as the whole body with any of the other media types: in binary, in any format of the JSON field, or as the form field psbt. Only the signatures are used, after verification."`
}

// MaxBody implements route.Limited. The limit allows a PSBT of the maximum size in every
// accepted format.
func (addSignaturesRequest) MaxBody() int64 { return psbt.MaxTextSize }

// AddSignatures serves POST /api/v1/wallets/{alias}/proposals/{id}/signatures.
func (a *API) AddSignatures(ctx context.Context, in addSignaturesRequest) (api.ProposalDetails, error) {
	data := in.Data
	if in.PSBT != "" {
		data = []byte(in.PSBT)
	}
	if len(data) == 0 {
		return api.ProposalDetails{}, fault.InvalidField("psbt", "is required: a PSBT in base64 or hexadecimal, the signed transaction, or the texts of their QR codes")
	}
	expected, err := in.versions()
	if err != nil {
		return api.ProposalDetails{}, err
	}
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.AddSignatures(ctx, access(ctx), in.ID, data, expected)
	})
}

type broadcastProposalRequest struct {
	changeProposalRequest
	api.BroadcastProposalRequest
}

// BroadcastProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/broadcast.
func (a *API) BroadcastProposal(ctx context.Context, in broadcastProposalRequest) (api.ProposalDetails, error) {
	expected, err := in.versions()
	if err != nil {
		return api.ProposalDetails{}, err
	}
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Broadcast(ctx, access(ctx), in.ID, proposal.BroadcastParams{Expected: expected, Evict: in.Evict})
	})
}
