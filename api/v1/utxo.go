package v1

import (
	"time"
)

// UTXO is an unspent transaction output of a wallet.
type UTXO struct {
	Txid          string    `json:"txid" required:"true"`
	Vout          uint32    `json:"vout" required:"true"`
	Address       string    `json:"address" required:"true"`
	Amount        int64     `json:"amount_sat" required:"true"`
	Branch        string    `json:"branch" required:"true" enum:"receive,change"`
	Index         uint32    `json:"index" required:"true" description:"Index of the address on its branch (the last step of its derivation path)."`
	Label         string    `json:"label" required:"true" description:"Label of the output; if it has no label, label of its address."`
	Time          time.Time `json:"time" required:"true" description:"Time that Bitcoin Core's wallet reports for the transaction."`
	Status        string    `json:"status" required:"true" enum:"confirmed,mempool,inactive" description:"Status of the transaction."`
	Height        *int      `json:"height" required:"true" description:"Block height; null if unconfirmed."`
	Confirmations int       `json:"confirmations" required:"true"`
	Trusted       bool      `json:"trusted" required:"true" description:"Whether the output can be spent now and counts in trusted_sat."`
	Immature      bool      `json:"immature" required:"true" description:"Whether it is a coinbase output with fewer than 101 confirmations."`
	Frozen        bool      `json:"frozen" required:"true" description:"Whether the output is frozen."`
	Reserved      bool      `json:"reserved" required:"true" description:"Whether an open proposal spends the output."`
	Locked        bool      `json:"locked" required:"true" description:"Whether Bitcoin Core excludes the output from payments: it is frozen or reserved, or was locked by other means (RPC lockunspent)."`
}
