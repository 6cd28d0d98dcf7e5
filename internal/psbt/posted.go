package psbt

import (
	"bytes"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/qrcodec"
)

// ErrUnreadable is returned for data that is neither a PSBT nor a transaction. Decode
// replaces its message by one that names what the data is.
var ErrUnreadable = fault.New(fault.Invalid, "invalid_psbt", "this is neither a PSBT nor a signed transaction")

// Posted is uploaded data: a PSBT, or a signed transaction. It is not trusted.
type Posted struct {
	packet *Packet     // nil for a transaction
	tx     *wire.MsgTx // with signatures only if packet is nil
}

// Decode decodes uploaded data: a PSBT or a signed transaction, in binary, as text in
// hexadecimal or base64 (with either alphabet, with or without padding and line breaks), or
// as the texts of QR codes, one in each line. It returns ErrUnreadable for other data,
// ErrMalformed for an invalid PSBT or transaction, ErrTooLarge, and the errors of
// qrcodec.Read, such as qrcodec.ErrMissingParts.
func Decode(data []byte) (Posted, error) {
	if len(data) > MaxTextSize {
		return Posted{}, ErrTooLarge
	}
	if bytes.HasPrefix(data, magic) {
		return decodePSBT(data)
	}
	content, err := qrcodec.Read(data)
	if err != nil {
		return Posted{}, err
	}
	switch content.Kind {
	case qrcodec.PSBT:
		return decodePSBT(content.Data)
	case qrcodec.Transaction:
		return decodeTx(content.Data)
	}
	if len(content.Data) > 2*MaxSize {
		return Posted{}, ErrTooLarge // in every format
	}
	return Posted{}, unreadable(content)
}

// decodeTx decodes a transaction in binary.
func decodeTx(data []byte) (Posted, error) {
	if len(data) > MaxSize {
		return Posted{}, ErrTooLarge
	}
	parts, err := scanTx(data, true)
	if err != nil || parts.inputs == 0 || parts.outputs == 0 {
		return Posted{}, unreadable(qrcodec.Content{Kind: qrcodec.Bytes, Data: data})
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
