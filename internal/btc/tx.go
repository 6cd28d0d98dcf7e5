package btc

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/specterd/specterd/internal/fault"
)

// Tx is what can be read from a transaction alone.
type Tx struct {
	Txid     string // 64 lower-case hexadecimal digits, in the order that people read
	VSize    int    // virtual bytes (BIP-141)
	Coinbase bool
	Inputs   []TxInput
	Outputs  []TxOutput
}

// TxInput is what an input spends.
type TxInput struct {
	Outpoint Outpoint
	Sequence uint32
}

// TxOutput is an output; its number is its place in Tx.Outputs.
type TxOutput struct {
	Amount Amount
	Script []byte
}

// ErrTx is returned for bytes that are no transaction.
var ErrTx = fault.New(fault.Invalid, "bad_transaction", "this is not a Bitcoin transaction")

const (
	maxTx         = 4_000_000 // bytes: the weight of a block, in which one byte weighs one at least
	minInput      = 32 + 4 + 1 + 4
	minOutput     = 8 + 1
	witnessFactor = 4 // what a byte outside of the witness weighs
)

// Replaceable tells whether the transaction itself signals that it may be
// replaced (BIP-125). One that does not can still be replaceable for the sake of
// an unconfirmed one that it spends.
func (t Tx) Replaceable() bool {
	return !t.Coinbase && slices.ContainsFunc(t.Inputs, func(in TxInput) bool { return in.Sequence < 0xfffffffe })
}

// ParseTx reads a serialized transaction, with its witness if it has one
// (BIP-144), of up to 4,000,000 bytes. Scripts share raw's memory. It returns
// ErrTx. What it takes is well-formed, with amounts in range, but not
// necessarily valid.
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

// coinbase is what a coinbase transaction spends.
var coinbase = Outpoint{Txid: hex.EncodeToString(make([]byte, sha256.Size)), Vout: 0xffffffff}

// txid returns the hash of a transaction without witness, in reverse, as is the
// custom.
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

// txReader reads the parts of a transaction in their order.
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

var errTooMuch = errors.New("it has more than there will ever be")

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

// witness passes over the witness of each input. One of them has to have
// something in it, or the transaction is to be written without.
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
