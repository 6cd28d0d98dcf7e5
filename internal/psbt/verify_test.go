package psbt_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/base58"
	"github.com/btcsuite/btcd/wire"
	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// manipulations are changes that a lying node makes to a PSBT and that must be detected.
var manipulations = []struct {
	name  string
	forms []string
	edit  func(*payment, *rawPSBT)
	says  string
}{
	{"no previous transaction", ecdsaOnes, func(_ *payment, raw *rawPSBT) { remove(&raw.in[1], 0) }, "inputs[1]: non_witness_utxo is missing"},
	{"another previous transaction", ecdsaOnes, func(p *payment, raw *rawPSBT) { set(&raw.in[1], []byte{0}, serialize(p.from[0])) }, "inputs[1]: non_witness_utxo is not"},
	{"another previous transaction of taproot", taproot, func(p *payment, raw *rawPSBT) { set(&raw.in[1], []byte{0}, serialize(p.from[0])) }, "inputs[1]: non_witness_utxo is not"},
	{"previous amount", ecdsaOnes, func(p *payment, raw *rawPSBT) {
		lie := p.from[0].Copy()
		lie.TxOut[1].Value++
		set(&raw.in[0], []byte{0}, serialize(lie))
	}, "inputs[0]: non_witness_utxo is not"},
	{"no witness_utxo", slices.Concat(segwit0, taproot), func(_ *payment, raw *rawPSBT) { remove(&raw.in[0], 1) }, "inputs[0]: witness_utxo is missing"},
	{"witness_utxo of a legacy input", []string{"pkh", "sh-multi"}, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], []byte{1}, serializeTxOut(p.from[0].TxOut[1]))
	}, "inputs[0]: unexpected witness_utxo"},
	{"witness_utxo amount", slices.Concat(segwit0, taproot), func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], []byte{1}, serializeTxOut(wire.NewTxOut(1, p.inputs[0].Solution.Script)))
	}, "inputs[0]: witness_utxo has a different amount"},
	{"witness_utxo script", slices.Concat(segwit0, taproot), func(_ *payment, raw *rawPSBT) {
		set(&raw.in[0], []byte{1}, serializeTxOut(wire.NewTxOut(100_000, stranger)))
	}, "inputs[0]: witness_utxo has a different script"},
	{"sighash type", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{3}, le32(2)) }, "inputs[0]: sighash_type"},
	{"a signature", everyone, func(p *payment, raw *rawPSBT) { p.addSignature(raw, 0, 0, p.sign(p.tx, 0, 0, 1)) }, "_sig"},
	{"final fields", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{7}, nil) }, "inputs[0]: unexpected field final_scriptsig"},
	{"final witness", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{8}, []byte{0}) }, "final_scriptwitness"},
	{"unknown field of an input", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{0xe0}, nil) }, "type 0xe0"},
	{"unknown field of an output", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.out[1], []byte{0xe0}, nil) }, "outputs[1]: unexpected field"},
	{"unknown global field", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.global, []byte{0xe0}, nil) }, "global field"},
	{"extended key", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.global, append([]byte{1}, make([]byte, 78)...), []byte("evil"))
	}, "xpub"},
	{"hash preimage", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], append([]byte{0x0b}, make([]byte, 32)...), nil) }, "sha256"},

	{"redeem script", []string{"sh-wpkh", "sh-multi", "sh-wsh-multi"}, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{4}, []byte{0x51}) }, "inputs[0]: redeem_script does not match"},
	{"no redeem script", []string{"sh-wpkh", "sh-multi", "sh-wsh-multi"}, func(_ *payment, raw *rawPSBT) { remove(&raw.in[0], 4) }, "inputs[0]: redeem_script is missing"},
	{"unexpected redeem script", []string{"pkh", "wpkh", "wsh-multi", "tr"}, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{4}, []byte{0x51}) }, "inputs[0]: redeem_script does not match"},
	{"witness script", []string{"wsh-multi", "sh-wsh-sortedmulti"}, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{5}, []byte{0x51}) }, "inputs[0]: witness_script does not match"},
	{"no witness script", []string{"wsh-multi", "sh-wsh-sortedmulti"}, func(_ *payment, raw *rawPSBT) { remove(&raw.in[1], 5) }, "inputs[1]: witness_script is missing"},
	{"a key's path", ecdsaOnes, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], append([]byte{6}, p.inputs[0].Solution.Keys[0].PubKey...), append([]byte("evil"), le32(5)...))
	}, "inputs[0]: bip32_derivation does not match"},
	{"taproot key's path", taproot, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], append([]byte{0x16}, p.inputs[0].Solution.Keys[0].PubKey[1:]...), append([]byte("\x00evil"), le32(5)...))
	}, "inputs[0]: tap_bip32_derivation does not match"},
	{"a foreign key", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.in[1], append([]byte{6}, bytes.Repeat([]byte{2}, 33)...), append([]byte("evil"), le32(5)...))
	}, "inputs[1]: bip32_derivation does not match"},
	{"no key", ecdsaOnes, func(_ *payment, raw *rawPSBT) { remove(&raw.in[1], 6) }, "inputs[1]: bip32_derivation is missing"},
	{"no taproot key", taproot, func(_ *payment, raw *rawPSBT) { remove(&raw.in[1], 0x16) }, "inputs[1]: tap_bip32_derivation is missing"},
	{"internal key", taproot, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{0x17}, make([]byte, 32)) }, "inputs[0]: tap_internal_key does not match"},
	{"taproot script tree", taproot, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{0x18}, make([]byte, 32)) }, "tap_merkle_root"},
	{"taproot script tree of change", taproot, func(_ *payment, raw *rawPSBT) { set(&raw.out[1], []byte{6}, []byte{0, 0xc0, 1, 0x51}) }, "tap_tree"},

	{"change's path", ecdsaOnes, func(p *payment, raw *rawPSBT) {
		set(&raw.out[1], append([]byte{2}, p.own[1].Keys[0].PubKey...), append([]byte("evil"), le32(5)...))
	}, "outputs[1]: bip32_derivation does not match"},
	{"no key of change", ecdsaOnes, func(_ *payment, raw *rawPSBT) { remove(&raw.out[1], 2) }, "outputs[1]: bip32_derivation is missing"},
	{"change's script", []string{"wsh-multi", "sh-wsh-multi"}, func(_ *payment, raw *rawPSBT) { set(&raw.out[1], []byte{1}, []byte{0x51}) }, "outputs[1]: witness_script does not match"},
	{"recipient's output marked as change", everyone, func(_ *payment, raw *rawPSBT) {
		raw.out[0] = slices.Clone(raw.out[1])
	}, "outputs[0]: "},
	{"change to a foreign address", everyone, func(p *payment, raw *rawPSBT) {
		raw.editTx(p.t, func(tx *wire.MsgTx) { tx.TxOut[1].PkScript = stranger })
	}, "outputs[1]: its script does not match the descriptor"},
	{"output added", everyone, func(p *payment, raw *rawPSBT) {
		raw.editTx(p.t, func(tx *wire.MsgTx) { tx.AddTxOut(wire.NewTxOut(1, stranger)) })
		raw.out = append(raw.out, nil)
	}, "3 outputs"},
	{"input added", everyone, func(p *payment, raw *rawPSBT) {
		raw.editTx(p.t, func(tx *wire.MsgTx) { tx.AddTxIn(&wire.TxIn{}) })
		raw.in = append(raw.in, nil)
	}, "3 inputs"},
	{"another UTXO", everyone, func(p *payment, raw *rawPSBT) {
		raw.editTx(p.t, func(tx *wire.MsgTx) { tx.TxIn[0].PreviousOutPoint.Index = 0 })
	}, "input 0"},
}

func TestVerify(t *testing.T) {
	for _, f := range forms {
		p := newWallet(t, f.name).pay(t)
		for how, raw := range map[string]rawPSBT{"version 0": p.created(), "version 2": p.created().version2(t)} {
			if err := psbt.Verify(testkit.Value(psbt.Parse(raw.bytes()))(t), p.inputs, p.own); err != nil {
				t.Errorf("%s of %s: %v", how, f.name, err)
			}
		}
	}
	for _, c := range manipulations {
		for _, form := range c.forms {
			t.Run(c.name+"/"+form, func(t *testing.T) {
				p := newWallet(t, form).pay(t)
				raw := p.created()
				c.edit(p, &raw)
				err := psbt.Verify(testkit.Value(psbt.Parse(raw.bytes()))(t), p.inputs, p.own)
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, want %s", err, c.says)
				}
			})
		}
	}
	// The amounts must match the index, even if the node's data is free of
	// contradictions.
	for _, form := range everyone {
		p := newWallet(t, form).pay(t)
		p.inputs[0].Amount++
		if err := psbt.Verify(testkit.Value(psbt.Parse(p.created().bytes()))(t), p.inputs, p.own); err == nil || !strings.Contains(err.Error(), "amount") {
			t.Errorf("%s: amount differs from the index: %v", form, err)
		}
	}
}

// TestWithXPubs compares the result with a PSBT to which the test's own serializer
// added the fields of BIP-174.
func TestWithXPubs(t *testing.T) {
	p := newWallet(t, "wsh-sortedmulti").pay(t)
	deep, err := btc.ParseKey(p.keys[0].XPub, btc.Regtest) // has no origin, so its path is shorter than its depth
	if err != nil {
		t.Fatal(err)
	}
	packet, err := p.stored().WithXPubs(append([]btc.Key{deep}, p.keys...))
	if err != nil {
		t.Fatal(err)
	}
	want := p.created()
	var xpubs []kv
	for _, key := range p.keys {
		path := slices.Concat(le32(1<<31+48), le32(1<<31+1), le32(1<<31))
		xpubs = append(xpubs, kv{append([]byte{1}, base58.Decode(key.XPub)[:78]...), append(testkit.Value(hex.DecodeString(key.Fingerprint))(t), path...)})
	}
	slices.SortFunc(xpubs, func(a, b kv) int { return bytes.Compare(a.key, b.key) })
	want.global = append(want.global, xpubs...)
	if !bytes.Equal(packet.Bytes(), want.bytes()) {
		t.Errorf("got\n%x, want\n%x", packet.Bytes(), want.bytes())
	}
	if again, err := packet.WithXPubs(p.keys); err != nil || !bytes.Equal(again.Bytes(), packet.Bytes()) {
		t.Errorf("adding the keys twice differs from adding them once: %v", err)
	}
	if _, err := packet.WithXPubs([]btc.Key{{XPub: "xpub", Fingerprint: "00000000", Derivation: "m"}}); err == nil {
		t.Error("an invalid key was accepted")
	}
}

// TestView compares the views of inputs and outputs with the original data.
func TestView(t *testing.T) {
	for _, f := range forms {
		p := newWallet(t, f.name).pay(t)
		packet := testkit.Value(psbt.Parse(p.signed(0).bytes()))(t)
		for i, in := range p.inputs {
			v := packet.Input(i)
			checkDerivations(t, v, in.Solution, p.kind)
			if v.PartialSigs != 1 {
				t.Errorf("%s: %d signatures", f.name, v.PartialSigs)
			}
			if isLegacy := p.kind == btc.PKH || p.kind == btc.Sh; (v.WitnessUTXO == nil) != isLegacy || !isLegacy && (v.WitnessUTXO.Value != int64(in.Amount) || !bytes.Equal(v.WitnessUTXO.PkScript, in.Solution.Script)) {
				t.Errorf("%s: %+v", f.name, v.WitnessUTXO)
			}
			if (v.NonWitnessUTXO == nil) != (p.kind == btc.TR) || p.kind != btc.TR && v.NonWitnessUTXO.TxID() != in.Outpoint.Txid {
				t.Errorf("%s: %+v", f.name, v.NonWitnessUTXO)
			}
		}
		if diff := cmp.Diff(psbt.View{}, packet.Output(0)); diff != "" {
			t.Errorf("%s: %s", f.name, diff)
		}
		checkDerivations(t, packet.Output(1), *p.own[1], p.kind)
	}
	d := psbt.Derivation{Path: []uint32{hard + 84, hard + 1, hard, 0, 5}}
	if d.PathText() != "m/84h/1h/0h/0/5" {
		t.Error(d.PathText())
	}
}

func checkDerivations(t *testing.T, v psbt.View, s btc.Solution, kind btc.Script) {
	t.Helper()
	var want []psbt.Derivation
	for _, key := range s.Keys {
		want = append(want, psbt.Derivation{PubKey: key.PubKey, Fingerprint: key.Fingerprint, Path: key.Path})
	}
	got := v.Derivations
	if kind == btc.TR {
		want[0].PubKey = want[0].PubKey[1:]
		if got = v.TapDerivations; !bytes.Equal(v.TapInternalKey, want[0].PubKey) || v.Derivations != nil {
			t.Errorf("got %+v", v)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
