package psbt

import (
	"encoding/binary"

	"github.com/btcsuite/btcd/txscript"

	"github.com/specterd/specterd/internal/btc"
)

// Derivation is the origin of a public key (BIP-32).
type Derivation struct {
	PubKey      []byte // 33 or 65 bytes; 32 for taproot
	Fingerprint [4]byte
	Path        []uint32
	LeafHashes  [][]byte // taproot only; empty for the key path
}

// PathText returns the path as in m/84h/1h/0h/0/0.
func (d Derivation) PathText() string { return btc.FormatPath(d.Path) }

func appendOrigin(b []byte, fingerprint [4]byte, path []uint32) []byte {
	b = append(b, fingerprint[:]...)
	for _, step := range path {
		b = binary.LittleEndian.AppendUint32(b, step)
	}
	return b
}

// readOrigin decodes a value that keyOrigin has validated.
func readOrigin(value []byte) (fingerprint [4]byte, path []uint32) {
	copy(fingerprint[:], value)
	for rest := value[4:]; len(rest) >= 4; rest = rest[4:] {
		path = append(path, binary.LittleEndian.Uint32(rest))
	}
	return fingerprint, path
}

// readTapOrigin decodes the value of a tap_bip32_derivation (BIP-371): the hashes
// of the leaves that contain the key, and its origin.
func readTapOrigin(value []byte) (leaves [][]byte, origin []byte, err error) {
	r := newReader(value)
	for range r.Count(32) {
		leaves = append(leaves, r.Take(32))
	}
	if r.Err() != nil {
		return nil, nil, r.Err()
	}
	return leaves, r.Rest(), keyOrigin(r.Rest())
}

// solutionTypes are the types of the fields that describe how an output can be
// spent. They differ between inputs and outputs.
type solutionTypes struct {
	redeemScript, witnessScript, bip32, tapBIP32, tapInternalKey byte
}

var (
	inputTypes  = solutionTypes{inRedeemScript, inWitnessScript, inBIP32Derivation, inTapBIP32Derivation, inTapInternalKey}
	outputTypes = solutionTypes{outRedeemScript, outWitnessScript, outBIP32Derivation, outTapBIP32Derivation, outTapInternalKey}
)

// has reports whether a field describes how an output can be spent.
func (t solutionTypes) has(f field) bool {
	switch f.key[0] {
	case t.redeemScript, t.witnessScript, t.bip32, t.tapBIP32, t.tapInternalKey:
		return true
	}
	return false
}

// of returns the fields that represent a solution.
func (t solutionTypes) of(s btc.Solution) fieldMap {
	var m fieldMap
	if s.RedeemScript != nil {
		m = append(m, field{[]byte{t.redeemScript}, s.RedeemScript})
	}
	if s.WitnessScript != nil {
		m = append(m, field{[]byte{t.witnessScript}, s.WitnessScript})
	}
	for _, key := range s.Keys {
		if txscript.IsPayToTaproot(s.Script) {
			xOnly := key.PubKey[1:]
			m = append(m,
				field{append([]byte{t.tapBIP32}, xOnly...), appendOrigin([]byte{0}, key.Fingerprint, key.Path)},
				field{[]byte{t.tapInternalKey}, xOnly})
		} else {
			m = append(m, field{append([]byte{t.bip32}, key.PubKey...), appendOrigin(nil, key.Fingerprint, key.Path)})
		}
	}
	return m
}

// derivations returns the BIP-32 and the taproot derivations that a map contains.
func (t solutionTypes) derivations(m fieldMap) (derivations, tap []Derivation) {
	for _, f := range m {
		d := Derivation{PubKey: f.key[1:]}
		switch f.key[0] {
		case t.bip32:
			d.Fingerprint, d.Path = readOrigin(f.value)
			derivations = append(derivations, d)
		case t.tapBIP32:
			leaves, origin, err := readTapOrigin(f.value)
			if err != nil {
				continue // unreachable: Parse has validated it
			}
			d.LeafHashes = leaves
			d.Fingerprint, d.Path = readOrigin(origin)
			tap = append(tap, d)
		}
	}
	return derivations, tap
}
