package wallet

import (
	"slices"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// ErrTransactionNotFound is returned for a transaction that is not in the wallet.
var ErrTransactionNotFound = fault.New(fault.NotFound, "transaction_not_found", "transaction not found in this wallet")

// Category classifies a transaction from the perspective of a wallet.
type Category string

// The categories. They depend on which inputs and outputs belong to the wallet.
const (
	Generate     Category = "generate"     // a coinbase transaction
	Receive      Category = "receive"      // none of the inputs belong to the wallet
	Send         Category = "send"         // all inputs, but not all outputs, belong to the wallet
	SelfTransfer Category = "selftransfer" // all inputs and outputs belong to the wallet
	Mixed        Category = "mixed"        // some of the inputs belong to the wallet
)

// Categories are all categories.
var Categories = []Category{Generate, Receive, Send, SelfTransfer, Mixed}

// Check returns an Invalid fault about a field unless c is a category or empty.
func (c Category) Check(field string) error {
	if c != "" && !slices.Contains(Categories, c) {
		return fault.InvalidField(field, "must be generate, receive, send, selftransfer or mixed")
	}
	return nil
}

// Status is the confirmation status of a transaction.
type Status string

// The statuses.
const (
	Confirmed  Status = "confirmed"  // in a block
	InMempool  Status = "mempool"    // unconfirmed, in the mempool
	Inactive   Status = "inactive"   // in neither a block nor the mempool, but without a conflicting transaction
	Replaced   Status = "replaced"   // a transaction in the mempool spends the same UTXOs
	Conflicted Status = "conflicted" // a transaction in a block spends the same UTXOs
	Abandoned  Status = "abandoned"  // abandoned by a user (RPC abandontransaction)
)

// Dead reports whether the transaction has no effect on UTXOs and balances. This
// can change: a replaced transaction may still be confirmed.
func (s Status) Dead() bool { return s == Replaced || s == Conflicted || s == Abandoned }

// Transaction is a complete transaction from the perspective of a wallet, for the index.
type Transaction struct {
	Txid       string
	Time       time.Time // as Core's wallet reports it; it never changes
	ReceivedAt time.Time // when the wallet first received it
	State
	Category Category
	Flow     btc.Amount  // into the wallet; negative for outgoing amounts, which include the fee
	Fee      *btc.Amount // of the whole transaction; nil unless all inputs belong to the wallet
	VSize    int         // virtual bytes (BIP-141)
	// Address represents the transaction in a list: for a received one the first
	// receive address of the wallet, for a sent one the first external address. It
	// is empty if none of these outputs has an address. Own is its place in the
	// wallet, if it belongs to the wallet.
	Address string
	Own     *Place
	Raw     []byte   // nil in lists unless requested
	Outputs []Output // the wallet's own, or all of them if the wallet spends
	Inputs  []Input  // inputs that spend from the wallet
}

// State is the part of a transaction that may change.
type State struct {
	Status    Status
	Block     *Block // nil if unconfirmed
	Conflicts []string
	// Replaceable is "yes", "no" or "unknown", as in bip125-replaceable of RPC
	// gettransaction.
	Replaceable string
	// Trusted reports whether its outputs may be spent: it is confirmed, or it is
	// in the mempool and spends only the wallet's own trusted UTXOs.
	Trusted bool
	// BuriedAt is, for a conflicted transaction, the height of the block that
	// contains the conflicting one; 0 for others.
	BuriedAt int
}

// Block is the block that confirms a transaction.
type Block struct {
	Height int
	Hash   string
	Time   time.Time
}

// Place is the position of an address in a wallet: the last two steps of its
// derivation path.
type Place struct {
	Branch Branch
	Index  uint32
}

// Output is an output of a transaction.
type Output struct {
	Vout    uint32
	Address string // empty if its script has none
	Amount  btc.Amount
	Own     *Place // nil if it does not belong to the wallet
	// Label is the label of the output, or else of its address; AddressLabel is
	// always the label of the address. They are empty if there is no such label, and
	// ignored in a Change.
	Label, AddressLabel string
}

// Input is an input that spends from the wallet.
type Input struct {
	Prev   btc.Outpoint
	Amount btc.Amount
}

// Record is an entry of the history.
type Record struct {
	Transaction
	WalletID string
	Alias    string // the caller's alias for the wallet
	Label    string // of the transaction
	// AddressLabel is the label of Address, or empty.
	AddressLabel  string
	Confirmations int // 0 if unconfirmed
}

// isOf fills in the fields of a record that the store omits because they follow from
// its wallet v: WalletID, Alias and Confirmations.
func (r *Record) isOf(v *View) {
	r.WalletID, r.Alias = v.ID, v.Alias
	if r.Block != nil { // its block may have arrived after v was read
		r.Confirmations = max(1, v.Synced.Height-r.Block.Height+1)
	}
}
