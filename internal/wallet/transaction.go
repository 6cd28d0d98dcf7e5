package wallet

import (
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// ErrTransactionNotFound is told for a transaction that is not in the wallet.
var ErrTransactionNotFound = fault.New(fault.NotFound, "transaction_not_found", "there is no such transaction in this wallet")

// Category is what a transaction is to a wallet.
type Category string

// The categories. They go by whose the inputs and outputs are.
const (
	Generate     Category = "generate"     // it makes new coins
	Receive      Category = "receive"      // no input is the wallet's
	Send         Category = "send"         // all inputs are the wallet's
	SelfTransfer Category = "selftransfer" // so are all outputs
	Mixed        Category = "mixed"        // some inputs are the wallet's
)

// Status says whether a transaction counts.
type Status string

// The statuses.
const (
	Confirmed  Status = "confirmed"  // in a block
	InMempool  Status = "mempool"    // waiting to be
	Inactive   Status = "inactive"   // neither, but nothing speaks against it
	Replaced   Status = "replaced"   // one in the mempool spends the same coins
	Conflicted Status = "conflicted" // one in a block spends the same coins
	Abandoned  Status = "abandoned"  // given up (RPC abandontransaction)
)

// Dead reports whether the transaction has no effect on coins and balances. It
// may come back to life: a replaced one may be the one that is confirmed.
func (s Status) Dead() bool { return s == Replaced || s == Conflicted || s == Abandoned }

// Transaction is a transaction as a wallet sees it, the whole of it for the index.
type Transaction struct {
	Txid       string
	Time       time.Time // as Core's wallet has it; it never changes
	ReceivedAt time.Time // when the wallet first had it
	State
	Category Category
	Flow     btc.Amount  // into the wallet; what left it, with the fee, is negative
	Fee      *btc.Amount // of all of it; nil unless all inputs are the wallet's
	VSize    int         // virtual bytes (BIP-141)
	// Address is the one that stands for the transaction in a list: for what was
	// received the first of the wallet's receive addresses, for what was sent the
	// first foreign one. It is empty where no output in question has one. Own is
	// its place in the wallet, where it is the wallet's.
	Address string
	Own     *Place
	Raw     []byte   // nil in lists that were not asked for it
	Outputs []Output // the wallet's own, and all where the wallet spends
	Inputs  []Input  // those that spend from the wallet
}

// State is what of a transaction may change.
type State struct {
	Status    Status
	Block     *Block // where confirmed
	Conflicts []string
	// Replaceable is "yes", "no" or "unknown", as RPC gettransaction has
	// bip125-replaceable.
	Replaceable string
	// Trusted is whether its outputs may be spent: confirmed, or in the mempool
	// and made of nothing but the wallet's own trusted coins.
	Trusted bool
	// BuriedAt is for a conflicted one the height of the block that the other
	// one is in; 0 for others.
	BuriedAt int
}

// Block is where a transaction is confirmed.
type Block struct {
	Height int
	Hash   string
	Time   time.Time
}

// Place is the place of an address in a wallet: the descriptor's last two steps.
type Place struct {
	Branch Branch
	Index  uint32
}

// Output is an output of a transaction.
type Output struct {
	Vout    uint32
	Address string // empty where its script has none
	Amount  btc.Amount
	Own     *Place // nil for somebody else's
	// Label is that of the output, or else that of its address, which AddressLabel
	// has in any case. Both are in what is read only, and empty for none.
	Label, AddressLabel string
}

// Input is an input that spends from the wallet.
type Input struct {
	Prev   btc.Outpoint
	Amount btc.Amount
}

// Record is a line of the history.
type Record struct {
	Transaction
	WalletID string
	Alias    string // of the wallet, as the caller calls it
	Label    string // of the transaction
	// AddressLabel is that of Address; empty for none.
	AddressLabel  string
	Confirmations int // 0 while it has none
}

// isOf fills in what a record has of its wallet, and the store leaves out: it is
// the same for all of them.
func (r *Record) isOf(v *View) {
	r.WalletID, r.Alias = v.ID, v.Alias
	if r.Block != nil { // its block may have come after v was read
		r.Confirmations = max(1, v.Synced.Height-r.Block.Height+1)
	}
}
