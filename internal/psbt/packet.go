// Package psbt owns partially signed Bitcoin transactions: it reads them in both
// versions (BIP-174, BIP-370, and BIP-371 for taproot), checks what the node made
// of our own descriptors, takes signatures out of what somebody posted, and
// finalises. It is pure: it does no I/O, and it never signs.
//
// The invariant: a PSBT that we keep is the one that the node made and [Verify]
// found to be ours, or that [New] made of what we know, plus signatures that [Collect] verified against our own keys,
// scripts and amounts. Nothing else that was posted gets into it.
package psbt

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/fault"
)

const (
	// MaxSize is how many bytes a PSBT may have, signatures included.
	MaxSize = 4 << 20
	// MaxTextSize is how many bytes a PSBT of MaxSize takes in its longest format:
	// hexadecimal with a line break after every 32 digits, escaped in a JSON string.
	MaxTextSize = 2*MaxSize + MaxSize/4
)

// Faults of what was posted.
var (
	// ErrMalformed is returned for bytes that are no PSBT.
	ErrMalformed = fault.New(fault.Invalid, "bad_psbt", "this is not a PSBT")
	// ErrTooLarge is returned for more than MaxSize bytes.
	ErrTooLarge = fault.New(fault.TooLarge, "psbt_too_large", "a PSBT must not be larger than %d MiB", MaxSize>>20)
)

// malformed returns an ErrMalformed that says what is wrong.
func malformed(format string, args ...any) error {
	return ErrMalformed.Saying("this is not a valid PSBT: "+format, args...)
}

// Packet is a PSBT of version 0. It keeps every field as it was, also those that
// it knows nothing of, in their order. Packets do not change: the methods that add
// something return another one.
type Packet struct {
	global  fieldMap
	inputs  []fieldMap
	outputs []fieldMap
	tx      *wire.MsgTx // of the field PSBT_GLOBAL_UNSIGNED_TX
}

// field is a key-value pair. The key begins with the type.
type field struct {
	key, value []byte
}

// fieldMap is the key-value map of the whole, of an input or of an output.
type fieldMap []field

// get returns the value of a field; nil where there is none.
func (m fieldMap) get(fieldType byte, keyData ...byte) []byte {
	for _, f := range m {
		if len(f.key) == 1+len(keyData) && f.key[0] == fieldType && bytes.Equal(f.key[1:], keyData) {
			return f.value
		}
	}
	return nil
}

// has tells whether there is a field without key data; it may be empty.
func (m fieldMap) has(fieldType byte) bool { return m.get(fieldType) != nil }

// with returns a map that has one more field, in front of the first one with a
// higher key, so that it does not matter in which order fields are added. One that
// is there already stays as it is.
func (m fieldMap) with(f field) fieldMap {
	at := len(m)
	for i, other := range m {
		switch order := bytes.Compare(other.key, f.key); {
		case order == 0:
			return m
		case order > 0 && at == len(m):
			at = i
		}
	}
	return slices.Insert(slices.Clone(m), at, f)
}

// without returns a map without the fields of these types that have no key data.
func (m fieldMap) without(types ...byte) fieldMap {
	return slices.DeleteFunc(slices.Clone(m), func(f field) bool {
		return len(f.key) == 1 && slices.Contains(types, f.key[0])
	})
}

// signatureTypes are the fields of an input that hold signatures.
var signatureTypes = []byte{inPartialSig, inFinalScriptSig, inFinalScriptWitness, inTapKeySig, inTapScriptSig}

func isSignature(f field) bool { return slices.Contains(signatureTypes, f.key[0]) }

// HasSignatures reports whether the PSBT has any signature, verified or not.
func (p *Packet) HasSignatures() bool {
	return slices.ContainsFunc(p.inputs, func(m fieldMap) bool { return slices.ContainsFunc(m, isSignature) })
}

// WithoutSignatures returns the PSBT without any signature, final scripts included.
func (p *Packet) WithoutSignatures() *Packet {
	c := *p
	c.inputs = make([]fieldMap, len(p.inputs))
	for i, m := range p.inputs {
		c.inputs[i] = slices.DeleteFunc(slices.Clone(m), isSignature)
	}
	return &c
}

// Known returns the PSBT without fields of types that are not known here, and
// without global fields but the transaction.
func (p *Packet) Known() *Packet {
	c := Packet{tx: p.tx, global: fieldMap{{[]byte{globalUnsignedTx}, p.global.get(globalUnsignedTx)}}}
	for _, m := range p.inputs {
		c.inputs = append(c.inputs, m.known(inputShapes))
	}
	for _, m := range p.outputs {
		c.outputs = append(c.outputs, m.known(outputShapes))
	}
	return &c
}

func (m fieldMap) known(shapes map[byte]shape) fieldMap {
	return slices.DeleteFunc(slices.Clone(m), func(f field) bool {
		_, ok := shapes[f.key[0]]
		return !ok
	})
}

// Bytes returns the PSBT in version 0. For one that was read in version 0 these
// are the bytes that were read.
func (p *Packet) Bytes() []byte {
	b := append([]byte(nil), magic...)
	b = p.global.append(b)
	for _, m := range p.inputs {
		b = m.append(b)
	}
	for _, m := range p.outputs {
		b = m.append(b)
	}
	return b
}

func (m fieldMap) append(b []byte) []byte {
	for _, f := range m {
		b = appendBytes(b, f.key)
		b = appendBytes(b, f.value)
	}
	return append(b, 0)
}

// Tx returns a copy of the transaction, which has no signatures.
func (p *Packet) Tx() *wire.MsgTx { return p.tx.Copy() }

// Txid returns the id of the transaction without signatures.
func (p *Packet) Txid() string { return p.tx.TxID() }
