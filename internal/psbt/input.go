package psbt

import (
	"fmt"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
)

// Input is a UTXO that a transaction spends, according to our own data, with the
// solution of its script that our descriptor gives.
type Input struct {
	Outpoint           btc.Outpoint
	Amount             btc.Amount
	Kind               btc.Script
	SignaturesRequired int // number of signatures; 1 for one key
	Solution           btc.Solution
}

// isSegwit reports whether the UTXO is a segwit output, so that signatures commit
// to its amount (BIP-143, BIP-341).
func (in Input) isSegwit() bool { return in.Kind != btc.PKH && in.Kind != btc.Sh }

// keyByPubKey returns the position of a key in the solution, or -1.
func (in Input) keyByPubKey(pubKey []byte) int {
	for i, key := range in.Solution.Keys {
		if string(key.PubKey) == string(pubKey) {
			return i
		}
	}
	return -1
}

// multisigScript returns the script that contains the keys; nil for a single key.
func (in Input) multisigScript() []byte {
	switch in.Kind {
	case btc.Sh:
		return in.Solution.RedeemScript
	case btc.WSh, btc.ShWSh:
		return in.Solution.WitnessScript
	case btc.PKH, btc.WPKH, btc.ShWPKH, btc.TR:
	}
	return nil
}

// scriptOrder returns the positions of the keys in the order of the script, which
// OP_CHECKMULTISIG requires for the signatures.
func (in Input) scriptOrder() []int {
	script := in.multisigScript()
	if script == nil {
		return []int{0}
	}
	var order []int
	for t := txscript.MakeScriptTokenizer(0, script); t.Next(); {
		if key := in.keyByPubKey(t.Data()); key >= 0 {
			order = append(order, key)
		}
	}
	return order
}

// txOut returns the spent output.
func (in Input) txOut() *wire.TxOut { return wire.NewTxOut(int64(in.Amount), in.Solution.Script) }

// describes returns an error if the inputs do not match the transaction. A mismatch
// is a defect of specterd, not a fault of the request.
func describes(tx *wire.MsgTx, inputs []Input) error {
	if len(inputs) != len(tx.TxIn) {
		return fmt.Errorf("a transaction with %d inputs is described by %d", len(tx.TxIn), len(inputs))
	}
	for i, in := range inputs {
		switch {
		case in.Outpoint.String() != tx.TxIn[i].PreviousOutPoint.String():
			return fmt.Errorf("input %d is described as another one", i)
		case len(in.Solution.Keys) == 0, in.SignaturesRequired < 1, in.SignaturesRequired > len(in.Solution.Keys), len(in.scriptOrder()) != len(in.Solution.Keys):
			return fmt.Errorf("input %d is described by keys that do not belong to its script", i)
		}
	}
	return nil
}

// sighashes computes the hashes that signatures commit to, from our own data about
// the spent outputs.
type sighashes struct {
	tx      *wire.MsgTx
	inputs  []Input
	outputs *txscript.MultiPrevOutFetcher
	midsums *txscript.TxSigHashes
}

func newSighashes(tx *wire.MsgTx, inputs []Input) *sighashes {
	outputs := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range inputs {
		outputs.AddPrevOut(tx.TxIn[i].PreviousOutPoint, in.txOut())
	}
	return &sighashes{tx: tx, inputs: inputs, outputs: outputs, midsums: txscript.NewTxSigHashes(tx, outputs)}
}

// of returns the hash that a signature for an input commits to.
func (s *sighashes) of(input int, hashType txscript.SigHashType) ([]byte, error) {
	in := s.inputs[input]
	solution := in.Solution
	switch in.Kind {
	case btc.PKH:
		return txscript.CalcSignatureHash(solution.Script, hashType, s.tx, input)
	case btc.Sh:
		return txscript.CalcSignatureHash(solution.RedeemScript, hashType, s.tx, input)
	case btc.WPKH:
		return txscript.CalcWitnessSigHash(solution.Script, s.midsums, hashType, s.tx, input, int64(in.Amount))
	case btc.ShWPKH:
		return txscript.CalcWitnessSigHash(solution.RedeemScript, s.midsums, hashType, s.tx, input, int64(in.Amount))
	case btc.WSh, btc.ShWSh:
		return txscript.CalcWitnessSigHash(solution.WitnessScript, s.midsums, hashType, s.tx, input, int64(in.Amount))
	case btc.TR:
		return txscript.CalcTaprootSignatureHash(s.midsums, hashType, s.tx, input, s.outputs)
	}
	return nil, fmt.Errorf("unknown script type %q", in.Kind)
}
