package psbt

import (
	"github.com/btcsuite/btcd/wire"
)

// View contains the data about an input or an output in a PSBT.
type View struct {
	Derivations    []Derivation
	TapDerivations []Derivation
	TapInternalKey []byte // nil if absent
	// WitnessUTXO and NonWitnessUTXO describe the spent output, for inputs only;
	// nil if absent.
	WitnessUTXO    *wire.TxOut
	NonWitnessUTXO *wire.MsgTx
	// PartialSigs is the number of ECDSA and taproot key path signatures outside of
	// the final fields, for inputs only.
	PartialSigs int
}

// Input returns the data about an input, given by its position.
func (p *Packet) Input(i int) View {
	m := p.inputs[i]
	v := View{TapInternalKey: m.get(inTapInternalKey)}
	v.Derivations, v.TapDerivations = inputTypes.derivations(m)
	if value := m.get(inWitnessUTXO); value != nil {
		v.WitnessUTXO, _ = readTxOut(value) // Parse has validated it
	}
	if value := m.get(inNonWitnessUTXO); value != nil {
		v.NonWitnessUTXO, _ = readTx(value, true) // Parse has validated it
	}
	for _, f := range m {
		if f.key[0] == inPartialSig || f.key[0] == inTapKeySig {
			v.PartialSigs++
		}
	}
	return v
}

// Output returns the data about an output, given by its position.
func (p *Packet) Output(i int) View {
	m := p.outputs[i]
	v := View{TapInternalKey: m.get(outTapInternalKey)}
	v.Derivations, v.TapDerivations = outputTypes.derivations(m)
	return v
}
