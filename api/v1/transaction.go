package v1

import "time"

// Transaction is a transaction in the JSON of the API, and a line of a JSON Lines file.
type Transaction struct {
	Txid          string    `json:"txid" required:"true"`
	Wallet        string    `json:"wallet" required:"true" description:"Your alias of the wallet. A transaction between two of your wallets is listed twice, once from the point of view of each."`
	Time          time.Time `json:"time" required:"true" description:"Time that Bitcoin Core's wallet reports for the transaction. It never changes."`
	Status        string    `json:"status" required:"true" enum:"confirmed,mempool,inactive,replaced,conflicted,abandoned" description:"Status of the transaction. The last three have no effect: a transaction in the mempool or in a block spends the same UTXOs, or the transaction was abandoned."`
	Confirmations int       `json:"confirmations" required:"true"`
	Block         *Block    `json:"block" required:"true" description:"The block that contains the transaction; null if unconfirmed."`
	Category      string    `json:"category" required:"true" enum:"generate,receive,send,selftransfer,mixed" description:"By the owner of the inputs and outputs. generate: coinbase transaction; receive: no input is the wallet's; send: all inputs are; selftransfer: all inputs and all outputs are; mixed: some inputs are."`
	Flow          int64     `json:"flow_sat" required:"true" description:"Net amount that entered the wallet, in satoshis; negative if it left the wallet, including the fee."`
	Fee           *int64    `json:"fee_sat" required:"true" description:"Fee in satoshis; null unless all inputs are the wallet's."`
	VSize         int       `json:"vsize" required:"true" description:"Virtual size in bytes (BIP-141)."`
	Replaceable   string    `json:"replaceable" required:"true" enum:"yes,no,unknown" description:"Whether the transaction signals replaceability (BIP-125)."`
	Conflicts     []string  `json:"conflicts" required:"true" description:"Ids of transactions that spend the same UTXOs."`
	Address       *string   `json:"address" required:"true" description:"Address that represents the transaction in a list: the wallet's address that received the payment, or the first external recipient; null without an address."`
	AddressLabel  string    `json:"address_label" required:"true"`
	Label         string    `json:"label" required:"true" description:"Label of the transaction."`
	Outputs       []Output  `json:"outputs" required:"true" description:"Outputs of the wallet; all outputs if the wallet spends."`
	Hex           string    `json:"hex,omitempty" description:"The serialized transaction, hexadecimal; only with the query parameter hex."`
}

// Block is the block that contains a transaction.
type Block struct {
	Height int       `json:"height" required:"true"`
	Hash   string    `json:"hash" required:"true"`
	Time   time.Time `json:"time" required:"true"`
}

// Output is an output of a transaction.
type Output struct {
	Vout         uint32  `json:"vout" required:"true"`
	Address      *string `json:"address" required:"true" description:"Address; null if the script has no address."`
	Amount       int64   `json:"amount_sat" required:"true"`
	Mine         bool    `json:"mine" required:"true" description:"Whether the output is the wallet's."`
	Branch       *string `json:"branch" required:"true" enum:"receive,change" description:"Branch of the address; null, like index, if the output is not the wallet's."`
	Index        *uint32 `json:"index" required:"true"`
	Label        string  `json:"label" required:"true" description:"Label of the output; if it has no label, label of its address."`
	AddressLabel string  `json:"address_label" required:"true" description:"Label of its address."`
}

// TransactionAsOf is a transaction, and the block that the response is current to.
type TransactionAsOf struct {
	Transaction
	AsOf *AsOf `json:"as_of" required:"true"`
}
