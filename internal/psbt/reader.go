package psbt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
)

// reader reads the elements of PSBTs.
type reader struct{ btc.Reader }

func newReader(raw []byte) reader { return reader{btc.NewReader(raw)} }

// bytes reads a length and that number of bytes. The result is not nil, even if it
// is empty.
func (r *reader) bytes() []byte {
	if b := r.Take(r.CompactSize()); b != nil {
		return b
	}
	return []byte{}
}

func appendCompact(b []byte, n int) []byte {
	switch {
	case n < 0xfd:
		return append(b, byte(n)) //nolint:gosec // checked
	case n <= 0xffff:
		return binary.LittleEndian.AppendUint16(append(b, 0xfd), uint16(n))
	}
	return binary.LittleEndian.AppendUint32(append(b, 0xfe), uint32(n)) //nolint:gosec // lengths of slices that fit in MaxSize
}

func appendBytes(b, data []byte) []byte { return append(appendCompact(b, len(data)), data...) }

const (
	minInput  = 32 + 4 + 1 + 4
	minOutput = 8 + 1
)

var errAmount = errors.New("it has an invalid amount")

// Limits of transactions and of the witness of an input. No standard transaction
// reaches them, and the scripts of supported wallets need 22 items.
const (
	maxInputs       = 10_000
	maxOutputs      = 10_000
	maxWitnessItems = 100
)

// txParts is a validated transaction. Its slices share the memory of the input, so
// that parsing allocates nothing, regardless of the number of inputs and outputs.
type txParts struct {
	version, body, lockTime []byte // body is the inputs and outputs
	inputs, outputs         int
	witnessItems            int // the maximum of all inputs
}

// scanTx parses a transaction without allocating memory. A witness (BIP-144) is
// accepted only if mayHaveWitness is set; otherwise, its marker byte 0 is read as
// the number of inputs.
func scanTx(raw []byte, mayHaveWitness bool) (txParts, error) {
	r := newReader(raw)
	t := txParts{version: r.Take(4)}
	hasWitness := r.witnessFlag(mayHaveWitness)
	body := r.Rest()
	t.inputs = r.Count(minInput)
	for range t.inputs {
		r.Take(chainhash.HashSize + 4)
		r.skip()
		r.Take(4)
	}
	t.outputs = r.Count(minOutput)
	for range t.outputs {
		r.amount()
		r.skip()
	}
	t.body = body[:len(body)-len(r.Rest())]
	if hasWitness {
		for range t.inputs {
			t.witnessItems = max(t.witnessItems, r.skipWitness())
		}
		if r.Err() == nil && t.witnessItems == 0 {
			r.Fail(errors.New("its witness flag is set, but it has no witness"))
		}
	}
	t.lockTime = r.Take(4)
	if err := r.Done(); err != nil {
		return txParts{}, fmt.Errorf("read a transaction: %w", err)
	}
	return t, nil
}

// bounded returns an error if a transaction exceeds the limits.
func (t txParts) bounded() error {
	switch {
	case t.inputs > maxInputs:
		return fmt.Errorf("the transaction must not have more than %d inputs", maxInputs)
	case t.outputs > maxOutputs:
		return fmt.Errorf("the transaction must not have more than %d outputs", maxOutputs)
	case t.witnessItems > maxWitnessItems:
		return errWitnessItems
	}
	return nil
}

var errWitnessItems = fmt.Errorf("a witness must not have more than %d items", maxWitnessItems)

// hash returns the txid.
func (t txParts) hash() chainhash.Hash {
	once := sha256.New()
	for _, part := range [][]byte{t.version, t.body, t.lockTime} {
		once.Write(part)
	}
	return sha256.Sum256(once.Sum(nil))
}

// readTx parses a transaction under the same conditions as scanTx.
func readTx(raw []byte, mayHaveWitness bool) (*wire.MsgTx, error) {
	parts, err := scanTx(raw, mayHaveWitness)
	if err != nil {
		return nil, err
	}
	r := newReader(raw)
	tx := &wire.MsgTx{Version: int32(r.Uint32())} //nolint:gosec // two's complement is meant
	hasWitness := r.witnessFlag(mayHaveWitness)
	r.txInputs(tx, parts.inputs)
	r.txOutputs(tx, parts.outputs)
	if hasWitness {
		for _, in := range tx.TxIn {
			in.Witness = r.witness()
		}
	}
	tx.LockTime = r.Uint32()
	return tx, r.Done()
}

// witnessFlag reads the marker and flag of BIP-144, if they are allowed and
// present, and reports whether it did.
func (r *reader) witnessFlag(mayBeThere bool) bool {
	rest := r.Rest()
	has := mayBeThere && len(rest) > 1 && rest[0] == 0 && rest[1] == 1
	if has {
		r.Take(2)
	}
	return has
}

func (r *reader) txInputs(tx *wire.MsgTx, n int) {
	r.Count(minInput)
	all := make([]wire.TxIn, n)
	tx.TxIn = make([]*wire.TxIn, n)
	for i := range all {
		in := &all[i]
		copy(in.PreviousOutPoint.Hash[:], r.Take(chainhash.HashSize))
		in.PreviousOutPoint.Index = r.Uint32()
		in.SignatureScript = r.bytes()
		in.Sequence = r.Uint32()
		tx.TxIn[i] = in
	}
}

func (r *reader) txOutputs(tx *wire.MsgTx, n int) {
	r.Count(minOutput)
	all := make([]wire.TxOut, n)
	tx.TxOut = make([]*wire.TxOut, n)
	for i := range all {
		all[i] = wire.TxOut{Value: r.amount(), PkScript: r.bytes()}
		tx.TxOut[i] = &all[i]
	}
}

// txOut reads an output of a transaction.
func (r *reader) txOut() *wire.TxOut { return wire.NewTxOut(r.amount(), r.bytes()) }

func (r *reader) amount() int64 {
	amount := r.Uint64()
	if amount > uint64(btc.MaxMoney) {
		r.Fail(errAmount)
	}
	return int64(amount) //nolint:gosec // checked
}

// skip skips a length and that number of bytes.
func (r *reader) skip() { r.Take(r.CompactSize()) }

// skipWitness skips the witness stack of an input, and returns its number of items.
func (r *reader) skipWitness() int {
	n := r.Count(1)
	for range n {
		r.skip()
	}
	return n
}

// witness reads the witness stack of an input (BIP-141).
func (r *reader) witness() wire.TxWitness {
	n := r.Count(1)
	if n == 0 {
		return nil
	}
	stack := make(wire.TxWitness, n)
	for i := range stack {
		stack[i] = r.bytes()
	}
	return stack
}
