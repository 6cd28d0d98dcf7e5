package psbt

import (
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
)

// Sizes of signatures in bytes that Bitcoin Core assumes for wallets without
// private keys.
const (
	ecdsaSize   = 72 // DER with a high r, and SIGHASH_ALL
	schnorrSize = 64
)

// Placeholder returns a transaction with zeros in place of signatures of the usual
// maximum size. Its VSize is the estimated size, and a node considers it valid
// except for the signatures.
func Placeholder(tx *wire.MsgTx, inputs []Input) *wire.MsgTx {
	signed := strip(tx)
	for i, in := range inputs {
		size := ecdsaSize
		if in.Kind == btc.TR {
			size = schnorrSize
		}
		signatures := make(map[int][]byte)
		for _, key := range in.scriptOrder()[:in.SignaturesRequired] {
			signatures[key] = make([]byte, size)
		}
		signed.TxIn[i].SignatureScript, signed.TxIn[i].Witness = in.finish(signatures)
	}
	return signed
}

// The maximum size in bytes of a field with a signature, including the lengths of
// key and value.
const (
	ecdsaField   = 1 + 1 + 33 + 1 + 73
	schnorrField = 1 + 1 + 1 + 65
)

// SizeWhenSigned returns the maximum size of a PSBT without signatures once every
// key has signed every input.
func (p *Packet) SizeWhenSigned(inputs []Input) int {
	size := len(p.Bytes())
	for _, in := range inputs {
		if in.Kind == btc.TR {
			size += schnorrField
		} else {
			size += ecdsaField * len(in.Solution.Keys)
		}
	}
	return size
}

// InputVSize returns the size of a signed input in virtual bytes, rounded up.
func InputVSize(in Input) int {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{}, nil, nil))
	signed := Placeholder(tx, []Input{in}).TxIn[0]
	return (4*signed.SerializeSize() + signed.Witness.SerializeSize() + 3) / 4
}

// VSize returns the virtual size of a transaction (BIP-141).
func VSize(tx *wire.MsgTx) int { return (3*tx.SerializeSizeStripped() + tx.SerializeSize() + 3) / 4 }
