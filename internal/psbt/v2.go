package psbt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
)

// The minimum sizes of BIP-370 maps: the required fields and a separator.
const (
	minInputMap  = (1 + 1 + 1 + 32) + (1 + 1 + 1 + 4) + 1
	minOutputMap = (1 + 1 + 1 + 8) + (1 + 1 + 1) + 1
)

// version2 reads the rest of a PSBT of version 2 (BIP-370) and converts it to
// version 0. It drops PSBT_GLOBAL_TX_MODIFIABLE: the transaction must not be
// modified.
func (r *fieldReader) version2(global fieldMap) (*Packet, error) {
	version := global.get(globalTxVersion)
	switch {
	case version == nil:
		return nil, errors.New("it has no tx_version")
	case global.has(globalUnsignedTx):
		return nil, errors.New("it has version 2 but contains unsigned_tx, a field of version 0")
	}
	inputs, err := r.countOf(global, globalInputCount, minInputMap, maxInputs)
	if err != nil {
		return nil, err
	}
	outputs, err := r.countOf(global, globalOutputCount, minOutputMap, maxOutputs)
	if err != nil {
		return nil, err
	}
	p := &Packet{tx: &wire.MsgTx{Version: int32(binary.LittleEndian.Uint32(version))}} //nolint:gosec // two's complement is meant
	if err := r.maps(p, inputs, outputs); err != nil {
		return nil, err
	}
	if p.tx.LockTime, err = lockTime(global, p.inputs); err != nil {
		return nil, err
	}
	for i, m := range p.inputs {
		if err := p.addInput(m); err != nil {
			return nil, fmt.Errorf("inputs[%d] %w", i, err)
		}
		p.inputs[i] = m.without(inPreviousTxid, inOutputIndex, inSequence, inRequiredTimeLocktime, inRequiredHeightLocktime)
	}
	for i, m := range p.outputs {
		if err := p.addOutput(m); err != nil {
			return nil, fmt.Errorf("outputs[%d] %w", i, err)
		}
		p.outputs[i] = m.without(outAmount, outScript)
	}
	return p, p.setGlobal(global)
}

// countOf returns the number of inputs or outputs. It returns an error if the
// number exceeds the limit or the remaining data.
func (r *fieldReader) countOf(global fieldMap, fieldType byte, minBytes int, most uint64) (int, error) {
	name := globalShapes[fieldType].name
	value := global.get(fieldType)
	if value == nil {
		return 0, fmt.Errorf("it has no %s", name)
	}
	count := newReader(value)
	n := count.CompactSize()
	if err := count.Done(); err != nil {
		return 0, fmt.Errorf("%s is not well-formed: %w", name, err)
	}
	if n > uint64(len(r.Rest())/minBytes) { //nolint:gosec // not negative
		return 0, fmt.Errorf("%s exceeds the remaining data", name)
	}
	if n > most {
		return 0, fmt.Errorf("%s must not be more than %d", name, most)
	}
	return int(n), nil //nolint:gosec // at most the number of remaining bytes
}

// addInput adds the input described by a map of version 2.
func (p *Packet) addInput(m fieldMap) error {
	txid, index := m.get(inPreviousTxid), m.get(inOutputIndex)
	switch {
	case txid == nil:
		return errors.New("has no previous_txid")
	case index == nil:
		return errors.New("has no output_index")
	}
	in := &wire.TxIn{Sequence: wire.MaxTxInSequenceNum}
	copy(in.PreviousOutPoint.Hash[:], txid)
	in.PreviousOutPoint.Index = binary.LittleEndian.Uint32(index)
	if sequence := m.get(inSequence); sequence != nil {
		in.Sequence = binary.LittleEndian.Uint32(sequence)
	}
	p.tx.TxIn = append(p.tx.TxIn, in)
	return nil
}

// addOutput adds the output described by a map of version 2.
func (p *Packet) addOutput(m fieldMap) error {
	amount, script := m.get(outAmount), m.get(outScript)
	switch {
	case amount == nil:
		return errors.New("has no amount")
	case script == nil:
		return errors.New("has no script")
	}
	sats := binary.LittleEndian.Uint64(amount)
	if sats > uint64(btc.MaxMoney) {
		return errors.New("has an invalid amount")
	}
	p.tx.TxOut = append(p.tx.TxOut, wire.NewTxOut(int64(sats), script))
	return nil
}

// setGlobal sets the global fields of version 0: the transaction, and the fields
// that are not specific to version 2.
func (p *Packet) setGlobal(global fieldMap) error {
	var raw bytes.Buffer
	if err := p.tx.SerializeNoWitness(&raw); err != nil {
		return fmt.Errorf("write the transaction: %w", err)
	}
	rest := global.without(globalTxVersion, globalFallbackLocktime, globalInputCount, globalOutputCount, globalTxModifiable, globalVersion)
	p.global = append(fieldMap{{key: []byte{globalUnsignedTx}, value: raw.Bytes()}}, rest...)
	return nil
}

// lockTime determines the lock time of a transaction as specified by BIP-370: it
// chooses a kind of lock time that all inputs with a requirement support,
// preferring heights, and takes the maximum.
func lockTime(global fieldMap, inputs []fieldMap) (uint32, error) {
	required, height, time := false, locktime{forAll: true}, locktime{forAll: true}
	for _, m := range inputs {
		if m.has(inRequiredHeightLocktime) || m.has(inRequiredTimeLocktime) {
			required = true
			height.require(m.get(inRequiredHeightLocktime))
			time.require(m.get(inRequiredTimeLocktime))
		}
	}
	switch fallback := global.get(globalFallbackLocktime); {
	case required && height.forAll:
		return height.highest, nil
	case required && time.forAll:
		return time.highest, nil
	case required:
		return 0, errors.New("some inputs require a height as lock time, and others a time")
	case fallback != nil:
		return binary.LittleEndian.Uint32(fallback), nil
	}
	return 0, nil
}

// locktime is the requirement of the inputs for one kind of lock time.
type locktime struct {
	forAll  bool // whether all inputs with a requirement support it
	highest uint32
}

func (l *locktime) require(value []byte) {
	if value == nil {
		l.forAll = false
		return
	}
	l.highest = max(l.highest, binary.LittleEndian.Uint32(value))
}
