package psbt

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// ErrIncomplete is returned for a PSBT that lacks signatures.
var ErrIncomplete = fault.New(fault.Conflict, "not_enough_signatures", "this PSBT does not have enough signatures yet")

// Signatures returns the signatures in a stored PSBT, by input and key.
func (p *Packet) Signatures(inputs []Input) []Signature {
	var signatures []Signature
	for i, in := range inputs {
		for key := range in.Solution.Keys {
			if signature := p.inputs[i].signature(in, key); signature != nil {
				signatures = append(signatures, Signature{Input: i, Key: key, Bytes: signature})
			}
		}
	}
	return signatures
}

func (m fieldMap) signature(in Input, key int) []byte {
	if in.Kind == btc.TR {
		return m.get(inTapKeySig)
	}
	return m.get(inPartialSig, in.Solution.Keys[key].PubKey...)
}

// WithSignatures returns the PSBT with additional signatures, which [Collect] must
// have verified. If a key already has a signature, that one is kept.
func (p *Packet) WithSignatures(inputs []Input, signatures []Signature) *Packet {
	c := *p
	c.inputs = append([]fieldMap(nil), p.inputs...)
	for _, s := range signatures {
		key := append([]byte{inPartialSig}, inputs[s.Input].Solution.Keys[s.Key].PubKey...)
		if inputs[s.Input].Kind == btc.TR {
			key = []byte{inTapKeySig}
		}
		c.inputs[s.Input] = c.inputs[s.Input].with(field{key: key, value: s.Bytes})
	}
	return &c
}

// Complete reports whether every input has enough signatures.
func (p *Packet) Complete(inputs []Input) bool {
	for i, in := range inputs {
		if len(p.enough(i, in)) < in.SignaturesRequired {
			return false
		}
	}
	return true
}

// enough returns signatures of an input by the position of their key: the required
// number of signatures, which are the first in the order of the script, or all
// signatures if there are too few.
func (p *Packet) enough(i int, in Input) map[int][]byte {
	signatures := make(map[int][]byte)
	for _, key := range in.scriptOrder() {
		if signature := p.inputs[i].signature(in, key); signature != nil && len(signatures) < in.SignaturesRequired {
			signatures[key] = signature
		}
	}
	return signatures
}

// Finalize returns the signed transaction. It executes the scripts of all inputs
// with the script verification flags of the mempool, as a node would. It returns
// ErrIncomplete if signatures are missing; any other error indicates a defect or a
// damaged database.
func (p *Packet) Finalize(inputs []Input) ([]byte, error) {
	if err := describes(p.tx, inputs); err != nil {
		return nil, err
	}
	if !p.Complete(inputs) {
		return nil, ErrIncomplete
	}
	tx := p.Tx()
	for i, in := range inputs {
		tx.TxIn[i].SignatureScript, tx.TxIn[i].Witness = in.finish(p.enough(i, in))
	}
	hashes := newSighashes(tx, inputs)
	for i, in := range inputs {
		engine, err := txscript.NewEngine(in.Solution.Script, tx, i, txscript.StandardVerifyFlags, nil, hashes.midsums, int64(in.Amount), hashes.outputs)
		if err != nil {
			return nil, fmt.Errorf("input %d cannot be spent so: %w", i, err)
		}
		if err := engine.Execute(); err != nil {
			return nil, fmt.Errorf("input %d cannot be spent so: %w", i, err)
		}
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return nil, fmt.Errorf("write the transaction: %w", err)
	}
	return raw.Bytes(), nil
}

// finish returns the final scripts of an input for a sufficient set of signatures,
// given by the positions of their keys.
func (in Input) finish(signatures map[int][]byte) (scriptSig []byte, witness wire.TxWitness) {
	solution := in.Solution
	var stack [][]byte
	switch {
	case in.Kind.IsMultisig():
		// OP_CHECKMULTISIG removes one additional item from the stack.
		stack = append(stack, nil)
		for _, key := range in.scriptOrder() {
			if signature := signatures[key]; signature != nil {
				stack = append(stack, signature)
			}
		}
		stack = append(stack, in.multisigScript())
	case in.Kind == btc.TR:
		stack = [][]byte{signatures[0]}
	default:
		stack = [][]byte{signatures[0], solution.Keys[0].PubKey}
	}
	switch {
	case !in.isSegwit():
		return pushAll(stack), nil
	case solution.RedeemScript != nil:
		return pushAll([][]byte{solution.RedeemScript}), stack
	}
	return nil, stack
}

// pushAll returns the shortest script that pushes these items, none of which is a
// single byte.
func pushAll(items [][]byte) []byte {
	var script []byte
	for _, item := range items {
		n := len(item)
		switch {
		case n < txscript.OP_PUSHDATA1: // 0 is OP_0
			script = append(script, byte(n))
		case n <= 0xff:
			script = append(script, txscript.OP_PUSHDATA1, byte(n))
		default:
			script = append(script, txscript.OP_PUSHDATA2, byte(n), byte(n>>8)) //nolint:gosec // a redeem script has 520 bytes at most
		}
		script = append(script, item...)
	}
	return script
}
