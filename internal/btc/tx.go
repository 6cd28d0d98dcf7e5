package btc

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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
	r := txReader{rest: raw}
	r.take(4) // version
	hasWitness := len(r.rest) > 1 && r.rest[0] == 0 && r.rest[1] == 1
	if hasWitness {
		r.take(2)
	}
	inputsAt := r.at(raw)
	t := Tx{Inputs: r.inputs(), Outputs: r.outputs()}
	witnessAt := r.at(raw)
	if hasWitness && !r.witness(len(t.Inputs)) {
		return Tx{}, ErrTx
	}
	lockTimeAt := r.at(raw)
	r.take(4)
	if r.failed || len(r.rest) > 0 || len(t.Inputs) == 0 || len(t.Outputs) == 0 {
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

// txReader reads the parts of a transaction in their order. After it has failed
// it reads nothing but zeros.
type txReader struct {
	rest   []byte
	failed bool
}

func (r *txReader) at(raw []byte) int { return len(raw) - len(r.rest) }

// take returns the next n bytes, or none.
func (r *txReader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *txReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// size reads a compact size, which has to be as short as possible.
func (r *txReader) size() uint64 {
	first := r.take(1)
	if first == nil {
		return 0
	}
	width := map[byte]uint64{0xfd: 2, 0xfe: 4, 0xff: 8}[first[0]]
	if width == 0 {
		return uint64(first[0])
	}
	var wide [8]byte
	copy(wide[:], r.take(width))
	n := binary.LittleEndian.Uint64(wide[:])
	r.failed = r.failed || n < 0xfd || width > 2 && n>>(4*width) == 0
	return n
}

// count reads how many things follow. There cannot be more than there is room
// for, so that a few bytes cannot claim a lot of memory.
func (r *txReader) count(minBytes int) int {
	n := r.size()
	if n > maxTx || int(n) > len(r.rest)/minBytes {
		r.failed = true
		return 0
	}
	return int(n)
}

func (r *txReader) inputs() []TxInput {
	inputs := make([]TxInput, r.count(minInput))
	for i := range inputs {
		inputs[i].Outpoint = Outpoint{Txid: reverseHex(r.take(sha256.Size)), Vout: r.uint32()}
		r.take(r.size()) // the signature script
		inputs[i].Sequence = r.uint32()
	}
	return inputs
}

func (r *txReader) outputs() []TxOutput {
	outputs := make([]TxOutput, r.count(minOutput))
	var total Amount
	for i := range outputs {
		low, high := r.uint32(), r.uint32()
		amount := Amount(high)<<32 | Amount(low)
		if amount < 0 || amount > MaxMoney-total {
			r.failed = true
			return nil
		}
		total += amount
		outputs[i] = TxOutput{Amount: amount, Script: r.take(r.size())}
	}
	return outputs
}

// witness passes over the witness of each input. One of them has to have
// something in it, or the transaction is to be written without.
func (r *txReader) witness(inputs int) bool {
	found := false
	for range inputs {
		items := r.count(1)
		found = found || items > 0
		for range items {
			r.take(r.size())
		}
	}
	return found
}
