package v1

import (
	"strconv"
	"time"
)

// ProposalSummary is a proposal in a list.
type ProposalSummary struct {
	ID                 *string     `json:"id" required:"true" description:"Id of the proposal; null for a dry run."`
	Status             string      `json:"status" required:"true" enum:"awaiting_approval,created,partially_signed,complete,broadcast,confirmed,cancelled,expired,rejected,conflicted,replaced" description:"Status of the proposal. In the first four the proposal is open, and its UTXOs are reserved for it. While it awaits approval, or the end of a delay, it has no PSBT and cannot be signed."`
	StatusAt           time.Time   `json:"status_at" required:"true"`
	Reason             *string     `json:"reason" required:"true" description:"Why the proposal ended; null if it is open or if the status says why."`
	Txid               string      `json:"txid" required:"true" description:"Id of the unsigned transaction."`
	FinalTxid          *string     `json:"final_txid" required:"true" description:"Id of the signed transaction, which differs from txid for pkh, sh, sh-wpkh and sh-wsh; null until the transaction is signed."`
	Amount             int64       `json:"amount_sat" required:"true" description:"Total that the recipients receive, in satoshis."`
	Fee                int64       `json:"fee_sat" required:"true"`
	FeeRate            FeeRate     `json:"fee_rate_sat_vb" required:"true" description:"Fee rate in satoshis per virtual byte: the fee divided by the virtual size. It includes excess_fee_sat, so that it can be higher than requested_fee_rate_sat_vb or the node's estimate."`
	RequestedFeeRate   *FeeRate    `json:"requested_fee_rate_sat_vb" required:"true" description:"Fee rate of the request, in satoshis per virtual byte; null if the request had a confirmation target instead."`
	FeeSource          *string     `json:"fee_source" required:"true" enum:"requested,estimate,fallback,minimum" description:"Where the fee rate came from: the request, the node's estimate for target_blocks, its fallback fee (-fallbackfee) because it had no estimate, or the minimum of its mempool because the estimate was not above it. The fee can be higher than this source explains; see excess_fee_sat. Null if that was not recorded."`
	TargetBlocks       *int        `json:"target_blocks" required:"true" description:"Confirmation target, in blocks; null if the request had a fee rate instead."`
	ExcessFee          int64       `json:"excess_fee_sat" required:"true" description:"Part of the fee above the requested or estimated fee rate, in satoshis: a remainder too small for a change output, or a surplus for unconfirmed ancestors with a lower fee rate. 0 if fee_source is fallback, because the node does not report that rate; the warning unconfirmed_utxos then states the fee rate together with the ancestors."`
	VSize              int         `json:"vsize" required:"true" description:"Virtual size in bytes (BIP-141)."`
	Estimated          bool        `json:"vsize_estimated" required:"true" description:"Whether vsize, and thus the fee rate, is an estimate, as it is until the proposal is complete."`
	Replaceable        bool        `json:"replaceable" required:"true" description:"Whether the transaction signals replaceability (BIP-125)."`
	SendMax            bool        `json:"send_max" required:"true"`
	SubtractFrom       []int       `json:"subtract_fee_from" required:"true" description:"Positions of the recipients that pay the fee."`
	Replaces           *string     `json:"replaces" required:"true" description:"Id of the transaction that it replaces."`
	ReplacesID         *string     `json:"replaces_id" required:"true" description:"Id of the proposal that it replaces; null if it does not replace a proposal."`
	ReplacedBy         *string     `json:"replaced_by" required:"true" description:"Id of the proposal that replaced it; null if it was not replaced."`
	Evicts             []Eviction  `json:"evicts" required:"true" description:"Later payments that cannot be confirmed any more once this replacement is broadcast, as of when it was created: transactions in the mempool that spend outputs of the transaction that it replaces, and open proposals that do. If it takes the place of an open replacement, the payment in the mempool that both replace is also listed."`
	Warnings           []Warning   `json:"warnings" required:"true" description:"Warnings to read before signing or after cancelling; may be empty. More codes can be added."`
	Inputs             []SpentUTXO `json:"inputs" required:"true"`
	Outputs            []Payment   `json:"outputs" required:"true"`
	SignaturesRequired int         `json:"signatures_required" required:"true" description:"Number of signatures that each input requires."`
	Signers            []Signer    `json:"signers" required:"true" description:"Keys of the wallet, in the order of the descriptor."`
	CreatedBy          Actor       `json:"created_by" required:"true"`
	CreatedAt          time.Time   `json:"created_at" required:"true"`
	ExpiresAt          time.Time   `json:"expires_at" required:"true" description:"Time when the proposal expires if it is still open."`
	Review             *Review     `json:"review" required:"true" description:"What spending policies require before the proposal can be signed; null if none applied when it was created."`
	Steps              []Step      `json:"steps" required:"true" description:"Changes of the proposal, in chronological order."`
}

// Eviction is a transaction or proposal that a replacement evicts.
type Eviction struct {
	Txid       string  `json:"txid" required:"true" description:"Transaction ID; without signatures for an open proposal."`
	ProposalID *string `json:"proposal_id" required:"true" description:"Null if it is not a proposal of this wallet."`
	Status     *string `json:"status" required:"true" enum:"awaiting_approval,created,partially_signed,complete,broadcast" description:"Status of the proposal."`
	User       *string `json:"user" required:"true" description:"Name of the user who created the proposal."`
	Fee        int64   `json:"fee_sat" required:"true" description:"Fee in satoshis."`
	Recipients []Payee `json:"recipients" required:"true" description:"Outputs other than change; empty for a transaction that does not spend from this wallet."`
}

// Warning is a warning to read before signing a proposal.
type Warning struct {
	Code    string `json:"code" required:"true" example:"high_fee" description:"Stable and machine-readable: high_fee if the fee is more than 10 % of the amount; unconfirmed_utxos, only in the response to a creation or a dry run, if it spends outputs of unconfirmed transactions, with its fee rate alone and together with them (later, the status of the inputs in GET /api/v1/wallets/{alias}/utxos reports whether they are still unconfirmed); address_paid, likewise only in that response, if an address of the recipients has received a payment before, which the message dates (payments to one address can be linked); label_replaced, likewise, if a label of the request replaces another label of the address; both only for callers who may read the wallet; policy_changed if the spending policies have changed since the proposal was created or approved, so that they apply again at the broadcast and approvals from before do not count; still_valid if the proposal was cancelled or has expired after it had enough signatures, so that anyone who has a copy of its transaction can still send it."`
	Message string `json:"message" required:"true" description:"Human-readable message."`
}

// Payee is a recipient of an evicted payment.
type Payee struct {
	Address string `json:"address" required:"true" description:"Empty if the script has no address."`
	Amount  int64  `json:"amount_sat" required:"true" description:"Amount in satoshis."`
}

// SpentUTXO is an input of a proposal.
type SpentUTXO struct {
	Txid       string `json:"txid" required:"true"`
	Vout       uint32 `json:"vout" required:"true"`
	Address    string `json:"address" required:"true"`
	Amount     int64  `json:"amount_sat" required:"true"`
	Branch     string `json:"branch" required:"true" enum:"receive,change"`
	Index      uint32 `json:"index" required:"true"`
	Signatures int    `json:"signatures" required:"true" description:"Number of signatures collected."`
}

// Payment is an output of a proposal.
type Payment struct {
	Address   *string `json:"address" required:"true" description:"Address; null if the script has no address."`
	Amount    int64   `json:"amount_sat" required:"true"`
	Data      *string `json:"data" required:"true" example:"6869" description:"Data of an output without an address (OP_RETURN), in hexadecimal; null for other outputs."`
	Kind      string  `json:"kind" required:"true" enum:"external,own,change" description:"Determined from the wallet's descriptor: external (not an address of the wallet, or data), own (an address of the wallet that the request names as a recipient) or change (the remainder)."`
	Branch    *string `json:"branch" required:"true" enum:"receive,change" description:"Branch of the address; null, like index, if the address is not the wallet's."`
	Index     *uint32 `json:"index" required:"true"`
	Recipient *int    `json:"recipient" required:"true" description:"Position of the recipient in the request; null for change."`
}

// Signer is a key of the wallet and the signatures made with it.
type Signer struct {
	Fingerprint  string     `json:"fingerprint" required:"true"`
	Derivation   string     `json:"derivation" required:"true" example:"m/84h/0h/0h"`
	Device       *string    `json:"device" required:"true" description:"Alias of the device; null if the device was deleted."`
	SignedInputs int        `json:"signed_inputs" required:"true"`
	Signed       bool       `json:"signed" required:"true" description:"Whether the key has signed every input."`
	SignedAt     *time.Time `json:"signed_at" required:"true" description:"Time when its latest signature was added; null without signatures."`
	User         *string    `json:"user" required:"true" description:"User who added that signature."`
}

// Actor is the user who caused an event, and the token used for it.
type Actor struct {
	User    string  `json:"user" required:"true"`
	TokenID *string `json:"token_id" required:"true"`
}

// Step is a change of a proposal.
type Step struct {
	At      time.Time `json:"at" required:"true"`
	Action  string    `json:"action" required:"true" enum:"created,awaiting_approval,approved,signed,partially_signed,complete,broadcast,confirmed,cancelled,expired,rejected,conflicted,replaced"`
	User    *string   `json:"user" required:"true" description:"User who caused the change; null if the blockchain or the passage of time did."`
	TokenID *string   `json:"token_id" required:"true"`
	Detail  *string   `json:"detail" required:"true"`
}

// ProposalDetails is a proposal with its PSBT.
type ProposalDetails struct {
	ProposalSummary
	PSBT     string  `json:"psbt" required:"true" format:"byte" description:"Version 0 (BIP-174), in base64. It contains the signatures collected so far if the caller is at least a signer in the wallet and the token has the scope proposals:sign or proposals:broadcast. Cancelled, expired, rejected and replaced proposals have no signatures. Empty while the proposal awaits approval, and if it was closed before."`
	RawHex   *string `json:"raw_hex" required:"true" description:"The signed transaction, for callers who may see signatures; null until there are enough signatures, and after the proposal was cancelled, expired or was replaced."`
	Withheld bool    `json:"signatures_withheld" required:"true" description:"Whether signatures are omitted from psbt and raw_hex because of the caller's role or scopes."`

	// Version is the number in the header ETag of the response; 0 without one.
	Version int `json:"-"`
}

// AddSignaturesRequest contains a PSBT with signatures, or the signed transaction.
type AddSignaturesRequest struct {
	PSBT string `json:"psbt" required:"true" example:"cHNidP8B…" description:"A PSBT of version 0 or 2 with signatures, or the signed transaction: in base64 (standard or URL-safe, with or without padding), in hexadecimal, or as texts of QR codes (BBQr, UR, pMofN), one in each line."`
}

// BroadcastProposalRequest has the options of a broadcast; all fields are optional.
type BroadcastProposalRequest struct {
	Evict bool `json:"evict,omitzero" description:"Allow a replacement to evict payments that are not your own and that were made after it was proposed."`
}

// Ref returns the id of the proposal, or "" after a dry run, and no version.
func (p ProposalSummary) Ref() (id, etag string) {
	if p.ID == nil {
		return "", ""
	}
	return *p.ID, ""
}

// Ref returns the id of the proposal, and the ETag of the response. A dry run has neither.
func (p ProposalDetails) Ref() (id, etag string) {
	id, _ = p.ProposalSummary.Ref()
	return id, p.ETag()
}

// ETag returns the version with quotation marks, for If-Match. A dry run has no ETag.
func (p ProposalDetails) ETag() string {
	if p.Version == 0 || p.ID == nil {
		return ""
	}
	return `"` + strconv.Itoa(p.Version) + `"`
}
