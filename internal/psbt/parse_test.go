package psbt_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMalformed covers fields that violate the BIPs.
func TestMalformed(t *testing.T) {
	p := newWallet(t, "wsh-multi").pay(t)
	in := func(key string, value ...byte) func(*rawPSBT) {
		return func(raw *rawPSBT) { set(&raw.in[1], []byte(key), value) }
	}
	out := func(key string, value ...byte) func(*rawPSBT) {
		return func(raw *rawPSBT) { set(&raw.out[1], []byte(key), value) }
	}
	global := func(key string, value ...byte) func(*rawPSBT) {
		return func(raw *rawPSBT) { set(&raw.global, []byte(key), value) }
	}
	pubKey, xOnly := string(bytes.Repeat([]byte{2}, 33)), string(make([]byte, 32))
	for _, c := range []struct {
		says string
		edit func(*rawPSBT)
	}{
		{"inputs[1] has an invalid value: non_witness_utxo", in("\x00", 1, 2, 3)},
		{"inputs[1] has an invalid value: witness_utxo it has an invalid amount", in("\x01", 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0)},
		{"inputs[1] has an invalid value: witness_utxo unexpected end of data", in("\x01", 1, 0, 0, 0, 0, 0, 0, 0, 5, 1)},
		{"inputs[1] has an invalid value: witness_utxo unexpected trailing data", in("\x01", 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1)},
		{"inputs[1] has an invalid value: sighash_type", in("\x03", 1)},
		{"inputs[1] has a key of the wrong length: sighash_type", in("\x03\x01", 1, 0, 0, 0)},
		{"inputs[1] has a key of the wrong length: partial_sig", in("\x02"+xOnly, 1)},
		{"inputs[1] has an invalid value: bip32_derivation", in("\x06"+pubKey, 1, 2, 3)},
		{"inputs[1] has an invalid value: final_scriptwitness unexpected end", in("\x08", 2, 0)},
		{"inputs[1] has an invalid value: final_scriptwitness unexpected trailing", in("\x08", 0, 0)},
		{"inputs[1] has an invalid value: final_scriptwitness a length or count", in("\x08", 0xfd, 1, 0, 0)},
		{"inputs[1] has an invalid value: tap_key_sig", in("\x13", make([]byte, 66)...)},
		{"inputs[1] has an invalid value: tap_bip32_derivation unexpected end", in("\x16"+xOnly, 1, 2, 3, 4)},
		{"inputs[1] has an invalid value: tap_bip32_derivation with 5 bytes", in("\x16"+xOnly, 0, 1, 2, 3, 4, 5)},
		{"inputs[1] has a key of the wrong length: tap_leaf_script", in("\x15"+xOnly, 1)},
		{"inputs[1] has an invalid value: tap_leaf_script", in("\x15\x00" + xOnly)},
		{"inputs[1] has a key type that is incomplete", in("\xfd\x00")},
		{"inputs[1] has a key type that is incomplete or not in its shortest", in("\xfd\x01\x00")},
		{"outputs[1] has an invalid value: bip32_derivation", out("\x02"+pubKey, 1, 2, 3, 4, 5)},
		{"outputs[1] has an invalid value: tap_tree", out("\x06")},
		{"outputs[1] has a key of the wrong length: witness_script", out("\x01\x01")},
		{"global has a key of the wrong length: xpub", global("\x01"+xOnly, 1, 2, 3, 4)},
		{"global has an invalid value: version", global("\xfb", 0)},
		{"global has a key of the wrong length: version", global("\xfb\x00", 0, 0, 0, 0)},
		{"it has no unsigned_tx", func(raw *rawPSBT) { remove(&raw.global, 0) }},
		{"its unsigned_tx is invalid", global("\x00", 2, 0, 0, 0)},
		{"global has a field of version 2 in a PSBT of version 0: tx_version", global("\x02", 2, 0, 0, 0)},
		{"inputs[1] has a field of version 2 in a PSBT of version 0: output_index", in("\x0f", 2, 0, 0, 0)},
		{"outputs[1] has a field of version 2 in a PSBT of version 0: amount", out("\x03", 2, 0, 0, 0, 0, 0, 0, 0)},
		{"unsigned_tx has a signature in input 0", func(raw *rawPSBT) { raw.editTx(t, func(tx *wire.MsgTx) { tx.TxIn[0].SignatureScript = []byte{0} }) }},
		{"its unsigned_tx is invalid: read a transaction: it has an invalid amount", func(raw *rawPSBT) { raw.editTx(t, func(tx *wire.MsgTx) { tx.TxOut[0].Value = 21e14 + 1 }) }},
	} {
		raw := p.created()
		c.edit(&raw)
		_, err := psbt.Parse(raw.bytes())
		wantRefused(t, c.says, err, "invalid_psbt", c.says)
	}
	for _, c := range []struct {
		says string
		edit func(*rawPSBT)
	}{
		{"it has no tx_version", func(raw *rawPSBT) { remove(&raw.global, 2) }},
		{"it has no input_count", func(raw *rawPSBT) { remove(&raw.global, 4) }},
		{"it has no output_count", func(raw *rawPSBT) { remove(&raw.global, 5) }},
		{"input_count is not well-formed: unexpected trailing data", global("\x04", 2, 0)},
		{"input_count is not well-formed: a length or count", global("\x04", 0xfd, 2, 0)},
		{"input_count exceeds the remaining data", global("\x04", 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
		{"output_count exceeds the remaining data", global("\x05", 0xfe, 0, 0, 0, 1)},
		{"it has version 2 but contains unsigned_tx", global("\x00", serialize(p.tx)...)},
		{"global has an invalid value: tx_modifiable", global("\x06")},
		{"outputs[1] has an invalid amount", out("\x03", le64(21e14+1)...)},
		{"outputs[1] has no script", func(raw *rawPSBT) { remove(&raw.out[1], 4) }},
		{"inputs[1] has no previous_txid", func(raw *rawPSBT) { remove(&raw.in[1], 0x0e) }},
		{"inputs[1] has an invalid value: previous_txid", in("\x0e", 1)},
		{"inputs[1] has an invalid value: required_height_locktime is", in("\x12", 0, 0, 0, 0)},
		{"inputs[1] has an invalid value: required_height_locktime with", in("\x12", 1, 0, 0)},
	} {
		raw := p.created().version2(t)
		c.edit(&raw)
		_, err := psbt.Parse(raw.bytes())
		wantRefused(t, c.says, err, "invalid_psbt", c.says)
	}
}

// TestLossless checks that unknown fields and long values are preserved.
func TestLossless(t *testing.T) {
	p := newWallet(t, "wsh-multi").pay(t)
	raw := p.created()
	for i, size := range []int{0, 1, 0xfc, 0xfd, 0xffff, 0x10000, 3 << 20} {
		value := bytes.Repeat([]byte{byte(i)}, size)
		raw.in[0] = append(raw.in[0], kv{[]byte{0xf0, byte(i)}, value})
	}
	raw.global = append(raw.global, kv{[]byte{0xfc, 1, 'x', 0}, nil}, kv{[]byte{0xfd, 0xfd, 0, 7}, []byte{1}}, kv{bytes.Repeat([]byte{0xf1}, 300), nil})
	raw.out[0] = append(raw.out[0], kv{[]byte{0xf0}, []byte("x")})
	want := raw.bytes()
	given := slices.Clone(want)
	packet, err := psbt.Parse(given)
	if err != nil {
		t.Fatal(err)
	}
	clear(given)
	if !bytes.Equal(packet.Bytes(), want) {
		t.Error("the serialized PSBT differs from the input")
	}
	packet.Tx().TxOut[0].Value = 1
	if packet.Tx().TxOut[0].Value != 250_000 {
		t.Error("the returned transaction is not a copy")
	}
	// Fields of version 2 that version 0 lacks are dropped.
	if got := testkit.Value(psbt.Parse(raw.version2(t).bytes()))(t); !sameFields(readRaw(t, got.Bytes()), raw) {
		t.Error("version 2 is converted incorrectly")
	}
}
