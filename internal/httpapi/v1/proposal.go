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
	ID           *string     `json:"id" required:"true" description:"Null for a dry run."`
	Status       string      `json:"status" required:"true" enum:"created,partially_signed,complete,broadcast,confirmed,cancelled,expired,conflicted,replaced" description:"The first three are open: nobody else can spend the coins."`
	StatusAt     time.Time   `json:"status_at" required:"true"`
	Reason       *string     `json:"reason" required:"true" description:"Why it ended; null while it has not, or where the status says it."`
	Txid         string      `json:"txid" required:"true" description:"Of the transaction without signatures."`
	FinalTxid    *string     `json:"final_txid" required:"true" description:"Of the signed one, which differs for pkh, sh, sh-wpkh and sh-wsh; null until there is one."`
	Amount       btc.Amount  `json:"amount_sat" required:"true" description:"What the recipients get."`
	Fee          btc.Amount  `json:"fee_sat" required:"true"`
	FeeRate      feeRate     `json:"fee_rate_sat_vb" required:"true" description:"What it pays: the fee by the virtual size."`
	AskedFeeRate *feeRate    `json:"asked_fee_rate_sat_vb" required:"true" description:"Null where a number of blocks was asked for."`
	FeeSource    *string     `json:"fee_source" required:"true" enum:"requested,estimate,fallback,minimum" description:"Where the fee rate came from: the request, the node's estimate for target_blocks, its fallback fee (-fallbackfee) because it had no estimate, or the minimum of its mempool because the estimate was no higher. Null if that was not recorded."`
	TargetBlocks *int        `json:"target_blocks" required:"true" description:"Null where a fee rate was asked for."`
	ExcessFee    btc.Amount  `json:"excess_fee_sat" required:"true" description:"What of the fee is beyond the fee rate: what was too little to make change of, or makes up for unconfirmed transactions before it that pay less."`
	VSize        int         `json:"vsize" required:"true" description:"Virtual bytes (BIP-141)."`
	Estimated    bool        `json:"vsize_estimated" required:"true" description:"Whether the size, and so the fee rate, are estimates, as they are until it is complete."`
	Replaceable  bool        `json:"replaceable" required:"true" description:"Whether it says that it may be replaced (BIP-125)."`
	SendMax      bool        `json:"send_max" required:"true"`
	SubtractFrom []int       `json:"subtract_fee_from" required:"true" description:"Positions of the recipients who pay the fee."`
	Replaces     *string     `json:"replaces" required:"true" description:"Txid of the transaction whose coins it spends."`
	ReplacesID   *string     `json:"replaces_id" required:"true" description:"Id of the proposal that it replaces, where it is one."`
	ReplacedBy   *string     `json:"replaced_by" required:"true" description:"Id of the proposal that replaced it."`
	Evicts       []eviction  `json:"evicts" required:"true" description:"Later payments that cannot be confirmed any more once this replacement is broadcast, as of when it was created: transactions in the mempool that spend outputs of what it replaces, and open proposals that do."`
	Warnings     []warning   `json:"warnings" required:"true" description:"What to know before signing; empty if there is nothing. More codes can be added."`
	Inputs       []spentCoin `json:"inputs" required:"true"`
	Outputs      []payment   `json:"outputs" required:"true"`
	Required     int         `json:"signatures_required" required:"true" description:"How many each input needs."`
	Signers      []signer    `json:"signers" required:"true" description:"The wallet's keys, in its order."`
	CreatedBy    actor       `json:"created_by" required:"true"`
	CreatedAt    time.Time   `json:"created_at" required:"true"`
	ExpiresAt    time.Time   `json:"expires_at" required:"true" description:"When it ends by itself, if it is still open then."`
	Steps        []step      `json:"steps" required:"true" description:"What has happened to it, in order."`
}

type eviction struct {
	Txid       string     `json:"txid" required:"true" description:"Transaction ID; without signatures for an open proposal."`
	ProposalID *string    `json:"proposal_id" required:"true" description:"Null if it is not a proposal of this wallet."`
	Status     *string    `json:"status" required:"true" enum:"created,partially_signed,complete,broadcast" description:"Status of the proposal."`
	User       *string    `json:"user" required:"true" description:"Name of the user who created the proposal."`
	Fee        btc.Amount `json:"fee_sat" required:"true" description:"Fee in satoshis."`
	Recipients []payee    `json:"recipients" required:"true" description:"Outputs other than change; empty for a transaction that does not spend from this wallet."`
}

type warning struct {
	Code    string `json:"code" required:"true" example:"high_fee" description:"Stable and machine-readable: high_fee if the fee is more than 10 % of the amount."`
	Message string `json:"message" required:"true" description:"A message for people."`
}

type payee struct {
	Address string     `json:"address" required:"true" description:"Empty if the script has no address."`
	Amount  btc.Amount `json:"amount_sat" required:"true" description:"Amount in satoshis."`
}

type spentCoin struct {
	Txid       string     `json:"txid" required:"true"`
	Vout       uint32     `json:"vout" required:"true"`
	Address    string     `json:"address" required:"true"`
	Amount     btc.Amount `json:"amount_sat" required:"true"`
	Branch     string     `json:"branch" required:"true" enum:"receive,change"`
	Index      uint32     `json:"index" required:"true"`
	Signatures int        `json:"signatures" required:"true" description:"Number of signatures collected."`
}

type payment struct {
	Address   *string    `json:"address" required:"true" description:"Null where its script has none."`
	Amount    btc.Amount `json:"amount_sat" required:"true"`
	Kind      string     `json:"kind" required:"true" enum:"external,own,change" description:"By our own descriptor: somebody else's, the wallet's as somebody asked for, or what is left."`
	Branch    *string    `json:"branch" required:"true" enum:"receive,change" description:"Null for somebody else's, as is index."`
	Index     *uint32    `json:"index" required:"true"`
	Recipient *int       `json:"recipient" required:"true" description:"Position of the recipient in the request; null for change."`
}

type signer struct {
	Fingerprint  string     `json:"fingerprint" required:"true"`
	Derivation   string     `json:"derivation" required:"true" example:"m/84h/0h/0h"`
	Device       *string    `json:"device" required:"true" description:"Alias of the device; null where that was deleted."`
	SignedInputs int        `json:"signed_inputs" required:"true"`
	Signed       bool       `json:"signed" required:"true" description:"Whether it signed every input."`
	SignedAt     *time.Time `json:"signed_at" required:"true" description:"When its latest signature came; null for none."`
	User         *string    `json:"user" required:"true" description:"Who brought that."`
}

type actor struct {
	User    string  `json:"user" required:"true"`
	TokenID *string `json:"token_id" required:"true"`
}

type step struct {
	At      time.Time `json:"at" required:"true"`
	Action  string    `json:"action" required:"true" enum:"created,signed,partially_signed,complete,broadcast,confirmed,cancelled,expired,conflicted,replaced"`
	User    *string   `json:"user" required:"true" description:"Null for the chain and the clock."`
	TokenID *string   `json:"token_id" required:"true"`
	Detail  *string   `json:"detail" required:"true"`
}

// proposalDetails is a proposal with its PSBT.
type proposalDetails struct {
	proposalSummary
	PSBT     string  `json:"psbt" required:"true" format:"byte" description:"Version 0 (BIP-174), in base64. It contains the signatures collected so far if the caller is at least a signer in the wallet and the token has the scope proposals:sign or proposals:broadcast. Cancelled, expired and replaced proposals have no signatures."`
	RawHex   *string `json:"raw_hex" required:"true" description:"The signed transaction, for callers who may see signatures; null until there are enough signatures, and after the proposal was cancelled, expired or was replaced."`
	Withheld bool    `json:"signatures_withheld" required:"true" description:"Whether signatures are left out of psbt and raw_hex because of the caller's role or scopes."`

	version int
}

// ETag implements route.Versioned.
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
		Inputs: make([]spentCoin, len(p.Inputs)), Outputs: make([]payment, len(p.Outputs)), Required: w.Required, Signers: signersOf(p, w),
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
		out.AskedFeeRate = (*feeRate)(&p.FeeRate)
	}
	out.FeeSource = optionalText(string(p.FeeSource))
	for i, in := range p.Inputs {
		out.Inputs[i] = spentCoin{in.Txid, in.Vout, in.Address, in.Amount, branchName(in.Branch), in.Index, p.SignaturesAt(i)}
	}
	for i, o := range p.Outputs {
		out.Outputs[i] = payment{Address: optionalText(o.Address), Amount: o.Amount, Kind: string(o.Kind)}
		if o.Own != nil {
			branch := branchName(o.Own.Branch)
			out.Outputs[i].Branch, out.Outputs[i].Index = &branch, &o.Own.Index
		}
		if o.Recipient >= 0 {
			out.Outputs[i].Recipient = &o.Recipient
		}
	}
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
	Status []string `query:"status" json:"-" description:"Only those of these statuses, separated by commas, or with the parameter repeated."`
	Txid   string   `query:"txid" json:"-" description:"Only those of this transaction, with signatures or without."`
}

func (in listProposalsRequest) filter() (proposal.Filter, error) {
	f := proposal.Filter{Txid: in.Txid}
	for _, name := range in.Status {
		switch status := proposal.Status(name); status {
		case proposal.Created, proposal.PartiallySigned, proposal.Complete, proposal.Broadcast, proposal.Confirmed,
			proposal.Cancelled, proposal.Expired, proposal.Conflicted, proposal.Replaced:
			f.Statuses = append(f.Statuses, status)
		default:
			return f, fault.InvalidField("status", "has to be one or some of created, partially_signed, complete, broadcast, confirmed, cancelled, expired, conflicted and replaced")
		}
	}
	return f, nil
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
	w, err := a.view(ctx, in.Alias, fresh{})
	if err != nil {
		return list[proposalSummary]{}, err
	}
	found, err := a.o.Proposals.List(ctx, caller(ctx), in.Alias, filter, after, limit+1)
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
	return a.withWallet(ctx, in.Alias, func() (proposal.Proposal, error) {
		return a.o.Proposals.Get(ctx, caller(ctx), in.Alias, in.ID)
	})
}

// withWallet does something with a proposal and returns it as it is then. What is
// shown of the wallet is read before, so that what is done is not followed by an error.
func (a *API) withWallet(ctx context.Context, alias string, do func() (proposal.Proposal, error)) (proposalDetails, error) {
	w, err := a.view(ctx, alias, fresh{})
	if err != nil {
		return proposalDetails{}, err
	}
	p, err := do()
	if err != nil {
		return proposalDetails{}, err
	}
	return detailsOf(p, w), nil
}

// ifMatch is part of every request that changes a proposal.
type ifMatch struct {
	IfMatch *string `header:"If-Match" json:"-" example:"\"7\"" description:"ETag of the proposal as you know it, or up to 16 of them, separated by commas: 412 where it has changed since. It can be left out."`
}

// maxETags is how many ETags If-Match may list.
const maxETags = 16

// versions returns the versions that the caller expects one of. ETags that are of no
// version, and weak ones, match none (RFC 9110, section 13.1.1).
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
			return nil, fault.InvalidField("If-Match", `has to be an ETag such as "7", with its quotation marks`)
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
	PSBT string `json:"psbt" required:"true" example:"cHNidP8B…" description:"A PSBT of version 0 or 2 with signatures, in base64, or the signed transaction, in hexadecimal."`
	Data []byte `body:"application/octet-stream,text/plain" json:"-" description:"The PSBT in a JSON field, or as it is: the binary file, or a text in base64; or the signed transaction, in binary or hexadecimal. Only signatures are taken, after they were verified."`
}

// MaxBody implements route.Limited: a PSBT as large as those that are handed out can
// be posted in every format.
func (addSignaturesRequest) MaxBody() int64 { return psbt.MaxTextSize }

// AddSignatures serves POST /api/v1/wallets/{alias}/proposals/{id}/signatures.
func (a *API) AddSignatures(ctx context.Context, in addSignaturesRequest) (proposalDetails, error) {
	data := in.Data
	if in.PSBT != "" {
		data = []byte(in.PSBT)
	}
	if len(data) == 0 {
		return proposalDetails{}, fault.InvalidField("psbt", "is needed: a PSBT in base64, or the signed transaction in hexadecimal")
	}
	expected, err := in.versions()
	if err != nil {
		return proposalDetails{}, err
	}
	return a.withWallet(ctx, in.Alias, func() (proposal.Proposal, error) {
		return a.o.Proposals.AddSignatures(ctx, caller(ctx), in.Alias, in.ID, data, expected)
	})
}

type broadcastProposalRequest struct {
	changeProposalRequest
	Evict bool `json:"evict" description:"Allow a replacement to evict payments that are not your own and came after it was proposed."`
}

// BroadcastProposal serves POST /api/v1/wallets/{alias}/proposals/{id}/broadcast.
func (a *API) BroadcastProposal(ctx context.Context, in broadcastProposalRequest) (proposalDetails, error) {
	expected, err := in.versions()
	if err != nil {
		return proposalDetails{}, err
	}
	return a.withWallet(ctx, in.Alias, func() (proposal.Proposal, error) {
		return a.o.Proposals.Broadcast(ctx, caller(ctx), in.Alias, in.ID, proposal.BroadcastParams{Expected: expected, Evict: in.Evict})
	})
}
