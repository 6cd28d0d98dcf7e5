package btc

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/specterd/specterd/internal/fault"
)

// Tx is a parsed transaction, without its signatures.
type Tx struct {
	Txid     string // 64 lower-case hexadecimal digits, in display order
	VSize    int    // virtual bytes (BIP-141)
	Coinbase bool
	Inputs   []TxInput
	Outputs  []TxOutput
}

// TxInput is an input, without its signature script and witness.
type TxInput struct {
	Outpoint Outpoint
	Sequence uint32
}

// TxOutput is an output; its index in Tx.Outputs is its vout.
type TxOutput struct {
	Amount Amount
	Script []byte
}

// ErrTx is returned for bytes that are not a transaction.
var ErrTx = fault.New(fault.Invalid, "invalid_transaction", "this is not a Bitcoin transaction")

const (
	maxTx         = 4_000_000 // bytes: each has a weight of at least 1, and a block a weight of at most 4,000,000
	minInput      = 32 + 4 + 1 + 4
	minOutput     = 8 + 1
	witnessFactor = 4 // weight of a byte outside the witness
)

// Replaceable reports whether the transaction signals replaceability (BIP-125). Without
// that signal, it may inherit replaceability from an unconfirmed ancestor.
func (t Tx) Replaceable() bool {
	return !t.Coinbase && slices.ContainsFunc(t.Inputs, func(in TxInput) bool { return in.Sequence < 0xfffffffe })
}

// ParseTx parses a serialized transaction of up to 4,000,000 bytes, with its
// witness if it has one (BIP-144). Scripts share raw's memory. The result is
// well-formed, with amounts in range, but not necessarily valid. It returns ErrTx for
// anything else.
func ParseTx(raw []byte) (Tx, error) {
	if len(raw) > maxTx {
		return Tx{}, ErrTx
	}
	r := txReader{NewReader(raw)}
	r.Take(4) // version
	hasWitness := len(r.rest) > 1 && r.rest[0] == 0 && r.rest[1] == 1
	if hasWitness {
		r.Take(2)
	}
	inputsAt := r.at(raw)
	t := Tx{Inputs: r.inputs(), Outputs: r.outputs()}
	witnessAt := r.at(raw)
	if hasWitness && !r.witness(len(t.Inputs)) {
		return Tx{}, ErrTx
	}
	lockTimeAt := r.at(raw)
	r.Take(4)
	if r.Done() != nil || len(t.Inputs) == 0 || len(t.Outputs) == 0 {
		return Tx{}, ErrTx
	}
	stripped := slices.Concat(raw[:4], raw[inputsAt:witnessAt], raw[lockTimeAt:])
	t.Txid = txid(stripped)
	t.VSize = (len(stripped)*(witnessFactor-1) + len(raw) + witnessFactor - 1) / witnessFactor
	t.Coinbase = len(t.Inputs) == 1 && t.Inputs[0].Outpoint == coinbase
	return t, nil
}

// coinbase is the outpoint that coinbase transactions spend.
var coinbase = Outpoint{Txid: hex.EncodeToString(make([]byte, sha256.Size)), Vout: 0xffffffff}

// txid returns the hash of a transaction without witness, in display order.
func txid(stripped []byte) string {
	once := sha256.Sum256(stripped)
	twice := sha256.Sum256(once[:])
	return reverseHex(twice[:])
}

func reverseHex(hash []byte) string {
	reversed := slices.Clone(hash)
	slices.Reverse(reversed)
	return hex.EncodeToString(reversed)
}

// txReader reads the parts of a transaction in order.
type txReader struct{ Reader }

func (r *txReader) at(raw []byte) int { return len(raw) - len(r.rest) }

func (r *txReader) inputs() []TxInput {
	inputs := make([]TxInput, r.Count(minInput))
	for i := range inputs {
		inputs[i].Outpoint = Outpoint{Txid: reverseHex(r.Take(sha256.Size)), Vout: r.Uint32()}
		r.Take(r.CompactSize()) // the signature script
		inputs[i].Sequence = r.Uint32()
	}
	return inputs
}

var errTooMuch = errors.New("the amount exceeds the maximum supply")

func (r *txReader) outputs() []TxOutput {
	outputs := make([]TxOutput, r.Count(minOutput))
	var total Amount
	for i := range outputs {
		amount := r.Uint64()
		if amount > uint64(MaxMoney-total) {
			r.Fail(errTooMuch)
			return nil
		}
		outputs[i] = TxOutput{Amount: Amount(amount), Script: r.Take(r.CompactSize())} //nolint:gosec // checked
		total += outputs[i].Amount
	}
	return outputs
}

// witness skips the witness of each input. It reports whether at least one witness
// is not empty, as BIP-144 requires.
func (r *txReader) witness(inputs int) bool {
	found := false
	for range inputs {
		items := r.Count(1)
		found = found || items > 0
		for range items {
			r.Take(r.CompactSize())
		}
	}
	return found
}
