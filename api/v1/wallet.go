package v1

import (
	"time"
)

// Wallet is a watch-only wallet, from the point of view of the caller.
type Wallet struct {
	Alias              string      `json:"alias" required:"true" description:"Your own name for the wallet in paths, unique among your wallets."`
	Name               string      `json:"name" required:"true" description:"Name of the wallet for all members."`
	Role               string      `json:"role" required:"true" enum:"viewer,proposer,signer,owner" description:"Your role in the wallet."`
	Status             string      `json:"status" required:"true" enum:"ready,rescanning" description:"Status of the wallet. While it is rescanning, history and balances may be incomplete."`
	Rescan             *Rescan     `json:"rescan" required:"true" description:"The pending or running rescan; null without a rescan."`
	Problem            *string     `json:"problem" required:"true" description:"Why the wallet cannot be synchronized with the node; null without a problem."`
	Balances           Balances    `json:"balances" required:"true"`
	Script             string      `json:"script" required:"true" enum:"pkh,wpkh,sh-wpkh,tr,sh,wsh,sh-wsh"`
	SignaturesRequired int         `json:"signatures_required" required:"true" description:"Number of signatures that a payment requires."`
	Keys               []WalletKey `json:"keys" required:"true" description:"Keys of the wallet, in the order of the descriptor."`
	Descriptor         string      `json:"descriptor" required:"true" description:"Descriptor of the receive addresses, with its checksum."`
	ChangeDescriptor   string      `json:"change_descriptor" required:"true"`
	BirthdayHeight     int         `json:"birthday_height" required:"true" description:"Height of the block before which the wallet has no transactions."`
	NextIndex          uint32      `json:"next_index" required:"true" description:"The first index of the receive branch that was neither revealed nor used."`
	NextChangeIndex    uint32      `json:"next_change_index" required:"true"`
	MaxFeeRate         *FeeRate    `json:"max_fee_rate_sat_vb" required:"true" description:"Maximum fee rate of proposals, in satoshis per virtual byte; null for the server's (max_fee_rate_sat_vb of GET /api/v1/fees), which always applies if it is lower."`
	FinalAfter         int         `json:"final_after" required:"true" description:"Number of confirmations from which on a transaction is final, which has the event transaction.final."`
	CreatedAt          time.Time   `json:"created_at" required:"true"`
	AsOf               *AsOf       `json:"as_of" required:"true"`
}

// AsOf is the block that a response is current to.
type AsOf struct {
	Height int    `json:"height" required:"true"`
	Hash   string `json:"hash" required:"true"`
}

// Balances contains the balances of a wallet, in satoshis.
type Balances struct {
	Trusted          int64 `json:"trusted_sat" required:"true" description:"Confirmed outputs and unconfirmed change of the wallet's own, as getbalances of Bitcoin Core reports them."`
	UntrustedPending int64 `json:"untrusted_pending_sat" required:"true" description:"Unconfirmed outputs from others."`
	Immature         int64 `json:"immature_sat" required:"true" description:"Coinbase outputs with fewer than 101 confirmations."`
	Confirmed        int64 `json:"confirmed_sat" required:"true" description:"Outputs with at least one confirmation."`
	Reserved         int64 `json:"reserved_sat" required:"true" description:"Part of trusted_sat reserved by open proposals."`
	Frozen           int64 `json:"frozen_sat" required:"true" description:"Part of trusted_sat that is frozen; outputs that are frozen and reserved are included."`
	Available        int64 `json:"available_sat" required:"true" description:"Amount available for payments: trusted_sat without reserved and frozen outputs."`
}

// WalletKey is a key of a wallet.
type WalletKey struct {
	Fingerprint string  `json:"fingerprint" required:"true" description:"Fingerprint of the master key, eight hexadecimal digits."`
	Derivation  string  `json:"derivation" required:"true" example:"m/84h/0h/0h"`
	XPub        string  `json:"xpub" required:"true"`
	Device      *string `json:"device" required:"true" description:"Alias of the device that signs with the key; null if the device was deleted."`
}

// ChangeWalletRequest has the changes to a wallet; at least one field is required.
type ChangeWalletRequest struct {
	Name       *string         `json:"name,omitzero" minLength:"1" maxLength:"64" example:"Savings" description:"Name of the wallet for all members. Only owners may change it."`
	NewAlias   *string         `json:"alias,omitzero" minLength:"1" maxLength:"64" description:"Your own name for the wallet in paths."`
	MaxFeeRate Change[FeeRate] `json:"max_fee_rate_sat_vb,omitzero" description:"Maximum fee rate of proposals, in satoshis per virtual byte, up to the maximum of the server; null for the server's. Only owners may change it, in a request without other fields."`
	FinalAfter *int            `json:"final_after,omitzero" minimum:"1" maximum:"1000" description:"Number of confirmations from which on a transaction is final. Transactions that are final already stay so. Only owners may change it, in a request without other fields."`
}
