// Package psbt implements partially signed Bitcoin transactions: it parses PSBTs of
// both versions (BIP-174, BIP-370, and BIP-371 for taproot), verifies the node's
// PSBTs against our own descriptors, collects signatures from uploads, and
// finalizes. It does no I/O and never signs.
//
// Invariant: a stored PSBT was created by the node and passed [Verify], or was
// created by [New] from our own data, and contains only signatures that [Collect]
// verified against our own keys, scripts and amounts. No other uploaded data gets
// into it.
package psbt

import (
	"bytes"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/fault"
)

const (
	// MaxSize is the maximum size of a PSBT in bytes, including signatures.
	MaxSize = 4 << 20
	// MaxTextSize is the size of a PSBT of MaxSize in its longest format: hexadecimal
	// with a line break (CRLF) after every 32 digits, escaped in a JSON string.
	MaxTextSize = 2*MaxSize + MaxSize/4
)

// Errors of uploaded data.
var (
	// ErrMalformed is returned for bytes that are not a valid PSBT.
	ErrMalformed = fault.New(fault.Invalid, "invalid_psbt", "this is not a PSBT")
	// ErrTooLarge is returned for more than MaxSize bytes.
	ErrTooLarge = fault.New(fault.TooLarge, "psbt_too_large", "a PSBT must not be larger than %d MiB", MaxSize>>20)
)

// malformed returns an ErrMalformed with a description of the problem.
func malformed(format string, args ...any) error {
	return ErrMalformed.WithMessage("this is not a valid PSBT: "+format, args...)
}

// Packet is a PSBT of version 0. It preserves every field, including unknown ones,
// and their order. Packets are immutable: methods that add something return a copy.
type Packet struct {
	global  fieldMap
	inputs  []fieldMap
	outputs []fieldMap
	tx      *wire.MsgTx // in the field PSBT_GLOBAL_UNSIGNED_TX
}

// field is a key-value pair. The key begins with the type.
type field struct {
	key, value []byte
}

// fieldMap is the global map, or the map of an input or an output.
type fieldMap []field

// get returns the value of a field, or nil.
func (m fieldMap) get(fieldType byte, keyData ...byte) []byte {
	for _, f := range m {
		if len(f.key) == 1+len(keyData) && f.key[0] == fieldType && bytes.Equal(f.key[1:], keyData) {
			return f.value
		}
	}
	return nil
}

// has reports whether a field without key data exists; it may be empty.
func (m fieldMap) has(fieldType byte) bool { return m.get(fieldType) != nil }

// with returns a map with one more field, inserted before the first field with a
// higher key, so that the order of additions does not matter. It returns m if the
// key exists already.
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

// signatureTypes are the types of the fields of an input that contain signatures.
var signatureTypes = []byte{inPartialSig, inFinalScriptSig, inFinalScriptWitness, inTapKeySig, inTapScriptSig}

func isSignature(f field) bool { return slices.Contains(signatureTypes, f.key[0]) }

// HasSignatures reports whether the PSBT has any signature, verified or not.
func (p *Packet) HasSignatures() bool {
	return slices.ContainsFunc(p.inputs, func(m fieldMap) bool { return slices.ContainsFunc(m, isSignature) })
}

// WithoutSignatures returns the PSBT without signatures and final scripts.
func (p *Packet) WithoutSignatures() *Packet {
	c := *p
	c.inputs = make([]fieldMap, len(p.inputs))
	for i, m := range p.inputs {
		c.inputs[i] = slices.DeleteFunc(slices.Clone(m), isSignature)
	}
	return &c
}

// Known returns the PSBT without fields of unknown types, and without global fields
// except the transaction.
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

// Bytes returns the PSBT in version 0. A PSBT that was parsed from version 0
// results in the same bytes.
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
