package psbt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// magic is the prefix of every PSBT.
var magic = []byte("psbt\xff")

// maxFields is the maximum number of fields of a PSBT. It bounds the memory for
// many tiny fields. A PSBT with 1,000 inputs, each signed by twenty keys, has fewer
// than half as many.
const maxFields = 100_000

var errTooMany = fmt.Errorf("it must not have more than %d fields", maxFields)

// Parse parses a PSBT of version 0 or 2, and converts version 2 to version 0. It
// returns ErrMalformed for an invalid PSBT, and ErrTooLarge for one beyond the limits.
//
// It validates the format of all known fields and preserves unknown ones. [Verify]
// and [Collect] check their content.
func Parse(raw []byte) (*Packet, error) {
	if len(raw) > MaxSize {
		return nil, ErrTooLarge
	}
	rest, ok := bytes.CutPrefix(raw, magic)
	if !ok {
		return nil, ErrMalformed.WithMessage("this is not a PSBT: it does not begin with \"psbt\" and 0xff")
	}
	r := &fieldReader{reader: newReader(bytes.Clone(rest))}
	p, err := r.packet()
	if err != nil {
		return nil, malformed("%v", err)
	}
	return p, nil
}

func (r *fieldReader) packet() (*Packet, error) {
	global := r.fieldMap("global", globalShapes)
	if r.Err() != nil {
		return nil, r.Err()
	}
	version := uint32(0)
	if value := global.get(globalVersion); value != nil {
		version = binary.LittleEndian.Uint32(value)
	}
	switch version {
	case 0:
		r.isVersion0 = true
		return r.version0(global)
	case 2:
		return r.version2(global)
	}
	return nil, errors.New("its version is neither 0 nor 2")
}

// fieldReader reads the maps of a PSBT.
type fieldReader struct {
	reader
	isVersion0 bool
	fields     int
	keys       [][]byte // of the current map; reused for the next one
}

// fieldMap reads a map and validates the format of its fields. The name identifies
// the map in errors.
func (r *fieldReader) fieldMap(name string, shapes map[byte]shape) fieldMap {
	m := r.allFields()
	for _, f := range m {
		if err := f.check(shapes); err != nil {
			r.Fail(fmt.Errorf("%s has %w", name, err))
			return m
		}
	}
	if f := r.repeated(m); f != nil {
		r.Fail(fmt.Errorf("%s has a field twice: %s", name, f.name(shapes)))
	}
	if r.isVersion0 && r.Err() == nil {
		if err := m.checkVersion0(shapes); err != nil {
			r.Fail(fmt.Errorf("%s has %w", name, err))
		}
	}
	return m
}

// allFields reads the fields of a map. They are counted before memory is allocated
// for them.
func (r *fieldReader) allFields() fieldMap {
	ahead, n := r.reader, 0
	for len(ahead.bytes()) > 0 {
		ahead.skip()
		if n++; r.fields+n > maxFields {
			r.Fail(errTooMany)
			return nil
		}
	}
	if err := ahead.Err(); err != nil {
		r.Fail(err)
	}
	if r.Err() != nil || n == 0 {
		r.skip() // the separator
		return nil
	}
	r.fields += n
	m := make(fieldMap, n)
	for i := range m {
		m[i] = field{key: r.bytes(), value: r.bytes()}
	}
	r.skip()
	return m
}

// repeated returns a field whose key occurs twice, or nil.
func (r *fieldReader) repeated(m fieldMap) *field {
	r.keys = slices.Grow(r.keys[:0], len(m))
	for _, f := range m {
		r.keys = append(r.keys, f.key)
	}
	slices.SortFunc(r.keys, bytes.Compare)
	for i, key := range r.keys {
		if i > 0 && bytes.Equal(key, r.keys[i-1]) {
			return &field{key: key}
		}
	}
	return nil
}

// name returns the name of a field, or its type in hexadecimal if shapes does not contain it.
func (f field) name(shapes map[byte]shape) string {
	if s, ok := shapes[f.key[0]]; ok {
		return s.name
	}
	return fmt.Sprintf("type 0x%02x", f.key[0])
}

// check returns an error if the format of a field is invalid.
func (f field) check(shapes map[byte]shape) error {
	s, known := shapes[f.key[0]]
	keyType := newReader(f.key)
	keyType.CompactSize()
	switch {
	case keyType.Err() != nil:
		return errors.New("a key type that is incomplete or not in its shortest encoding")
	case !known, s.only2 && len(f.key) > 1: // before BIP-370, such keys were unassigned
		return nil
	case !s.keyData(len(f.key) - 1):
		return fmt.Errorf("a key of the wrong length: %s", s.name)
	}
	if err := s.value(f.value); err != nil {
		return fmt.Errorf("an invalid value: %s %w", s.name, err)
	}
	return nil
}

// checkVersion0 returns an error if a field belongs only to version 2.
func (m fieldMap) checkVersion0(shapes map[byte]shape) error {
	for _, f := range m {
		if s := shapes[f.key[0]]; s.only2 && len(f.key) == 1 {
			return fmt.Errorf("a field of version 2 in a PSBT of version 0: %s", s.name)
		}
	}
	return nil
}

// maps reads the maps of inputs and outputs, which must be the rest of the data.
func (r *fieldReader) maps(p *Packet, inputs, outputs int) error {
	for i := 0; i < inputs && r.Err() == nil; i++ {
		p.inputs = append(p.inputs, r.fieldMap(fmt.Sprintf("inputs[%d]", i), inputShapes))
	}
	for i := 0; i < outputs && r.Err() == nil; i++ {
		p.outputs = append(p.outputs, r.fieldMap(fmt.Sprintf("outputs[%d]", i), outputShapes))
	}
	return r.Done()
}

// version0 reads the rest of a PSBT of version 0.
func (r *fieldReader) version0(global fieldMap) (*Packet, error) {
	if err := global.checkVersion0(globalShapes); err != nil {
		return nil, fmt.Errorf("global has %w", err)
	}
	value := global.get(globalUnsignedTx)
	if value == nil {
		return nil, errors.New("it has no unsigned_tx")
	}
	parts, err := scanTx(value, false)
	if err == nil {
		err = parts.bounded()
	}
	if err != nil {
		return nil, fmt.Errorf("its unsigned_tx is invalid: %w", err)
	}
	tx, err := readTx(value, false)
	if err != nil {
		return nil, fmt.Errorf("its unsigned_tx is invalid: %w", err)
	}
	for i, in := range tx.TxIn {
		if len(in.SignatureScript) > 0 {
			return nil, fmt.Errorf("unsigned_tx has a signature in input %d", i)
		}
	}
	p := &Packet{global: global, tx: tx}
	return p, r.maps(p, len(tx.TxIn), len(tx.TxOut))
}
