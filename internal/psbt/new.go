package psbt

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
)

// New creates a PSBT from our own data for a transaction that the node did not
// create, such as an imported one, so that the PSBT passes [Verify]. Previous has,
// for each input, the transaction that it spends from; taproot does not require it.
// Own has, for each output, its solution, or nil if it does not belong to the
// wallet.
func New(tx *wire.MsgTx, inputs []Input, previous []*wire.MsgTx, own []*btc.Solution) (*Packet, error) {
	if err := describes(tx, inputs); err != nil {
		return nil, err
	}
	if len(previous) != len(inputs) || len(own) != len(tx.TxOut) {
		return nil, fmt.Errorf("%d inputs and %d outputs are described by %d and %d", len(inputs), len(tx.TxOut), len(previous), len(own))
	}
	p := &Packet{inputs: make([]fieldMap, len(inputs)), outputs: make([]fieldMap, len(own))}
	var raw bytes.Buffer
	if err := strip(tx).SerializeNoWitness(&raw); err != nil {
		return nil, fmt.Errorf("write the transaction: %w", err)
	}
	p.global = fieldMap{{[]byte{globalUnsignedTx}, raw.Bytes()}}
	for i, in := range inputs {
		m := p.inputs[i]
		if in.isSegwit() {
			var out bytes.Buffer
			if err := wire.WriteTxOut(&out, 0, 0, in.txOut()); err != nil {
				return nil, fmt.Errorf("write an output: %w", err)
			}
			m = m.with(field{[]byte{inWitnessUTXO}, out.Bytes()})
		}
		if in.Kind != btc.TR { // taproot does not require the previous transaction: see verifyPrevious
			var raw bytes.Buffer
			if err := previous[i].Serialize(&raw); err != nil {
				return nil, fmt.Errorf("write a transaction: %w", err)
			}
			m = m.with(field{[]byte{inNonWitnessUTXO}, raw.Bytes()})
		}
		for _, f := range inputTypes.of(in.Solution) {
			m = m.with(f)
		}
		p.inputs[i] = m
	}
	for i, solution := range own {
		if solution == nil {
			continue
		}
		for _, f := range outputTypes.of(*solution) {
			p.outputs[i] = p.outputs[i].with(f)
		}
	}
	return Parse(p.Bytes())
}
