package btc

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
)

// MaxIndex is the last index of a branch (BIP-32).
const MaxIndex = hardened - 1

// Deriver derives the scripts and addresses of one branch. It stores the parents of
// the keys as curve points, so that an address costs one multiplication per key. It
// is safe for concurrent use.
type Deriver struct {
	descriptor Descriptor
	parents    []parentKey
}

// parentKey is the extended public key of a branch, whose children are the keys of
// addresses.
type parentKey struct {
	point      btcec.JacobianPoint
	serialized []byte
	chainCode  []byte
}

// Deriver returns a deriver for a descriptor with one branch. It returns an error for a
// multipath descriptor; use Split first.
func (d Descriptor) Deriver() (*Deriver, error) {
	if d.IsMultipath() {
		return nil, errors.New("the descriptor has two branches; split it first")
	}
	v := &Deriver{descriptor: d}
	for _, k := range d.keys {
		parent := k.extended
		for _, s := range k.steps {
			var err error
			if parent, err = parent.Derive(s[0]); err != nil {
				return nil, fmt.Errorf("derive the branch: %w", err)
			}
		}
		public, err := parent.ECPubKey()
		if err != nil {
			return nil, fmt.Errorf("derive the branch: %w", err)
		}
		p := parentKey{serialized: public.SerializeCompressed(), chainCode: parent.ChainCode()}
		public.AsJacobian(&p.point)
		v.parents = append(v.parents, p)
	}
	return v, nil
}

// errNoChild is returned for about one index in 2^127.
var errNoChild = errors.New("no key exists at this index (BIP-32)")

// child returns the public key at an index: CKDpub of BIP-32, without the chain
// code, which only further children would need. hdkeychain does the same but parses
// the parent each time, which takes twice as long.
func (p *parentKey) child(index uint32) (*btcec.PublicKey, error) {
	mac := hmac.New(sha512.New, p.chainCode)
	mac.Write(p.serialized)
	mac.Write(binary.BigEndian.AppendUint32(nil, index))
	var tweak btcec.ModNScalar
	if overflow := tweak.SetByteSlice(mac.Sum(nil)[:32]); overflow {
		return nil, errNoChild
	}
	var offset, child btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(&tweak, &offset)
	parent := p.point // copied, because the addition may normalize the point
	btcec.AddNonConst(&offset, &parent, &child)
	if child.Z.IsZero() || child.X.IsZero() && child.Y.IsZero() {
		return nil, errNoChild
	}
	child.ToAffine()
	return btcec.NewPublicKey(&child.X, &child.Y), nil
}

// Address returns the address at an index of a descriptor with one branch. To
// derive several, use a Deriver.
func (d Descriptor) Address(index uint32) (string, error) {
	v, err := d.Deriver()
	if err != nil {
		return "", err
	}
	return v.Address(index)
}

// Address returns the address at an index, up to MaxIndex.
func (v *Deriver) Address(index uint32) (string, error) {
	script, err := v.Script(index)
	if err != nil {
		return "", err
	}
	return AddressOf(script, v.descriptor.network), nil
}

// Script returns the output script at an index, up to MaxIndex.
func (v *Deriver) Script(index uint32) ([]byte, error) {
	keys, err := v.children(index)
	if err != nil {
		return nil, err
	}
	return v.descriptor.scriptFor(keys), nil
}

// children returns the public keys at an index, in the order of the descriptor.
func (v *Deriver) children(index uint32) ([]*btcec.PublicKey, error) {
	if index > MaxIndex {
		return nil, fmt.Errorf("the index %d exceeds %d", index, MaxIndex)
	}
	keys := make([]*btcec.PublicKey, len(v.parents))
	for i := range v.parents {
		var err error
		if keys[i], err = v.parents[i].child(index); err != nil {
			return nil, fmt.Errorf("derive index %d: %w", index, err)
		}
	}
	return keys, nil
}

// scriptFor returns the output script with these keys.
func (d Descriptor) scriptFor(keys []*btcec.PublicKey) []byte {
	switch d.form.script {
	case PKH:
		return payToPubKeyHash(btcutil.Hash160(keys[0].SerializeCompressed()))
	case WPKH:
		return payToWitnessPubKeyHash(keys[0])
	case ShWPKH:
		return payToScriptHash(btcutil.Hash160(payToWitnessPubKeyHash(keys[0])))
	case TR:
		return witnessScript(1, schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(keys[0])))
	case Sh:
		return payToScriptHash(btcutil.Hash160(d.multisig(keys)))
	case WSh:
		return payToWitnessScriptHash(d.multisig(keys))
	case ShWSh:
		return payToScriptHash(btcutil.Hash160(payToWitnessScriptHash(d.multisig(keys))))
	}
	return nil
}

func payToWitnessPubKeyHash(key *btcec.PublicKey) []byte {
	return witnessScript(0, btcutil.Hash160(key.SerializeCompressed()))
}

func payToWitnessScriptHash(script []byte) []byte {
	hash := sha256.Sum256(script)
	return witnessScript(0, hash[:])
}

// multisig returns the multisig script with these keys, which ends in
// OP_CHECKMULTISIG.
func (d Descriptor) multisig(keys []*btcec.PublicKey) []byte {
	serialized := make([][]byte, len(keys))
	for i, key := range keys {
		serialized[i] = key.SerializeCompressed()
	}
	if d.form.sorted {
		slices.SortFunc(serialized, bytes.Compare)
	}
	script := appendNumber(nil, d.required)
	for _, key := range serialized {
		script = append(script, byte(len(key))) //nolint:gosec // 33 bytes
		script = append(script, key...)
	}
	return append(appendNumber(script, len(keys)), opCheckMultisig)
}

// appendNumber appends the opcodes that push n, from 1 to 20.
func appendNumber(script []byte, n int) []byte {
	if n <= 16 {
		return append(script, byte(op1+n-1)) //nolint:gosec // up to op16
	}
	return append(script, 1, byte(n)) //nolint:gosec // up to 20
}
