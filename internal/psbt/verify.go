package psbt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
)

// Verify checks that a PSBT from the node spends exactly these inputs, and
// describes them and our outputs exactly as our own data does. If not, it returns
// an error that describes the difference. Own has, for each output, its solution,
// or nil if it does not belong to the wallet. The caller must check the amounts of
// the outputs and the fee.
//
// The errors are not faults, because they are about the node and not about a
// request.
func Verify(created *Packet, inputs []Input, own []*btc.Solution) error {
	if err := describes(created.tx, inputs); err != nil {
		return err
	}
	if len(own) != len(created.tx.TxOut) {
		return fmt.Errorf("the PSBT has %d outputs, not %d", len(created.tx.TxOut), len(own))
	}
	for _, f := range created.global {
		if len(f.key) != 1 || f.key[0] != globalUnsignedTx && f.key[0] != globalVersion {
			return fmt.Errorf("the PSBT has an unexpected global field: %s", f.name(globalShapes))
		}
	}
	for i, in := range inputs {
		if err := created.verifyInput(i, in); err != nil {
			return fmt.Errorf("inputs[%d]: %w", i, err)
		}
	}
	for i, solution := range own {
		if err := created.verifyOutput(i, solution); err != nil {
			return fmt.Errorf("outputs[%d]: %w", i, err)
		}
	}
	return nil
}

func (p *Packet) verifyInput(i int, in Input) error {
	m := p.inputs[i]
	if err := m.verifySolution(inputTypes, inputShapes, in.Solution, inNonWitnessUTXO, inWitnessUTXO, inSighashType); err != nil {
		return err
	}
	if !isWholeSighash(m.get(inSighashType)) {
		return errors.New("sighash_type is not SIGHASH_ALL")
	}
	if err := verifyPrevious(m.get(inNonWitnessUTXO), in, p.tx.TxIn[i].PreviousOutPoint); err != nil {
		return err
	}
	value := m.get(inWitnessUTXO)
	switch {
	case value == nil && in.isSegwit():
		return errors.New("witness_utxo is missing")
	case value == nil:
		return nil
	case !in.isSegwit():
		return errors.New("unexpected witness_utxo: the output is not segwit")
	}
	out, err := readTxOut(value)
	if err != nil {
		return fmt.Errorf("witness_utxo: %w", err)
	}
	return verifyTxOut("witness_utxo", out, in)
}

// verifyPrevious checks the transaction that an input spends from. It may be
// missing only for taproot, whose signatures commit to the amounts of all inputs
// (BIP-341). For other scripts, signers could be misled about the amounts of other
// inputs.
func verifyPrevious(value []byte, in Input, spent wire.OutPoint) error {
	if value == nil {
		if in.Kind == btc.TR {
			return nil
		}
		return errors.New("non_witness_utxo is missing")
	}
	previous, err := readTx(value, true)
	if err != nil {
		return fmt.Errorf("non_witness_utxo: %w", err)
	}
	if previous.TxHash() != spent.Hash || uint64(spent.Index) >= uint64(len(previous.TxOut)) {
		return errors.New("non_witness_utxo is not the transaction that the input spends from")
	}
	return verifyTxOut("non_witness_utxo", previous.TxOut[spent.Index], in)
}

func verifyTxOut(name string, out *wire.TxOut, in Input) error {
	switch {
	case out.Value != int64(in.Amount):
		return fmt.Errorf("%s has a different amount than the UTXO", name)
	case !bytes.Equal(out.PkScript, in.Solution.Script):
		return fmt.Errorf("%s has a different script than the UTXO", name)
	}
	return nil
}

func (p *Packet) verifyOutput(i int, own *btc.Solution) error {
	switch {
	case own == nil:
		return p.outputs[i].verifySolution(outputTypes, outputShapes, btc.Solution{})
	case !bytes.Equal(p.tx.TxOut[i].PkScript, own.Script):
		return errors.New("its script does not match the descriptor")
	}
	return p.outputs[i].verifySolution(outputTypes, outputShapes, *own)
}

// verifySolution checks that a map describes exactly a solution, and has no other
// fields except the allowed ones.
func (m fieldMap) verifySolution(types solutionTypes, shapes map[byte]shape, s btc.Solution, allowed ...byte) error {
	expected := types.of(s)
	for _, f := range m {
		switch {
		case types.has(f):
			if value := expected.get(f.key[0], f.key[1:]...); value == nil || !bytes.Equal(value, f.value) {
				return fmt.Errorf("%s does not match the descriptor", f.name(shapes))
			}
		case len(f.key) != 1 || !slices.Contains(allowed, f.key[0]):
			return fmt.Errorf("unexpected field %s", f.name(shapes))
		}
	}
	for _, f := range expected {
		if m.get(f.key[0], f.key[1:]...) == nil {
			return fmt.Errorf("%s is missing", f.name(shapes))
		}
	}
	return nil
}

// isWholeSighash reports whether a sighash_type is unset or covers the whole
// transaction.
func isWholeSighash(value []byte) bool {
	if value == nil {
		return true
	}
	hashType := binary.LittleEndian.Uint32(value)
	return hashType == uint32(txscript.SigHashAll) || hashType == uint32(txscript.SigHashDefault)
}
