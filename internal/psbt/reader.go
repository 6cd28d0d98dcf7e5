package psbt

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
)

// reader reads what PSBTs are made of.
type reader struct{ btc.Reader }

func newReader(raw []byte) reader { return reader{btc.NewReader(raw)} }

// bytes reads a length and as many bytes. They are not nil, even where there are
// none.
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

var errAmount = errors.New("it has an amount that cannot be")

// readTx reads a transaction. With a witness (BIP-144) it is read only where that
// is allowed, since without, 0 inputs can be meant.
func readTx(raw []byte, mayHaveWitness bool) (*wire.MsgTx, error) {
	r := newReader(raw)
	tx := &wire.MsgTx{Version: int32(r.Uint32())} //nolint:gosec // two's complement is meant
	hasWitness := mayHaveWitness && len(r.Rest()) > 1 && r.Rest()[0] == 0 && r.Rest()[1] == 1
	if hasWitness {
		r.Take(2)
	}
	r.txInputs(tx)
	r.txOutputs(tx)
	if hasWitness {
		for _, in := range tx.TxIn {
			in.Witness = r.witness()
		}
		if r.Err() == nil && !tx.HasWitness() {
			r.Fail(errors.New("it says that it has a witness, and has none"))
		}
	}
	tx.LockTime = r.Uint32()
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("read a transaction: %w", err)
	}
	return tx, nil
}

func (r *reader) txInputs(tx *wire.MsgTx) {
	for range r.Count(minInput) {
		in := new(wire.TxIn)
		copy(in.PreviousOutPoint.Hash[:], r.Take(chainhash.HashSize))
		in.PreviousOutPoint.Index = r.Uint32()
		in.SignatureScript = r.bytes()
		in.Sequence = r.Uint32()
		tx.TxIn = append(tx.TxIn, in)
	}
}

func (r *reader) txOutputs(tx *wire.MsgTx) {
	for range r.Count(minOutput) {
		tx.TxOut = append(tx.TxOut, r.txOut())
	}
}

// txOut reads an output of a transaction.
func (r *reader) txOut() *wire.TxOut {
	amount := r.Uint64()
	if amount > uint64(btc.MaxMoney) {
		r.Fail(errAmount)
	}
	return wire.NewTxOut(int64(amount), r.bytes()) //nolint:gosec // checked
}

// witness reads the stack of an input (BIP-141).
func (r *reader) witness() wire.TxWitness {
	var stack wire.TxWitness
	for range r.Count(1) {
		stack = append(stack, r.bytes())
	}
	return stack
}
