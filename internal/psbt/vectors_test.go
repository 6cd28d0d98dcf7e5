package psbt_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	btcutilpsbt "github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

type vector struct {
	kind, name string
	raw        []byte
}

func readVectors(t testing.TB, file string) []vector {
	t.Helper()
	var vectors []vector
	for line := range strings.Lines(string(testkit.Value(os.ReadFile("testdata/" + file))(t))) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(strings.TrimSpace(line), " ", 3)
		v := vector{kind: parts[0], raw: testkit.Value(hex.DecodeString(parts[1]))(t)}
		if len(parts) > 2 {
			v.name = parts[2]
		}
		vectors = append(vectors, v)
	}
	if len(vectors) == 0 {
		t.Fatalf("no vectors in %s", file)
	}
	return vectors
}

// TestBIP174 covers the vectors of BIP-174 and BIP-371, and compares with btcutil.
func TestBIP174(t *testing.T) {
	for _, v := range readVectors(t, "bip174.txt") {
		p, err := psbt.Parse(v.raw)
		if v.kind == "invalid" {
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Code != "invalid_psbt" || f.Kind != fault.Invalid {
				t.Errorf("%s: accepted: %v", v.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		if !bytes.Equal(p.Bytes(), v.raw) {
			t.Errorf("%s: got\n%x, want\n%x", v.name, p.Bytes(), v.raw)
		}
		compareWithBtcutil(t, p, testkit.Value(btcutilpsbt.NewFromRawBytes(bytes.NewReader(v.raw), false))(t))
	}
}

// compareWithBtcutil compares the results of both parsers.
func compareWithBtcutil(t *testing.T, got *psbt.Packet, want *btcutilpsbt.Packet) {
	t.Helper()
	if !bytes.Equal(serializeStripped(got.Tx()), serializeStripped(want.UnsignedTx)) || got.Txid() != want.UnsignedTx.TxID() {
		t.Errorf("got the transaction %s, want %s", got.Txid(), want.UnsignedTx.TxID())
	}
	for i, in := range want.Inputs {
		v := got.Input(i)
		taproot := len(in.TaprootKeySpendSig) / 64
		if len(v.Derivations) != len(in.Bip32Derivation) || len(v.TapDerivations) != len(in.TaprootBip32Derivation) || v.PartialSigs != len(in.PartialSigs)+taproot {
			t.Errorf("input %d: got %+v, want %+v", i, v, in)
			continue
		}
		for _, d := range in.Bip32Derivation {
			if !hasDerivation(v.Derivations, d) {
				t.Errorf("input %d: got %+v, want %+v", i, v.Derivations, d)
			}
		}
		if (v.WitnessUTXO == nil) != (in.WitnessUtxo == nil) || v.WitnessUTXO != nil && !bytes.Equal(serializeTxOut(v.WitnessUTXO), serializeTxOut(in.WitnessUtxo)) {
			t.Errorf("input %d: got %+v, want %+v", i, v.WitnessUTXO, in.WitnessUtxo)
		}
		if (v.NonWitnessUTXO == nil) != (in.NonWitnessUtxo == nil) || v.NonWitnessUTXO != nil && !bytes.Equal(serialize(v.NonWitnessUTXO), serialize(in.NonWitnessUtxo)) {
			t.Errorf("input %d: got %+v, want %+v", i, v.NonWitnessUTXO, in.NonWitnessUtxo)
		}
		if !bytes.Equal(v.TapInternalKey, in.TaprootInternalKey) {
			t.Errorf("input %d: got %x, want %x", i, v.TapInternalKey, in.TaprootInternalKey)
		}
	}
	for i, out := range want.Outputs {
		v := got.Output(i)
		if len(v.Derivations) != len(out.Bip32Derivation) || len(v.TapDerivations) != len(out.TaprootBip32Derivation) || !bytes.Equal(v.TapInternalKey, out.TaprootInternalKey) {
			t.Errorf("output %d: got %+v, want %+v", i, v, out)
		}
	}
}

func serializeStripped(tx *wire.MsgTx) []byte {
	var b bytes.Buffer
	_ = tx.SerializeNoWitness(&b)
	return b.Bytes()
}

func hasDerivation(all []psbt.Derivation, want *btcutilpsbt.Bip32Derivation) bool {
	for _, d := range all {
		path := []byte{}
		for _, step := range d.Path {
			path = append(path, le32(step)...)
		}
		wantPath := []byte{}
		for _, step := range want.Bip32Path {
			wantPath = append(wantPath, le32(step)...)
		}
		if bytes.Equal(d.PubKey, want.PubKey) && bytes.Equal(d.Fingerprint[:], le32(want.MasterKeyFingerprint)) && bytes.Equal(path, wantPath) {
			return true
		}
	}
	return false
}

// TestBIP370 covers the vectors of BIP-370, which are converted to version 0.
func TestBIP370(t *testing.T) {
	for _, v := range readVectors(t, "bip370.txt") {
		p, err := psbt.Parse(v.raw)
		lockTime, valid := strings.CutPrefix(v.kind, "valid:")
		switch {
		case !valid && !errors.Is(err, psbt.ErrMalformed):
			t.Errorf("%s: accepted: %v", v.name, err)
		case valid && err != nil:
			t.Errorf("%s: %v", v.name, err)
		case valid:
			if got := strconv.FormatUint(uint64(p.Tx().LockTime), 10); got != lockTime {
				t.Errorf("%s: got the lock time %s, want %s", v.name, got, lockTime)
			}
			compareWithBtcutil(t, p, testkit.Value(btcutilpsbt.NewFromRawBytes(bytes.NewReader(p.Bytes()), false))(t))
			checkVersion2Tx(t, v, p.Tx())
		}
	}
}

// checkVersion2Tx compares a transaction with the common content of the vectors.
func checkVersion2Tx(t *testing.T, v vector, tx *wire.MsgTx) {
	t.Helper()
	sequence := wire.MaxTxInSequenceNum
	if strings.Contains(v.name, "PSBT_IN_SEQUENCE") || strings.Contains(v.name, "all PSBTv2 fields") {
		sequence--
	}
	outputs, first := 2, int64(800_000_000)
	if strings.HasPrefix(v.name, "Input 1") || strings.HasPrefix(v.name, "Fallback") {
		outputs, first = 1, 1_999_999_823
	}
	if tx.Version != 2 || len(tx.TxIn) != 3-outputs || len(tx.TxOut) != outputs || tx.TxIn[0].Sequence != sequence || tx.TxOut[0].Value != first || len(tx.TxOut[0].PkScript) != 22 {
		t.Errorf("%s: got %+v %+v %+v", v.name, tx, tx.TxIn[0], tx.TxOut[0])
	}
}

// TestBIP174Example follows the example of BIP-174: two inputs, P2SH and
// P2SH-P2WSH, with two keys of two signers each.
func TestBIP174Example(t *testing.T) {
	steps := make(map[string][]byte)
	for _, v := range readVectors(t, "bip174_example.txt") {
		steps[v.kind] = v.raw
	}
	stored := testkit.Value(psbt.Parse(steps["updated"]))(t)
	inputs := describe(t, steps["updated"])
	post := func(stored *psbt.Packet, step string, want int) *psbt.Packet {
		found, err := psbt.Collect(stored, inputs, testkit.Value(psbt.Decode(steps[step]))(t))
		if err != nil || len(found) != want {
			t.Fatalf("%s: %v, %v", step, found, err)
		}
		return stored.WithSignatures(inputs, found)
	}
	for _, way := range [][]string{{"signer1", "signer2"}, {"signer2", "signer1"}} {
		signed := post(post(stored, way[0], 2), way[1], 2)
		if raw, err := signed.Finalize(inputs); err != nil || !bytes.Equal(raw, steps["network"]) {
			t.Errorf("%v: %v, got\n%x, want\n%x", way, err, raw, steps["network"])
		}
		if !sameFields(readRaw(t, signed.Bytes()), readRaw(t, steps["combined"])) {
			t.Errorf("%v: got\n%x, want\n%x", way, signed.Bytes(), steps["combined"])
		}
	}
	for _, step := range []string{"combined", "finalized", "network"} {
		if signed := post(stored, step, 4); !sameFields(readRaw(t, signed.Bytes()), readRaw(t, steps["combined"])) {
			t.Errorf("%s: got\n%x, want\n%x", step, signed.Bytes(), steps["combined"])
		}
	}
}

// describe derives inputs from the content of a multisig PSBT.
func describe(t *testing.T, raw []byte) []psbt.Input {
	t.Helper()
	p := testkit.Value(btcutilpsbt.NewFromRawBytes(bytes.NewReader(raw), false))(t)
	var inputs []psbt.Input
	for i, in := range p.Inputs {
		spent := p.UnsignedTx.TxIn[i].PreviousOutPoint
		d := psbt.Input{Outpoint: btc.Outpoint{Txid: spent.Hash.String(), Vout: spent.Index}, Kind: btc.ShWSh, SignaturesRequired: 2}
		out := in.WitnessUtxo
		if out == nil {
			d.Kind, out = btc.Sh, in.NonWitnessUtxo.TxOut[spent.Index]
		}
		d.Amount = btc.Amount(out.Value)
		d.Solution = btc.Solution{Script: out.PkScript, RedeemScript: in.RedeemScript, WitnessScript: in.WitnessScript}
		for _, key := range in.Bip32Derivation {
			d.Solution.Keys = append(d.Solution.Keys, btc.ChildKey{PubKey: key.PubKey})
		}
		inputs = append(inputs, d)
	}
	return inputs
}
