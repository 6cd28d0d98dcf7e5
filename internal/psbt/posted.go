package psbt

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/fault"
)

// ErrUnreadable is returned for data that is neither a PSBT nor a transaction.
var ErrUnreadable = fault.New(fault.Invalid, "invalid_psbt",
	"this is neither a PSBT, in binary or as base64, nor a signed transaction, in binary or hexadecimal")

// Posted is uploaded data: a PSBT, or a signed transaction. It is not trusted.
type Posted struct {
	packet *Packet     // nil for a transaction
	tx     *wire.MsgTx // with signatures only if packet is nil
}

// Decode decodes uploaded data: a PSBT in binary, or as text in base64 or
// hexadecimal, possibly with line breaks; or a signed transaction in binary or
// hexadecimal. It returns ErrUnreadable for other data, ErrMalformed for an invalid PSBT or
// transaction, and ErrTooLarge.
func Decode(data []byte) (Posted, error) {
	if len(data) > MaxTextSize {
		return Posted{}, ErrTooLarge
	}
	if bytes.HasPrefix(data, magic) {
		return decodePSBT(data)
	}
	text := slices.DeleteFunc(bytes.Clone(data), func(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' })
	if bytes.HasPrefix(text, []byte("cHNidP")) { // magic in base64
		raw, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
		if err != nil {
			return Posted{}, malformed("its base64 is incomplete or damaged")
		}
		return decodePSBT(raw)
	}
	if raw, err := hex.AppendDecode(nil, text); err == nil {
		data = raw
	}
	if bytes.HasPrefix(data, magic) {
		return decodePSBT(data)
	}
	if len(data) > MaxSize {
		return Posted{}, ErrTooLarge
	}
	parts, err := scanTx(data, true)
	if err != nil || parts.inputs == 0 || parts.outputs == 0 {
		return Posted{}, ErrUnreadable
	}
	if err := parts.bounded(); err != nil {
		return Posted{}, ErrUnreadable.WithMessage("%s", err)
	}
	tx, err := readTx(data, true)
	if err != nil {
		return Posted{}, ErrUnreadable
	}
	return Posted{tx: tx}, nil
}

func decodePSBT(raw []byte) (Posted, error) {
	p, err := Parse(raw)
	if err != nil {
		return Posted{}, err
	}
	return Posted{packet: p, tx: p.tx}, nil
}

// Txid returns the id of the transaction without signatures, which identifies a
// PSBT.
func (d Posted) Txid() string { return strip(d.tx).TxID() }

// UnsignedTxid returns the txid that a signed transaction had before it was signed;
// empty for data that is not a transaction.
func UnsignedTxid(raw []byte) string {
	const mayHaveWitness = true
	tx, err := readTx(raw, mayHaveWitness)
	if err != nil {
		return ""
	}
	return strip(tx).TxID()
}

// Tx returns the transaction without signatures.
func (d Posted) Tx() *wire.MsgTx { return strip(d.tx) }

// Previous returns the transaction that an input spends from, if the PSBT contains
// it with the right txid, or nil.
func (d Posted) Previous(input int) *wire.MsgTx {
	if d.packet == nil {
		return nil
	}
	tx := d.packet.Input(input).NonWitnessUTXO
	if tx == nil || tx.TxHash() != d.tx.TxIn[input].PreviousOutPoint.Hash {
		return nil
	}
	return tx
}

// strip returns a copy of a transaction without signatures. The copy shares the
// output scripts.
func strip(tx *wire.MsgTx) *wire.MsgTx {
	stripped := &wire.MsgTx{
		Version: tx.Version, LockTime: tx.LockTime, TxIn: make([]*wire.TxIn, len(tx.TxIn)), TxOut: make([]*wire.TxOut, len(tx.TxOut)),
	}
	for i, in := range tx.TxIn {
		stripped.TxIn[i] = &wire.TxIn{PreviousOutPoint: in.PreviousOutPoint, Sequence: in.Sequence}
	}
	for i, out := range tx.TxOut {
		stripped.TxOut[i] = wire.NewTxOut(out.Value, out.PkScript)
	}
	return stripped
}
