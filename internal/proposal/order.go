package proposal

import (
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// Order is a payment that somebody wants a wallet to make.
type Order struct {
	Recipients []Recipient
	// FeeRate is what is to be paid; 0 leaves it to Core's estimate for TargetBlocks.
	FeeRate      btc.FeeRate
	TargetBlocks int // 1 to 1008; 0 for DefaultTarget where there is no FeeRate
	// Coins are the only ones to be spent; nil leaves the choice to Core.
	Coins []btc.Outpoint
	// SendMax has the one recipient without an amount get all that is left of the
	// Coins, or of all that is available.
	SendMax bool
	// SubtractFrom are the recipients that pay the fee, by their position; nil has
	// the wallet pay it.
	SubtractFrom []int
	// Replaces is the txid of an unconfirmed transaction of the wallet, or the id of
	// a proposal, whose coins are to be spent instead.
	Replaces string
	// Evict allows the replacement to evict later payments that are not the caller's
	// own.
	Evict          bool
	NotReplaceable bool       // do not signal BIP-125
	MaxFee         btc.Amount // lowers the maximum of the wallet and the server; 0 for these
	ExpiresAt      time.Time  // zero for the default
	DryRun         bool       // nothing is stored, nothing is locked
}

// Recipient is who is to get how much.
type Recipient struct {
	Address string
	Amount  btc.Amount // 0 where SendMax gives it the rest
	Label   string     // becomes that of the address; empty for none
}

const (
	// DefaultTarget is within how many blocks a payment is to be confirmed where
	// nobody says.
	DefaultTarget = 6
	// DefaultLifetime is how long a proposal is open where nobody says.
	DefaultLifetime = 30 * 24 * time.Hour
	// MaxRecipients is more than the largest standard transaction has room for.
	MaxRecipients = 3000
	// MaxOrderJSON is how many bytes so many recipients take in JSON, each with the
	// longest label, escaped.
	MaxOrderJSON = MaxRecipients << 12
)
