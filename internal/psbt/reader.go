package psbt

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
)

// Reading never allocates for more than there are bytes, whatever counts and
// lengths they claim.

var (
	errShort   = errors.New("it ends too early")
	errCompact = errors.New("it has a length or a count that is not as short as possible")
	errTrailer = errors.New("something follows its end")
)

// reader reads one thing after the other. After its first error it reads nothing
// but zeros.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

// take returns the next n bytes, which share the memory of what is read.
func (r *reader) take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.rest)) {
		r.fail(errShort)
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// compact reads a compact size, which has to be as short as possible.
func (r *reader) compact() uint64 {
	first := r.byte()
	width := map[byte]uint64{0xfd: 2, 0xfe: 4, 0xff: 8}[first]
	if width == 0 {
		return uint64(first)
	}
	var wide [8]byte
	copy(wide[:], r.take(width))
	n := binary.LittleEndian.Uint64(wide[:])
	if n < 0xfd || width > 2 && n>>(4*width) == 0 {
		r.fail(errCompact)
	}
	return n
}

// count reads how many things of so many bytes or more follow.
func (r *reader) count(minBytes int) int {
	n := r.compact()
	if n > uint64(len(r.rest)/minBytes) { //nolint:gosec // not negative
		r.fail(errShort)
		return 0
	}
	return int(n) //nolint:gosec // less than there are bytes
}

// bytes reads a length and as many bytes. They are not nil, even where there are
// none.
func (r *reader) bytes() []byte {
	if b := r.take(r.compact()); b != nil {
		return b
	}
	return []byte{}
}

// done returns what went wrong, which includes that something is left.
func (r *reader) done() error {
	if r.err == nil && len(r.rest) > 0 {
		return errTrailer
	}
	return r.err
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
	r := reader{rest: raw}
	tx := &wire.MsgTx{Version: int32(r.uint32())} //nolint:gosec // two's complement is meant
	hasWitness := mayHaveWitness && len(r.rest) > 1 && r.rest[0] == 0 && r.rest[1] == 1
	if hasWitness {
		r.take(2)
	}
	r.txInputs(tx)
	r.txOutputs(tx)
	if hasWitness {
		for _, in := range tx.TxIn {
			in.Witness = r.witness()
		}
		if r.err == nil && !tx.HasWitness() {
			r.fail(errors.New("it says that it has a witness, and has none"))
		}
	}
	tx.LockTime = r.uint32()
	if err := r.done(); err != nil {
		return nil, fmt.Errorf("read a transaction: %w", err)
	}
	return tx, nil
}

func (r *reader) txInputs(tx *wire.MsgTx) {
	for range r.count(minInput) {
		in := new(wire.TxIn)
		copy(in.PreviousOutPoint.Hash[:], r.take(chainhash.HashSize))
		in.PreviousOutPoint.Index = r.uint32()
		in.SignatureScript = r.bytes()
		in.Sequence = r.uint32()
		tx.TxIn = append(tx.TxIn, in)
	}
}

func (r *reader) txOutputs(tx *wire.MsgTx) {
	for range r.count(minOutput) {
		tx.TxOut = append(tx.TxOut, r.txOut())
	}
}

// txOut reads an output of a transaction.
func (r *reader) txOut() *wire.TxOut {
	amount := r.uint64()
	if amount > uint64(btc.MaxMoney) {
		r.fail(errAmount)
	}
	return wire.NewTxOut(int64(amount), r.bytes()) //nolint:gosec // checked
}

// witness reads the stack of an input (BIP-141).
func (r *reader) witness() wire.TxWitness {
	var stack wire.TxWitness
	for range r.count(1) {
		stack = append(stack, r.bytes())
	}
	return stack
}
