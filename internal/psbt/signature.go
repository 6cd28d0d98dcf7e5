package psbt

import (
	"bytes"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"

	"github.com/specterd/specterd/internal/btc"
)

// Signature is a signature of an input by one of the keys of its script, in the
// encoding of scripts: DER (BIP-66) followed by SIGHASH_ALL, or 64 or 65 bytes of
// Schnorr (BIP-340).
type Signature struct {
	Input int // position among the inputs
	Key   int // position among Solution.Keys
	Bytes []byte
}

// verifier verifies the signatures of one input.
type verifier struct {
	in     Input
	hash   func(txscript.SigHashType) ([]byte, error)
	cached []byte // the hash that ECDSA signatures commit to; nil until it is computed
}

func (s *sighashes) verifier(input int) *verifier {
	return &verifier{in: s.inputs[input], hash: func(t txscript.SigHashType) ([]byte, error) { return s.of(input, t) }}
}

// ecdsa reports whether raw is a signature of the whole transaction by a key, in
// the only encoding that nodes relay: strict DER and low S.
func (v *verifier) ecdsa(key int, raw []byte) bool {
	if len(raw) < 1 || raw[len(raw)-1] != byte(txscript.SigHashAll) {
		return false
	}
	der := raw[:len(raw)-1]
	signature, err := ecdsa.ParseDERSignature(der)
	// The parser accepts trailing bytes and a high S, which nodes reject.
	// Serializing normalizes both.
	if err != nil || !bytes.Equal(signature.Serialize(), der) {
		return false
	}
	public, err := btcec.ParsePubKey(v.in.Solution.Keys[key].PubKey)
	if err != nil {
		return false
	}
	if v.cached == nil {
		if v.cached, err = v.hash(txscript.SigHashAll); err != nil {
			return false
		}
	}
	return signature.Verify(v.cached, public)
}

// schnorr reports whether raw is a signature of the whole transaction by the output
// key (BIP-341). SIGHASH_DEFAULT and SIGHASH_ALL are accepted.
func (v *verifier) schnorr(raw []byte) bool {
	hashType := txscript.SigHashDefault
	if len(raw) == schnorr.SignatureSize+1 && raw[schnorr.SignatureSize] == byte(txscript.SigHashAll) {
		hashType, raw = txscript.SigHashAll, raw[:schnorr.SignatureSize]
	}
	signature, err := schnorr.ParseSignature(raw)
	if err != nil {
		return false
	}
	output, err := schnorr.ParsePubKey(v.in.Solution.Script[2:])
	if err != nil {
		return false
	}
	hash, err := v.hash(hashType)
	return err == nil && signature.Verify(hash, output)
}

// verify reports whether raw is a signature by a key.
func (v *verifier) verify(key int, raw []byte) bool {
	if v.in.Kind == btc.TR {
		return v.schnorr(raw)
	}
	return v.ecdsa(key, raw)
}
