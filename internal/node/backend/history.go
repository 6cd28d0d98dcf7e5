package backend

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// Category classifies an output from the view of a wallet.
type Category string

// The categories of Core.
const (
	Send     Category = "send"     // to others, or any output of a transaction that spends from the wallet
	Receive  Category = "receive"  // to the wallet
	Generate Category = "generate" // to the wallet, by a mature coinbase transaction
	Immature Category = "immature" // to the wallet, by an immature coinbase transaction
	Orphan   Category = "orphan"   // to the wallet, by a coinbase transaction that is not in the chain
)

// State is the state of a wallet's transaction.
type State struct {
	// Confirmations is 0 for an unconfirmed transaction, and negative for a
	// transaction that conflicts with one in the chain: -3 if the conflicting one has
	// 3 confirmations.
	Confirmations int64
	// BlockHash, BlockHeight, BlockIndex (the index in the block) and BlockTime describe
	// the block that contains the transaction; they are zero for an unconfirmed
	// transaction.
	BlockHash   string
	BlockHeight int64
	BlockIndex  int
	BlockTime   time.Time
	// Time is when the transaction was created as far as the wallet knows, and
	// Received when the wallet first received it.
	Time, Received time.Time
	// Generated reports whether it is a coinbase transaction.
	Generated bool
	// Trusted reports whether the wallet would spend outputs of the transaction while it
	// is unconfirmed; false for a confirmed transaction.
	Trusted bool
	// Replaceable is yes, no or unknown (BIP 125).
	Replaceable string
	// ReplacedBy is the txid of the replacement, and Replaces that of the replaced
	// transaction, if this wallet bumped the fee; both are empty otherwise.
	ReplacedBy, Replaces string
	// WalletConflicts are the txids of the wallet's transactions that spend the same
	// UTXOs. MempoolConflicts are the txids of conflicting transactions in the mempool,
	// which need not belong to the wallet.
	WalletConflicts, MempoolConflicts []string
}

// Entry is an output of a transaction, or one of the two entries for an output that
// a wallet pays to itself (listsinceblock).
type Entry struct {
	Txid string
	Vout uint32
	// Address is empty for scripts without an address.
	Address  string
	Category Category
	// Amount is negative if Category is Send.
	Amount btc.Amount
	// Fee is the fee of the whole transaction, negative, and set only if Category
	// is Send. It is meaningless if some inputs belong to others.
	Fee       btc.Amount
	Abandoned bool
	// Removed reports whether the transaction was in a block that has left the
	// chain. It may be in another block by now; then it is also listed without
	// Removed.
	Removed bool
	State
}

// The maximum size in bytes and the time limit of a response to listsinceblock. It has
// about 800 bytes per entry, and the node sends it only after it has built it completely.
const (
	maxHistory  = 8 << 30
	historyTime = 30 * time.Minute
)

// ListSinceBlock calls visit for each output, including change, of the wallet's
// transactions that changed after the block with the given hash: transactions that are
// unconfirmed, were confirmed in a later block, or were in a block that has left the
// chain. An empty hash means all transactions. The order is undefined. It returns the
// hash of the last block that is covered, to be passed to the next call.
//
// Entries are visited as they arrive, so that memory use does not grow with their number;
// the connection is in use meanwhile. If visit returns an error, the call ends and
// returns that error. It returns ErrBlockNotFound if the node does not know the block.
func (w *Wallet) ListSinceBlock(ctx context.Context, hash string, visit func(Entry) error) (lastBlock string, err error) {
	patient := w.rpc.WithTimeout(historyTime).WithMaxAnswer(maxHistory)
	since := sinceReader{visit: visit}
	err = caller{patient}.read(ctx, &since, "listsinceblock", sinceParams(hash)...)
	return since.outcome(err)
}

func sinceParams(hash string) []any {
	const confirmations, watchOnly, removed, change = 1, true, true, true
	return []any{hash, confirmations, watchOnly, removed, change}
}

// sinceReader decodes a result of listsinceblock and calls visit for each entry.
type sinceReader struct {
	visit     func(Entry) error
	lastBlock string
	stopped   error // the error of visit
}

// outcome returns the results of ListSinceBlock. The argument err is the error of the RPC
// call.
func (r *sinceReader) outcome(err error) (lastBlock string, _ error) {
	switch {
	case r.stopped != nil:
		return "", r.stopped
	case refused(err, rpcclient.CodeInvalidAddress, "Block not found"):
		return "", ErrBlockNotFound.WithCause(err)
	case err != nil:
		return "", err
	case !isHash(r.lastBlock):
		return "", invalidResponse("listsinceblock without a last block")
	default:
		return r.lastBlock, nil
	}
}

var errNotHistory = errors.New("not a result of listsinceblock")

// ReadResult implements rpcclient.ResultReader.
func (r *sinceReader) ReadResult(dec *jsontext.Decoder) error {
	open, err := dec.ReadToken()
	switch {
	case err != nil:
		return err
	case open.Kind() == 'n': // null: the call failed
		return nil
	case open.Kind() != '{':
		return errNotHistory
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := r.readMember(dec, name.String()); err != nil {
			return err
		}
	}
	_, err = dec.ReadToken()
	return err
}

func (r *sinceReader) readMember(dec *jsontext.Decoder, name string) error {
	switch name {
	case "transactions":
		return r.readEntries(dec, false)
	case "removed":
		return r.readEntries(dec, true)
	case "lastblock":
		return json.UnmarshalDecode(dec, &r.lastBlock)
	default:
		return dec.SkipValue()
	}
}

func (r *sinceReader) readEntries(dec *jsontext.Decoder, removed bool) error {
	open, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if open.Kind() != '[' {
		return errNotHistory
	}
	for dec.PeekKind() != ']' {
		var wire wireEntry
		if err := json.UnmarshalDecode(dec, &wire); err != nil {
			return err
		}
		if !isHash(wire.Txid) {
			return errNotHistory
		}
		if r.stopped = r.visit(wire.entry(removed)); r.stopped != nil {
			return r.stopped
		}
	}
	_, err = dec.ReadToken()
	return err
}

// wireState is the common part of listsinceblock and gettransaction.
type wireState struct {
	Confirmations    int64    `json:"confirmations"`
	Generated        bool     `json:"generated"`
	Trusted          bool     `json:"trusted"`
	BlockHash        string   `json:"blockhash"`
	BlockHeight      int64    `json:"blockheight"`
	BlockIndex       int      `json:"blockindex"`
	BlockTime        int64    `json:"blocktime"`
	Txid             string   `json:"txid"`
	WalletConflicts  []string `json:"walletconflicts"`
	MempoolConflicts []string `json:"mempoolconflicts"`
	ReplacedBy       string   `json:"replaced_by_txid"`
	Replaces         string   `json:"replaces_txid"`
	Time             int64    `json:"time"`
	Received         int64    `json:"timereceived"`
	Replaceable      string   `json:"bip125-replaceable"`
}

func (s *wireState) state() State {
	return State{
		Confirmations:    s.Confirmations,
		BlockHash:        s.BlockHash,
		BlockHeight:      s.BlockHeight,
		BlockIndex:       s.BlockIndex,
		BlockTime:        unix(s.BlockTime),
		Time:             unix(s.Time),
		Received:         unix(s.Received),
		Generated:        s.Generated,
		Trusted:          s.Trusted,
		Replaceable:      s.Replaceable,
		ReplacedBy:       s.ReplacedBy,
		Replaces:         s.Replaces,
		WalletConflicts:  s.WalletConflicts,
		MempoolConflicts: s.MempoolConflicts,
	}
}

// wireDetail is the description of an output in listsinceblock and in the details
// of gettransaction.
type wireDetail struct {
	Address   string      `json:"address"`
	Category  Category    `json:"category"`
	Amount    btc.JSONBTC `json:"amount"`
	Vout      uint32      `json:"vout"`
	Fee       btc.JSONBTC `json:"fee"`
	Abandoned bool        `json:"abandoned"`
}

type wireEntry struct {
	wireDetail
	wireState
}

func (e *wireEntry) entry(removed bool) Entry {
	return Entry{
		Txid:      e.Txid,
		Vout:      e.Vout,
		Address:   e.Address,
		Category:  e.Category,
		Amount:    btc.Amount(e.Amount),
		Fee:       btc.Amount(e.Fee),
		Abandoned: e.Abandoned,
		Removed:   removed,
		State:     e.state(),
	}
}
