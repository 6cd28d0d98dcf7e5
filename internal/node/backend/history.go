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

// Category says what an output is to a wallet.
type Category string

// The categories that Core has.
const (
	Send     Category = "send"     // to others, or any output of a transaction that spends the wallet's coins
	Receive  Category = "receive"  // to the wallet
	Generate Category = "generate" // to the wallet, by a coinbase that may be spent
	Immature Category = "immature" // to the wallet, by a coinbase that may not be spent yet
	Orphan   Category = "orphan"   // to the wallet, by a coinbase that is not in the chain
)

// State is where a transaction of a wallet stands.
type State struct {
	// Confirmations is 0 for unconfirmed transactions, and negative for those that
	// conflict with one that is in the chain: -3 says, with one of 3 confirmations.
	Confirmations int64
	// BlockHash, BlockHeight, BlockIndex (the place in the block) and BlockTime are
	// of the block that has the transaction, and empty where there is none.
	BlockHash   string
	BlockHeight int64
	BlockIndex  int
	BlockTime   time.Time
	// Time is when the transaction was made as far as the wallet can tell, and
	// Received when the wallet first saw it.
	Time, Received time.Time
	// Generated is whether it is a coinbase.
	Generated bool
	// Trusted is whether the wallet would spend from it although it is unconfirmed;
	// false where it is confirmed.
	Trusted bool
	// Replaceable is yes, no or unknown (BIP 125).
	Replaceable string
	// ReplacedBy and Replaces are the transactions that a fee bump of this wallet
	// connects this one with; empty without.
	ReplacedBy, Replaces string
	// WalletConflicts are transactions of the wallet that spend the same coins,
	// MempoolConflicts those that are in the mempool and do.
	WalletConflicts, MempoolConflicts []string
}

// Entry is an output of a transaction, or one of the two sides of an output that
// a wallet pays to itself (listsinceblock).
type Entry struct {
	Txid string
	Vout uint32
	// Address is empty for scripts that have none.
	Address  string
	Category Category
	// Amount is negative where Category is Send.
	Amount btc.Amount
	// Fee is that of the whole transaction, negative, and there only where Category
	// is Send. It makes no sense where others own some of the inputs.
	Fee       btc.Amount
	Abandoned bool
	// Removed is whether the transaction was in a block that the chain has lost since;
	// it may be in another by now, and comes without Removed, too, then.
	Removed bool
	State
}

// The limits of listsinceblock, whose answers have some 800 bytes for each entry
// and come after the node has made them whole.
const (
	maxHistory  = 8 << 30
	historyTime = 30 * time.Minute
)

// ListSinceBlock calls visit for each output of the wallet's transactions that are
// not confirmed or were confirmed after the block of that hash, with change and
// with those that the chain has lost since; for all of the wallet's where hash is
// empty. They come in no particular order. It returns the hash of the last
// block that this covers, to be asked for next time.
//
// Entries are visited as they arrive, so that memory does not grow with them;
// the connection is in use meanwhile. An error of visit ends the call and is
// returned. It returns ErrBlockNotFound where the node does not know the block.
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

// sinceReader reads a result of listsinceblock.
type sinceReader struct {
	visit     func(Entry) error
	lastBlock string
	stopped   error // what visit returned
}

// outcome returns the result of a call that returned err.
func (r *sinceReader) outcome(err error) (lastBlock string, _ error) {
	switch {
	case r.stopped != nil:
		return "", r.stopped
	case refused(err, rpcclient.CodeInvalidAddress, "Block not found"):
		return "", ErrBlockNotFound.Because(err)
	case err != nil:
		return "", err
	case !isHash(r.lastBlock):
		return "", badAnswer("listsinceblock without a last block")
	default:
		return r.lastBlock, nil
	}
}

var errShape = errors.New("not a result of listsinceblock")

// ReadResult implements rpcclient.ResultReader.
func (r *sinceReader) ReadResult(dec *jsontext.Decoder) error {
	open, err := dec.ReadToken()
	switch {
	case err != nil:
		return err
	case open.Kind() == 'n': // null: the node refused
		return nil
	case open.Kind() != '{':
		return errShape
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
		return errShape
	}
	for dec.PeekKind() != ']' {
		var wire wireEntry
		if err := json.UnmarshalDecode(dec, &wire); err != nil {
			return err
		}
		if !isHash(wire.Txid) {
			return errShape
		}
		if r.stopped = r.visit(wire.entry(removed)); r.stopped != nil {
			return r.stopped
		}
	}
	_, err = dec.ReadToken()
	return err
}

// wireState is what listsinceblock and gettransaction have in common.
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

// wireDetail is what listsinceblock says of an output, and gettransaction in its
// details.
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
