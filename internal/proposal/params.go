package proposal

import (
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// CreateParams is a requested payment from a wallet.
type CreateParams struct {
	Recipients []Recipient
	// RecipientsCSV are the recipients as CSV, instead of Recipients; see ParseRecipientsCSV.
	RecipientsCSV string
	// AllowDuplicates permits several recipients with one address.
	AllowDuplicates bool
	// FeeRate is the requested fee rate; 0 means Core's estimate for TargetBlocks.
	FeeRate      btc.FeeRate
	TargetBlocks int // 1 to 1008; 0 for DefaultTarget if FeeRate is 0
	// UTXOs are the only UTXOs that may be spent; nil leaves the selection to Core.
	UTXOs []btc.Outpoint
	// SendMax assigns the remainder of UTXOs, or of all available UTXOs, to the one
	// recipient without an amount.
	SendMax bool
	// SubtractFrom are the positions of the recipients that pay the fee; if nil, the
	// wallet pays it.
	SubtractFrom []int
	// Replaces names the payment to replace, whose inputs the new payment spends: the id of a
	// proposal, the txid of an open proposal, or the txid of an unconfirmed transaction of
	// the wallet.
	Replaces string
	// Evict allows the replacement to evict later payments that are not the caller's own.
	Evict          bool
	NotReplaceable bool       // do not signal BIP-125
	MaxFee         btc.Amount // lowers the maximum of the wallet and the server; 0 means no further limit
	ExpiresAt      time.Time  // zero for the default
	DryRun         bool       // nothing is stored or locked
	// AtOnce refuses the payment if a policy requires approvals or a delay.
	AtOnce bool
}

const (
	// DefaultTarget is the default number of blocks within which a payment should be
	// confirmed.
	DefaultTarget = 6
	// DefaultLifetime is how long a proposal is open by default.
	DefaultLifetime = 30 * 24 * time.Hour
	// DefaultMaxData is the default of Options.MaxData. Bitcoin Core before version 30 does
	// not relay more data in a transaction (-datacarriersize=83, with the script's opcodes),
	// and later versions relay it only to nodes that accept it.
	DefaultMaxData = 80
	// MaxRecipients is the maximum number of recipients. It exceeds the number of outputs
	// of the largest standard transaction.
	MaxRecipients = 3000
	// MaxParamsJSON is the maximum size of a request in bytes. It suffices for MaxRecipients
	// recipients, each with the longest label, escaped as JSON.
	MaxParamsJSON = MaxRecipients << 12
)
