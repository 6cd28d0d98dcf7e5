package psbt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/btcsuite/btcd/wire"
)

// Field types, with the names of BIP-174, BIP-370 and BIP-371 without the prefix
// PSBT_.
const (
	globalUnsignedTx       = 0x00
	globalXPub             = 0x01
	globalTxVersion        = 0x02
	globalFallbackLocktime = 0x03
	globalInputCount       = 0x04
	globalOutputCount      = 0x05
	globalTxModifiable     = 0x06
	globalVersion          = 0xfb

	inNonWitnessUTXO         = 0x00
	inWitnessUTXO            = 0x01
	inPartialSig             = 0x02
	inSighashType            = 0x03
	inRedeemScript           = 0x04
	inWitnessScript          = 0x05
	inBIP32Derivation        = 0x06
	inFinalScriptSig         = 0x07
	inFinalScriptWitness     = 0x08
	inPreviousTxid           = 0x0e
	inOutputIndex            = 0x0f
	inSequence               = 0x10
	inRequiredTimeLocktime   = 0x11
	inRequiredHeightLocktime = 0x12
	inTapKeySig              = 0x13
	inTapScriptSig           = 0x14
	inTapBIP32Derivation     = 0x16
	inTapInternalKey         = 0x17

	outRedeemScript       = 0x00
	outWitnessScript      = 0x01
	outBIP32Derivation    = 0x02
	outAmount             = 0x03
	outScript             = 0x04
	outTapInternalKey     = 0x05
	outTapBIP32Derivation = 0x07
)

// shape describes the valid format of a field type. If only2 is set, fields of this
// type are invalid in version 0.
type shape struct {
	name    string
	keyData func(n int) bool // reports whether n bytes after the type are valid
	value   func(value []byte) error
	only2   bool
}

var globalShapes = map[byte]shape{
	globalUnsignedTx:       {"unsigned_tx", none, anything, false},
	globalXPub:             {"xpub", exactly(78), keyOrigin, false},
	globalTxVersion:        {"tx_version", none, length(4), true},
	globalFallbackLocktime: {"fallback_locktime", none, length(4), true},
	globalInputCount:       {"input_count", none, anything, true},
	globalOutputCount:      {"output_count", none, anything, true},
	globalTxModifiable:     {"tx_modifiable", none, length(1), true},
	globalVersion:          {"version", none, length(4), false},
}

var inputShapes = map[byte]shape{
	inNonWitnessUTXO:         {"non_witness_utxo", none, transaction, false},
	inWitnessUTXO:            {"witness_utxo", none, transactionOutput, false},
	inPartialSig:             {"partial_sig", exactly(33, 65), atLeast(1), false},
	inSighashType:            {"sighash_type", none, length(4), false},
	inRedeemScript:           {"redeem_script", none, anything, false},
	inWitnessScript:          {"witness_script", none, anything, false},
	inBIP32Derivation:        {"bip32_derivation", exactly(33, 65), keyOrigin, false},
	inFinalScriptSig:         {"final_scriptsig", none, anything, false},
	inFinalScriptWitness:     {"final_scriptwitness", none, witnessStack, false},
	0x09:                     {"por_commitment", none, anything, false},
	0x0a:                     {"ripemd160", exactly(20), anything, false},
	0x0b:                     {"sha256", exactly(32), anything, false},
	0x0c:                     {"hash160", exactly(20), anything, false},
	0x0d:                     {"hash256", exactly(32), anything, false},
	inPreviousTxid:           {"previous_txid", none, length(32), true},
	inOutputIndex:            {"output_index", none, length(4), true},
	inSequence:               {"sequence", none, length(4), true},
	inRequiredTimeLocktime:   {"required_time_locktime", none, locktimeFrom(locktimeThreshold, math.MaxUint32), true},
	inRequiredHeightLocktime: {"required_height_locktime", none, locktimeFrom(1, locktimeThreshold-1), true},
	inTapKeySig:              {"tap_key_sig", none, length(64, 65), false},
	inTapScriptSig:           {"tap_script_sig", exactly(64), length(64, 65), false},
	0x15:                     {"tap_leaf_script", controlBlock, atLeast(1), false},
	inTapBIP32Derivation:     {"tap_bip32_derivation", exactly(32), tapKeyOrigin, false},
	inTapInternalKey:         {"tap_internal_key", none, length(32), false},
	0x18:                     {"tap_merkle_root", none, length(32), false},
}

var outputShapes = map[byte]shape{
	outRedeemScript:       {"redeem_script", none, anything, false},
	outWitnessScript:      {"witness_script", none, anything, false},
	outBIP32Derivation:    {"bip32_derivation", exactly(33, 65), keyOrigin, false},
	outAmount:             {"amount", none, length(8), true},
	outScript:             {"script", none, anything, true},
	outTapInternalKey:     {"tap_internal_key", none, length(32), false},
	0x06:                  {"tap_tree", none, atLeast(1), false},
	outTapBIP32Derivation: {"tap_bip32_derivation", exactly(32), tapKeyOrigin, false},
}

func none(n int) bool { return n == 0 }

func exactly(lengths ...int) func(int) bool {
	return func(n int) bool { return slices.Contains(lengths, n) }
}

// controlBlock reports whether a length is valid according to BIP-341.
func controlBlock(n int) bool { return n >= 33 && n <= 33+32*128 && (n-33)%32 == 0 }

func anything([]byte) error { return nil }

func length(lengths ...int) func([]byte) error {
	return func(value []byte) error {
		if !slices.Contains(lengths, len(value)) {
			return fmt.Errorf("with %d bytes", len(value))
		}
		return nil
	}
}

func atLeast(n int) func([]byte) error {
	return func(value []byte) error {
		if len(value) < n {
			return fmt.Errorf("with %d bytes", len(value))
		}
		return nil
	}
}

// locktimeThreshold is the lowest lock time that is a time and not a height.
const locktimeThreshold = 500_000_000

func locktimeFrom(first, last uint32) func([]byte) error {
	return func(value []byte) error {
		if err := length(4)(value); err != nil {
			return err
		}
		if n := binary.LittleEndian.Uint32(value); n < first || n > last {
			return errors.New("is out of range")
		}
		return nil
	}
}

// keyOrigin validates a fingerprint and a path.
func keyOrigin(value []byte) error {
	if len(value) < 4 || len(value)%4 != 0 {
		return fmt.Errorf("with %d bytes", len(value))
	}
	return nil
}

func tapKeyOrigin(value []byte) error {
	_, _, err := readTapOrigin(value)
	return err
}

func transaction(value []byte) error {
	_, err := scanTx(value, true)
	return err
}

func transactionOutput(value []byte) error {
	_, err := readTxOut(value)
	return err
}

func readTxOut(value []byte) (*wire.TxOut, error) {
	r := newReader(value)
	out := r.txOut()
	return out, r.Done()
}

func witnessStack(value []byte) error {
	r := newReader(value)
	if r.skipWitness() > maxWitnessItems {
		return errWitnessItems
	}
	return r.Done()
}

func readWitness(value []byte) (wire.TxWitness, error) {
	r := newReader(value)
	stack := r.witness()
	return stack, r.Done()
}
