package psbt

import (
	"bytes"

	"github.com/btcsuite/btcd/wire"
)

// WithScripts returns the PSBT with other scripts of its outputs: scripts has the
// new script by the old one. Such an output gets the description of another output with the new
// script, or none. Signatures are removed, because they are no longer valid.
func (p *Packet) WithScripts(scripts map[string][]byte) *Packet {
	c := p.WithoutSignatures()
	c.tx = p.Tx()
	described := map[string]fieldMap{}
	for i, out := range p.tx.TxOut {
		described[string(out.PkScript)] = p.outputs[i]
	}
	c.outputs = append([]fieldMap(nil), p.outputs...)
	for i, out := range c.tx.TxOut {
		if script, ok := scripts[string(out.PkScript)]; ok {
			out.PkScript = append([]byte(nil), script...)
			c.outputs[i] = described[string(script)]
		}
	}
	c.global = append(fieldMap(nil), p.global...)
	for i, f := range c.global {
		if len(f.key) == 1 && f.key[0] == globalUnsignedTx {
			c.global[i].value = unsigned(c.tx)
		}
	}
	return c
}

// unsigned returns the serialized transaction without witnesses.
func unsigned(tx *wire.MsgTx) []byte {
	var raw bytes.Buffer
	_ = tx.SerializeNoWitness(&raw) // a buffer returns no error
	return raw.Bytes()
}
