package psbt

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// Errors of a posted PSBT or transaction. Each except ErrNoSignatures names a
// field, as in outputs[1].amount.
var (
	ErrDiffers          = fault.New(fault.Invalid, "psbt_differs", "the posted data differs from the PSBT of the proposal")
	ErrForeignSignature = fault.New(fault.Invalid, "signature_key_unknown", "a signature was not made with a key of this wallet")
	ErrBadSignature     = fault.New(fault.Invalid, "invalid_signature", "a signature is not valid")
	ErrNoSignatures     = fault.New(fault.Invalid, "no_signatures", "the posted PSBT or transaction has no signatures; sign it first")
)

func differs(format string, args ...any) error {
	return ErrDiffers.WithField(fmt.Sprintf(format, args...), "differs from the PSBT of the proposal")
}

// Collect returns the signatures in posted that stored does not have yet. If stored
// already has all of them, the result is empty, and the error is nil. The inputs
// describe the inputs of stored, in the same order.
//
// The transaction must equal the stored one. Only signatures are taken, and each is
// verified against our own keys, scripts and amounts. Other data is ignored, except
// data about a UTXO that would mislead a signer. Collect returns ErrDiffers,
// ErrForeignSignature, ErrBadSignature and ErrNoSignatures.
func Collect(stored *Packet, inputs []Input, posted Posted) ([]Signature, error) {
	if err := describes(stored.tx, inputs); err != nil {
		return nil, err
	}
	if err := sameTransaction(stored.tx, posted.tx); err != nil {
		return nil, err
	}
	hashes := newSighashes(stored.tx, inputs)
	known := make(map[[2]int]bool)
	for _, s := range stored.Signatures(inputs) {
		known[[2]int{s.Input, s.Key}] = true
	}
	var found []Signature
	some := false
	for i := range inputs {
		c := collector{verifier: hashes.verifier(i), input: i, found: make(map[int][]byte)}
		if err := c.collect(posted); err != nil {
			return nil, err
		}
		for key := range inputs[i].Solution.Keys {
			signature, ok := c.found[key]
			some = some || ok
			if ok && !known[[2]int{i, key}] {
				found = append(found, Signature{Input: i, Key: key, Bytes: signature})
			}
		}
	}
	if !some {
		return nil, ErrNoSignatures
	}
	return found, nil
}

// sameTransaction compares all data that signatures commit to.
func sameTransaction(ours, theirs *wire.MsgTx) error {
	switch {
	case theirs.Version != ours.Version:
		return differs("version")
	case len(theirs.TxIn) != len(ours.TxIn):
		return ErrDiffers.WithField("inputs", "there are %d, but the proposal has %d", len(theirs.TxIn), len(ours.TxIn))
	case len(theirs.TxOut) != len(ours.TxOut):
		return ErrDiffers.WithField("outputs", "there are %d, but the proposal has %d", len(theirs.TxOut), len(ours.TxOut))
	case theirs.LockTime != ours.LockTime:
		return differs("locktime")
	}
	for i, in := range ours.TxIn {
		switch {
		case theirs.TxIn[i].PreviousOutPoint != in.PreviousOutPoint:
			return differs("inputs[%d].outpoint", i)
		case theirs.TxIn[i].Sequence != in.Sequence:
			return differs("inputs[%d].sequence", i)
		}
	}
	for i, out := range ours.TxOut {
		switch {
		case theirs.TxOut[i].Value != out.Value:
			return differs("outputs[%d].amount", i)
		case !bytes.Equal(theirs.TxOut[i].PkScript, out.PkScript):
			return differs("outputs[%d].script", i)
		}
	}
	return nil
}

// collector collects the signatures of one input.
type collector struct {
	*verifier

	input int
	found map[int][]byte // by the position of the key
}

// name returns the name of a field of the input.
func (c *collector) name(field string) string { return fmt.Sprintf("inputs[%d].%s", c.input, field) }

func (c *collector) collect(posted Posted) error {
	in := posted.tx.TxIn[c.input]
	if posted.packet == nil {
		return c.final(in.SignatureScript, in.Witness, "scriptsig", "witness")
	}
	m := posted.packet.inputs[c.input]
	if err := c.contradiction(m, in.PreviousOutPoint.Hash); err != nil {
		return err
	}
	for _, f := range m {
		if err := c.field(f); err != nil {
			return err
		}
	}
	var witness wire.TxWitness
	if value := m.get(inFinalScriptWitness); value != nil {
		var err error
		if witness, err = readWitness(value); err != nil {
			return malformed("%s cannot be: %v", c.name("final_scriptwitness"), err)
		}
	}
	return c.final(m.get(inFinalScriptSig), witness, "final_scriptsig", "final_scriptwitness")
}

// contradiction returns an error if a PSBT contradicts our own data about the spent
// UTXO, because the signer may then have seen a wrong amount.
func (c *collector) contradiction(m fieldMap, previous chainhash.Hash) error {
	if value := m.get(inWitnessUTXO); value != nil {
		out, err := readTxOut(value)
		switch {
		case err != nil:
			return malformed("%s cannot be: %v", c.name("witness_utxo"), err)
		case out.Value != int64(c.in.Amount):
			return differs("%s", c.name("witness_utxo.amount"))
		case !bytes.Equal(out.PkScript, c.in.Solution.Script):
			return differs("%s", c.name("witness_utxo.script"))
		}
	}
	if value := m.get(inNonWitnessUTXO); value != nil {
		// The txid commits to the amounts and scripts of all outputs.
		if tx, err := scanTx(value, true); err != nil || tx.hash() != previous {
			return differs("%s", c.name("non_witness_utxo"))
		}
	}
	if value := m.get(inRedeemScript); value != nil && !bytes.Equal(value, c.in.Solution.RedeemScript) {
		return differs("%s", c.name("redeem_script"))
	}
	if value := m.get(inWitnessScript); value != nil && !bytes.Equal(value, c.in.Solution.WitnessScript) {
		return differs("%s", c.name("witness_script"))
	}
	if !isWholeSighash(m.get(inSighashType)) {
		return ErrDiffers.WithField(c.name("sighash_type"), "must be SIGHASH_ALL; only signatures of the whole transaction are accepted")
	}
	return nil
}

// field takes the signature from a field, if it contains one.
func (c *collector) field(f field) error {
	switch f.key[0] {
	case inPartialSig:
		key := c.in.keyByPubKey(f.key[1:])
		if key < 0 || c.in.Kind == btc.TR {
			return c.foreign("partial_sig")
		}
		return c.add(key, f.value, "partial_sig")
	case inTapKeySig:
		if c.in.Kind != btc.TR {
			return c.foreign("tap_key_sig")
		}
		return c.add(0, f.value, "tap_key_sig")
	case inTapScriptSig:
		return c.foreign("tap_script_sig")
	}
	return nil
}

func (c *collector) foreign(name string) error {
	return ErrForeignSignature.WithField(c.name(name), "is a signature by a key that does not belong to this input")
}

// bad returns the error for an invalid signature. It cannot name the reason,
// because verification only succeeds or fails.
func (c *collector) bad(name string) error {
	return ErrBadSignature.WithField(c.name(name), "is not a valid signature of the whole transaction (SIGHASH_ALL) by this key")
}

// add verifies a signature and stores it, unless the key already has one.
func (c *collector) add(key int, signature []byte, name string) error {
	if !c.verify(key, signature) {
		return c.bad(name)
	}
	if c.found[key] == nil {
		c.found[key] = signature
	}
	return nil
}

// final takes the signatures from a finalized input. Its content must be exactly
// what Finalize would create from these signatures.
func (c *collector) final(scriptSig []byte, witness wire.TxWitness, scriptSigName, witnessName string) error {
	if len(scriptSig) == 0 && len(witness) == 0 {
		return nil
	}
	name, items := witnessName, [][]byte(witness)
	if !c.in.isSegwit() {
		name, items = scriptSigName, pushes(scriptSig)
	}
	signatures, ok := c.signaturesIn(items)
	if !ok {
		return ErrBadSignature.WithField(c.name(name), "does not match this wallet's script")
	}
	taken := make(map[int][]byte)
	if c.in.Kind.IsMultisig() {
		taken = c.assign(signatures)
	} else if c.verify(0, signatures[0]) {
		taken[0] = signatures[0]
	}
	if len(taken) != len(signatures) {
		return c.bad(name)
	}
	wantScriptSig, wantWitness := c.in.finish(taken)
	switch {
	case !bytes.Equal(scriptSig, wantScriptSig):
		return ErrBadSignature.WithField(c.name(scriptSigName), "contains other data than signatures and this wallet's script")
	case !equalWitness(witness, wantWitness):
		return ErrBadSignature.WithField(c.name(witnessName), "contains other data than signatures and this wallet's script")
	}
	for key, signature := range taken {
		if c.found[key] == nil {
			c.found[key] = signature
		}
	}
	return nil
}

// signaturesIn returns the items of a finalized input at the positions of
// signatures, and whether the number of items is right.
func (c *collector) signaturesIn(items [][]byte) ([][]byte, bool) {
	switch {
	case c.in.Kind.IsMultisig(): // empty item, signatures, script
		if len(items) != 1+c.in.SignaturesRequired+1 {
			return nil, false
		}
		return items[1 : 1+c.in.SignaturesRequired], true
	case c.in.Kind == btc.TR: // signature
		return items, len(items) == 1
	default: // signature, key
		if len(items) != 2 {
			return nil, false
		}
		return items[:1], true
	}
}

// assign returns the valid signatures by the position of their key. Each key is
// tried only once, because OP_CHECKMULTISIG requires the signatures in the order of
// the keys.
func (c *collector) assign(signatures [][]byte) map[int][]byte {
	assigned := make(map[int][]byte)
	for _, key := range c.in.scriptOrder() {
		if len(signatures) > 0 && c.verify(key, signatures[0]) {
			assigned[key] = signatures[0]
			signatures = signatures[1:]
		}
	}
	return assigned
}

// pushes returns the items that a script pushes; nil for a script with other
// operations.
func pushes(script []byte) [][]byte {
	var items [][]byte
	t := txscript.MakeScriptTokenizer(0, script)
	for t.Next() {
		if t.Opcode() > txscript.OP_PUSHDATA4 {
			return nil
		}
		items = append(items, t.Data())
	}
	if t.Err() != nil {
		return nil
	}
	return items
}

func equalWitness(a, b wire.TxWitness) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
