package v1

import (
	"time"
)

// Recipient is a recipient of a payment.
type Recipient struct {
	Address string  `json:"address,omitzero" description:"Address or bitcoin: URI (BIP-21). Required unless data is given. The amount of a URI is used if amount_sat is omitted, and must be equal to it otherwise; its label or else its message is used if label is omitted."`
	Amount  *int64  `json:"amount_sat,omitzero" minimum:"1" description:"Amount in satoshis. Omit it if a bitcoin: URI states it, and for the one recipient that receives the remainder (send_max)."`
	Label   string  `json:"label,omitzero" maxLength:"255" description:"Label to set for the address."`
	Data    *string `json:"data,omitzero" example:"6869" description:"Data to store in the transaction, in hexadecimal, instead of an address, an amount and a label (OP_RETURN). At most one recipient can have data, by default up to 80 bytes (SPECTER_MAX_DATA_BYTES)."`
}

// CreateProposalRequest is a payment to propose.
type CreateProposalRequest struct {
	Recipients   []Recipient `json:"recipients,omitzero" maxItems:"3000" example:"[{\"address\": \"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x\", \"amount_sat\": 100000, \"label\": \"rent\"}]" description:"Recipients and amounts; each address at most once, unless allow_duplicates is true. Required unless recipients_csv is given."`
	CSV          string      `json:"recipients_csv,omitzero" example:"address,amount_btc,label\nbcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x,0.001,rent" description:"The recipients as CSV, instead of recipients. The first line names the columns: address (an address or a bitcoin: URI), amount_sat or amount_btc, and optionally label. Values are separated by commas, semicolons or tabs; amounts have a decimal point and no commas. Errors name the line and the column of each problem, up to 20."`
	Duplicates   bool        `json:"allow_duplicates,omitzero" description:"Allow several recipients to have the same address."`
	FeeRate      *FeeRate    `json:"fee_rate_sat_vb,omitzero" description:"Fee rate in satoshis per virtual byte, with at most three decimals. Default: the estimate of Bitcoin Core for target_blocks."`
	TargetBlocks *int        `json:"target_blocks,omitzero" minimum:"1" maximum:"1008" description:"Confirmation target, in blocks. Default without a fee rate: 6."`
	UTXOs        []string    `json:"utxos,omitzero" description:"The only UTXOs to spend, each as txid:vout."`
	SendMax      bool        `json:"send_max,omitzero" description:"Whether the recipient without amount_sat receives the remainder of the UTXOs in utxos or, without utxos, of the available balance."`
	SubtractFrom []int       `json:"subtract_fee_from,omitzero" description:"Positions of the recipients that pay the fee, starting at 0. Default: the wallet pays it."`
	Replaces     string      `json:"replaces,omitzero" description:"Id of a proposal, or txid of an unconfirmed transaction, to replace by spending its UTXOs."`
	Replaceable  *bool       `json:"replaceable,omitzero" default:"true" description:"Whether the transaction signals replaceability (BIP-125)."`
	MaxFee       *int64      `json:"max_fee_sat,omitzero" minimum:"1" description:"Maximum fee in satoshis. It can only lower the maximum that follows from the maximum fee rate of the wallet and the server."`
	Evict        bool        `json:"evict,omitzero" description:"Allow a replacement to evict later payments that are not your own; the response lists them as evicts."`
	ExpiresAt    *time.Time  `json:"expires_at,omitzero" description:"Time when the proposal expires, between 1 minute and 366 days from now."`
	DryRun       bool        `json:"dry_run,omitzero" description:"Return what would be proposed, with 200, and store and reserve nothing."`
}

// BumpProposalRequest asks for a replacement with a higher fee rate.
type BumpProposalRequest struct {
	FeeRate *FeeRate `json:"fee_rate_sat_vb" required:"true" example:"12.5" description:"Fee rate in satoshis per virtual byte, above the fee rate of the proposal. If it is too low for the Bitcoin node, the error reports the lowest that works."`
	MaxFee  *int64   `json:"max_fee_sat,omitzero" minimum:"1" description:"Maximum fee in satoshis. It can only lower the maximum that follows from the maximum fee rate of the wallet and the server."`
	Evict   bool     `json:"evict,omitzero" description:"Allow the replacement to evict later payments that are not your own; the response lists them as evicts. Not required for what an open replacement, whose place this one takes, already replaces or evicts."`
	DryRun  bool     `json:"dry_run,omitzero" description:"Return what would be proposed, with 200, and store and reserve nothing."`
}
