package btc

import (
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
)

// Solution is the data required to spend an output of a descriptor, except for the
// signatures.
type Solution struct {
	Script        []byte // the output script
	RedeemScript  []byte // nil if the output is not P2SH (BIP-16)
	WitnessScript []byte // nil if the output has none (BIP-141)
	Keys          []ChildKey
}

// ChildKey is a public key in a script, and its origin.
type ChildKey struct {
	PubKey      []byte   // compressed, 33 bytes
	Fingerprint [4]byte  // of the master key
	Path        []uint32 // from the master key (BIP-32)
}

// Solve returns the data required to spend the output at an index, up to MaxIndex.
// The keys are in the order of the descriptor, even if the script sorts them.
func (v *Deriver) Solve(index uint32) (Solution, error) {
	keys, err := v.children(index)
	if err != nil {
		return Solution{}, err
	}
	d := v.descriptor
	s := Solution{Script: d.scriptFor(keys), Keys: make([]ChildKey, len(keys))}
	switch d.form.script {
	case ShWPKH:
		s.RedeemScript = payToWitnessPubKeyHash(keys[0])
	case Sh:
		s.RedeemScript = d.multisig(keys)
	case WSh:
		s.WitnessScript = d.multisig(keys)
	case ShWSh:
		s.WitnessScript = d.multisig(keys)
		s.RedeemScript = payToWitnessScriptHash(s.WitnessScript)
	case PKH, WPKH, TR:
	}
	for i, key := range keys {
		if s.Keys[i], err = d.keys[i].child(key, index); err != nil {
			return Solution{}, err
		}
	}
	return s, nil
}

// child returns the ChildKey of k at an index. The argument public must be the public key
// that was derived from k at that index.
func (k descriptorKey) child(public *btcec.PublicKey, index uint32) (ChildKey, error) {
	c := ChildKey{PubKey: public.SerializeCompressed()}
	if _, err := hex.Decode(c.Fingerprint[:], []byte(k.Fingerprint)); err != nil {
		return c, fmt.Errorf("read a fingerprint: %w", err)
	}
	path, err := k.Path()
	if err != nil {
		return c, err
	}
	c.Path = path
	for _, s := range k.steps {
		c.Path = append(c.Path, s[0])
	}
	c.Path = append(c.Path, index)
	return c, nil
}
