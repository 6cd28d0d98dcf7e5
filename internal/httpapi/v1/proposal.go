package v1

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// proposalSummary is a proposal in a list.
type proposalSummary struct {
	ID                 *string     `json:"id" required:"true" description:"Id of the proposal; null for a dry run."`
	Status             string      `json:"status" required:"true" enum:"awaiting_approval,created,partially_signed,complete,broadcast,confirmed,cancelled,expired,rejected,conflicted,replaced" description:"Status of the proposal. In the first four the proposal is open, and its UTXOs are reserved for it. While it awaits approval, or the end of a delay, it has no PSBT and cannot be signed."`
	StatusAt           time.Time   `json:"status_at" required:"true"`
	Reason             *string     `json:"reason" required:"true" description:"Why the proposal ended; null if it is open or if the status says why."`
	Txid               string      `json:"txid" required:"true" description:"Id of the unsigned transaction."`
	FinalTxid          *string     `json:"final_txid" required:"true" description:"Id of the signed transaction, which differs from txid for pkh, sh, sh-wpkh and sh-wsh; null until the transaction is signed."`
	Amount             btc.Amount  `json:"amount_sat" required:"true" description:"Total that the recipients receive, in satoshis."`
	Fee                btc.Amount  `json:"fee_sat" required:"true"`
	FeeRate            feeRate     `json:"fee_rate_sat_vb" required:"true" description:"Fee rate in satoshis per virtual byte: the fee divided by the virtual size. It includes excess_fee_sat, so that it can be higher than requested_fee_rate_sat_vb or the node's estimate."`
	RequestedFeeRate   *feeRate    `json:"requested_fee_rate_sat_vb" required:"true" description:"Fee rate of the request, in satoshis per virtual byte; null if the request had a confirmation target instead."`
	FeeSource          *string     `json:"fee_source" required:"true" enum:"requested,estimate,fallback,minimum" description:"Where the fee rate came from: the request, the node's estimate for target_blocks, its fallback fee (-fallbackfee) because it had no estimate, or the minimum of its mempool because the estimate was not above it. The fee can be higher than this source explains; see excess_fee_sat. Null if that was not recorded."`
	TargetBlocks       *int        `json:"target_blocks" required:"true" description:"Confirmation target, in blocks; null if the request had a fee rate instead."`
	ExcessFee          btc.Amount  `json:"excess_fee_sat" required:"true" description:"Part of the fee above the requested or estimated fee rate, in satoshis: a remainder too small for a change output, or a surplus for unconfirmed ancestors with a lower fee rate. 0 if fee_source is fallback, because the node does not report that rate; the warning unconfirmed_utxos then states the fee rate together with the ancestors."`
	VSize              int         `json:"vsize" required:"true" description:"Virtual size in bytes (BIP-141)."`
	Estimated          bool        `json:"vsize_estimated" required:"true" description:"Whether vsize, and thus the fee rate, is an estimate, as it is until the proposal is complete."`
	Replaceable        bool        `json:"replaceable" required:"true" description:"Whether the transaction signals replaceability (BIP-125)."`
	SendMax            bool        `json:"send_max" required:"true"`
	SubtractFrom       []int       `json:"subtract_fee_from" required:"true" description:"Positions of the recipients that pay the fee."`
	Replaces           *string     `json:"replaces" required:"true" description:"Id of the transaction that it replaces."`
	ReplacesID         *string     `json:"replaces_id" required:"true" description:"Id of the proposal that it replaces; null if it does not replace a proposal."`
	ReplacedBy         *string     `json:"replaced_by" required:"true" description:"Id of the proposal that replaced it; null if it was not replaced."`
	Evicts             []eviction  `json:"evicts" required:"true" description:"Later payments that cannot be confirmed any more once this replacement is broadcast, as of when it was created: transactions in the mempool that spend outputs of what it replaces, and open proposals that do. If it takes the place of an open replacement, the payment in the mempool that both replace is also listed."`
	Warnings           []warning   `json:"warnings" required:"true" description:"Warnings to read before signing or after cancelling; may be empty. More codes can be added."`
	Inputs             []spentUTXO `json:"inputs" required:"true"`
	Outputs            []payment   `json:"outputs" required:"true"`
	SignaturesRequired int         `json:"signatures_required" required:"true" description:"Number of signatures that each input requires."`
	Signers            []signer    `json:"signers" required:"true" description:"Keys of the wallet, in the order of the descriptor."`
	CreatedBy          actor       `json:"created_by" required:"true"`
	CreatedAt          time.Time   `json:"created_at" required:"true"`
	ExpiresAt          time.Time   `json:"expires_at" required:"true" description:"Time when the proposal expires if it is still open."`
	Review             *review     `json:"review" required:"true" description:"What spending policies require before the proposal can be signed; null if none applied when it was created."`
	Steps              []step      `json:"steps" required:"true" description:"Changes of the proposal, in chronological order."`
}

type eviction struct {
	Txid       string     `json:"txid" required:"true" description:"Transaction ID; without signatures for an open proposal."`
	ProposalID *string    `json:"proposal_id" required:"true" description:"Null if it is not a proposal of this wallet."`
	Status     *string    `json:"status" required:"true" enum:"awaiting_approval,created,partially_signed,complete,broadcast" description:"Status of the proposal."`
	User       *string    `json:"user" required:"true" description:"Name of the user who created the proposal."`
	Fee        btc.Amount `json:"fee_sat" required:"true" description:"Fee in satoshis."`
	Recipients []payee    `json:"recipients" required:"true" description:"Outputs other than change; empty for a transaction that does not spend from this wallet."`
}

type warning struct {
	Code    string `json:"code" required:"true" example:"high_fee" description:"Stable and machine-readable: high_fee if the fee is more than 10 % of the amount; unconfirmed_utxos, only in the response to a creation or a dry run, if it spends outputs of unconfirmed transactions, with its fee rate alone and together with them; still_valid if the proposal was cancelled or has expired after it had enough signatures, so that anyone who has a copy of its transaction can still send it."`
	Message string `json:"message" required:"true" description:"Human-readable message."`
}

type payee struct {
	Address string     `json:"address" required:"true" description:"Empty if the script has no address."`
	Amount  btc.Amount `json:"amount_sat" required:"true" description:"Amount in satoshis."`
}

type spentUTXO struct {
	Txid       string     `json:"txid" required:"true"`
	Vout       uint32     `json:"vout" required:"true"`
	Address    string     `json:"address" required:"true"`
	Amount     btc.Amount `json:"amount_sat" required:"true"`
	Branch     string     `json:"branch" required:"true" enum:"receive,change"`
	Index      uint32     `json:"index" required:"true"`
	Signatures int        `json:"signatures" required:"true" description:"Number of signatures collected."`
}

type payment struct {
	Address   *string    `json:"address" required:"true" description:"Address; null if the script has no address."`
	Amount    btc.Amount `json:"amount_sat" required:"true"`
	Data      *string    `json:"data" required:"true" example:"6869" description:"Data of an output without an address (OP_RETURN), in hexadecimal; null for other outputs."`
	Kind      string     `json:"kind" required:"true" enum:"external,own,change" description:"Determined from the wallet's descriptor: external (not an address of the wallet, or data), own (an address of the wallet that the request names as a recipient) or change (the remainder)."`
	Branch    *string    `json:"branch" required:"true" enum:"receive,change" description:"Branch of the address; null, like index, if the address is not the wallet's."`
	Index     *uint32    `json:"index" required:"true"`
	Recipient *int       `json:"recipient" required:"true" description:"Position of the recipient in the request; null for change."`
}

type signer struct {
	Fingerprint  string     `json:"fingerprint" required:"true"`
	Derivation   string     `json:"derivation" required:"true" example:"m/84h/0h/0h"`
	Device       *string    `json:"device" required:"true" description:"Alias of the device; null if the device was deleted."`
	SignedInputs int        `json:"signed_inputs" required:"true"`
	Signed       bool       `json:"signed" required:"true" description:"Whether the key has signed every input."`
	SignedAt     *time.Time `json:"signed_at" required:"true" description:"Time when its latest signature was added; null without signatures."`
	User         *string    `json:"user" required:"true" description:"User who added that signature."`
}

type actor struct {
	User    string  `json:"user" required:"true"`
	TokenID *string `json:"token_id" required:"true"`
}

type step struct {
	At      time.Time `json:"at" required:"true"`
	Action  string    `json:"action" required:"true" enum:"created,awaiting_approval,approved,signed,partially_signed,complete,broadcast,confirmed,cancelled,expired,rejected,conflicted,replaced"`
	User    *string   `json:"user" required:"true" description:"User who caused the change; null if the blockchain or the passage of time did."`
	TokenID *string   `json:"token_id" required:"true"`
	Detail  *string   `json:"detail" required:"true"`
}

// proposalDetails is a proposal with its PSBT.
type proposalDetails struct {
	proposalSummary
	PSBT     string  `json:"psbt" required:"true" format:"byte" description:"Version 0 (BIP-174), in base64. It contains the signatures collected so far if the caller is at least a signer in the wallet and the token has the scope proposals:sign or proposals:broadcast. Cancelled, expired, rejected and replaced proposals have no signatures. Empty while the proposal awaits approval, and if it was closed before."`
	RawHex   *string `json:"raw_hex" required:"true" description:"The signed transaction, for callers who may see signatures; null until there are enough signatures, and after the proposal was cancelled, expired or was replaced."`
	Withheld bool    `json:"signatures_withheld" required:"true" description:"Whether signatures are omitted from psbt and raw_hex because of the caller's role or scopes."`

	version int
}

// ETag implements route.Versioned. A dry run has no ETag.
func (p proposalDetails) ETag() string {
	if p.version == 0 || p.ID == nil {
		return ""
	}
	return `"` + strconv.Itoa(p.version) + `"`
}

func proposalOf(p proposal.Proposal, w wallets.View) proposalSummary {
	out := proposalSummary{
		ID: optionalText(p.ID), Status: string(p.Status), StatusAt: p.StatusAt.UTC(), Reason: optionalText(p.Reason),
		Txid: p.Txid, FinalTxid: optionalText(p.FinalTxid), Amount: p.Sent(), Fee: p.Fee, FeeRate: feeRate(p.PaidRate()),
		ExcessFee: p.ExcessFee, VSize: p.VSize, Estimated: !p.IsSigned(), Replaceable: p.Replaceable, SendMax: p.SendMax,
		SubtractFrom: p.SubtractFrom, Replaces: optionalText(p.Replaces), ReplacesID: optionalText(p.ReplacesID), ReplacedBy: optionalText(p.ReplacedBy),
		Inputs: make([]spentUTXO, len(p.Inputs)), Outputs: make([]payment, len(p.Outputs)), SignaturesRequired: w.SignaturesRequired, Signers: signersOf(p, w),
		CreatedBy: actor{p.Creator.UserName, optionalText(p.Creator.TokenID)}, CreatedAt: p.CreatedAt.UTC(), ExpiresAt: p.ExpiresAt.UTC(),
		Steps: make([]step, len(p.Steps)), Evicts: make([]eviction, len(p.Evicts)), Warnings: []warning{},
	}
	for _, w := range p.Warnings() {
		out.Warnings = append(out.Warnings, warning(w))
	}
	for i, e := range p.Evicts {
		out.Evicts[i] = eviction{e.Txid, optionalText(e.ProposalID), optionalText(string(e.Status)), optionalText(e.UserName), e.Fee, make([]payee, len(e.Payees))}
		for k, to := range e.Payees {
			out.Evicts[i].Recipients[k] = payee(to)
		}
	}
	if p.TargetBlocks != 0 {
		out.TargetBlocks = &p.TargetBlocks
	} else {
		out.RequestedFeeRate = (*feeRate)(&p.FeeRate)
	}
	out.FeeSource = optionalText(string(p.FeeSource))
	for i, in := range p.Inputs {
		out.Inputs[i] = spentUTXO{in.Txid, in.Vout, in.Address, in.Amount, in.Branch.Name(), in.Index, p.SignaturesAt(i)}
	}
	for i, o := range p.Outputs {
		out.Outputs[i] = payment{Address: optionalText(o.Address), Amount: o.Amount, Data: optionalText(hex.EncodeToString(o.Data)), Kind: string(o.Kind)}
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
		out.Steps[i] = step{s.At.UTC(), s.Action, optionalText(s.By.UserName), optionalText(s.By.TokenID), optionalText(s.Detail)}
	}
	return out
}

func signersOf(p proposal.Proposal, w wallets.View) []signer {
	signers := make([]signer, len(w.Keys))
	for i, k := range w.Keys {
		signers[i] = signer{Fingerprint: k.Fingerprint, Derivation: k.Derivation, Device: optionalText(k.Device), SignedInputs: p.Signed(i)}
		signers[i].Signed = signers[i].SignedInputs == len(p.Inputs)
		if last := p.LastSignature(i); last != nil {
			signers[i].SignedAt, signers[i].User = optionalTime(last.At), optionalText(last.By.UserName)
		}
	}
	return signers
}

func detailsOf(p proposal.Proposal, w wallets.View) proposalDetails {
	return proposalDetails{
		proposalSummary: proposalOf(p, w), PSBT: base64.StdEncoding.EncodeToString(p.PSBT), RawHex: optionalText(hex.EncodeToString(p.Raw)),
		Withheld: p.SignaturesWithheld, version: p.Version,
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
func (a *API) ListProposals(ctx context.Context, in listProposalsRequest) (list[proposalSummary], error) {
	limit, err := in.limit()
	if err != nil {
		return list[proposalSummary]{}, err
	}
	after, err := proposalCursor(in.page)
	if err != nil {
		return list[proposalSummary]{}, err
	}
	filter, err := in.filter()
	if err != nil {
		return list[proposalSummary]{}, err
	}
	w, err := a.view(ctx, fresh{})
	if err != nil {
		return list[proposalSummary]{}, err
	}
	found, err := a.o.Proposals.List(ctx, access(ctx), filter, after, limit+1)
	if err != nil {
		return list[proposalSummary]{}, err
	}
	return newList(found, limit, func(p proposal.Proposal) proposalSummary { return proposalOf(p, w) }, func(p proposal.Proposal) string {
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
func (a *API) GetProposal(ctx context.Context, in proposalRequest) (proposalDetails, error) {
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Get(ctx, access(ctx), in.ID)
	})
}

// withWallet calls do, which reads or changes a proposal, and returns the proposal as it is
// shown in the API. It loads the wallet first, so that the request cannot fail after a
// successful change.
func (a *API) withWallet(ctx context.Context, do func() (proposal.Proposal, error)) (proposalDetails, error) {
	w, err := a.view(ctx, fresh{})
	if err != nil {
		return proposalDetails{}, err
	}
	p, err := do()
	if err != nil {
		return proposalDetails{}, err
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
	PSBT string `json:"psbt" required:"true" example:"cHNidP8B…" description:"A PSBT of version 0 or 2 with signatures, or the signed transaction: in base64 (standard or URL-safe, with or without padding), in hexadecimal, or as texts of QR codes (BBQr, UR, pMofN), one in each line."`
	Data []byte `body:"application/octet-stream,text/plain,application/x-www-form-urlencoded,multipart/form-data" formfield:"psbt" json:"-" description:"A PSBT of version 0 or 2 with signatures, or the signed transaction, in a JSON field, as the file of a form, or as the whole body with any of the other media types: in binary, in any format of the JSON field, or as the form field psbt. Only the signatures are used, after verification."`
}

// MaxBody implements route.Limited. The limit allows a PSBT of the maximum size in every
// accepted format.
func (addSignaturesRequest) MaxBody() int64 { return psbt.MaxTextSize }

// AddSignatures serves POST /api/v1/wallets/{alias}/proposals/{id}/signatures.
func (a *API) AddSignatures(ctx context.Context, in addSignaturesRequest) (proposalDetails, error) {
	data := in.Data
	if in.PSBT != "" {
		data = []byte(in.PSBT)
	}
	if len(data) == 0 {
		return proposalDetails{}, fault.InvalidField("psbt", "is required: a PSBT in base64 or hexadecimal, the signed transaction, or the texts of their QR codes")
	}
	expected, err := in.versions()
	if err != nil {
		return proposalDetails{}, err
	}
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.AddSignatures(ctx, access(ctx), in.ID, data, expected)
	})
}

type broadcastProposalRequest struct {
	changeProposalRequest
	Evict bool `json:"evict" description:"Allow a replacement to evict payments that are not your own and that were made after it was proposed."`
}

// BroadcastProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/broadcast.
func (a *API) BroadcastProposal(ctx context.Context, in broadcastProposalRequest) (proposalDetails, error) {
	expected, err := in.versions()
	if err != nil {
		return proposalDetails{}, err
	}
	return a.withWallet(ctx, func() (proposal.Proposal, error) {
		return a.o.Proposals.Broadcast(ctx, access(ctx), in.ID, proposal.BroadcastParams{Expected: expected, Evict: in.Evict})
	})
}
