package psbt_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	btcutilpsbt "github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// orders returns the orders in which signers sign, as indexes of keys.
func (p *payment) orders() [][]int {
	switch p.required {
	case 1:
		return [][]int{{0}}
	case 2:
		return [][]int{{0, 1}, {1, 0}, {0, 2}, {2, 0}, {1, 2}, {2, 1}, {0, 1, 2}, {2, 1, 0}}
	}
	// For large multisig wallets, only one order is tested, because each takes long.
	backwards := make([]int, p.required)
	for i := range backwards {
		backwards[i] = len(p.accounts) - 1 - i
	}
	return [][]int{backwards}
}

// TestSign adds the signatures of one signer after the other, for each wallet type, and
// finalizes the transaction. btcutil's finalizer must return the same result.
func TestSign(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			p := newWallet(t, f.name).pay(t)
			for _, order := range p.orders() {
				stored := p.stored()
				for n, key := range order {
					if stored.Complete(p.inputs) != (n >= p.required) {
						t.Fatalf("order %v: complete after %d", order, n)
					}
					if _, err := stored.Finalize(p.inputs); n < p.required && !errors.Is(err, psbt.ErrIncomplete) {
						t.Fatalf("order %v: with %d signatures: %v", order, n, err)
					}
					found, err := p.collect(stored, p.signed(key).bytes())
					if err != nil {
						t.Fatal(err)
					}
					if len(found) != 2 || found[0].Key != key || found[1].Key != key || found[0].Input != 0 || found[1].Input != 1 {
						t.Fatalf("order %v: got %+v", order, found)
					}
					stored = stored.WithSignatures(p.inputs, found)
					if again, err := p.collect(stored, p.signed(key).bytes()); err != nil || len(again) != 0 {
						t.Fatalf("the same signatures again: %v, %v", again, err)
					}
				}
				if got := stored.Signatures(p.inputs); len(got) != 2*len(order) {
					t.Fatalf("order %v: %d signatures", order, len(got))
				}
				if without := stored.WithoutSignatures(); !stored.HasSignatures() || without.HasSignatures() || !bytes.Equal(without.Bytes(), p.stored().Bytes()) {
					t.Fatalf("order %v: the PSBT without signatures differs from the original", order)
				}
				raw, err := stored.Finalize(p.inputs)
				if err != nil {
					t.Fatalf("order %v: %v", order, err)
				}
				sorted := slices.Sorted(slices.Values(order))
				if want := p.signed(sorted...); !sameFields(readRaw(t, stored.Bytes()), want) {
					t.Fatalf("order %v: the PSBT differs from the signed one", order)
				}
				if len(order) == p.required && len(p.accounts) <= 16 { // btcutil does not support more keys
					if want := finalizeWithBtcutil(t, stored.Bytes()); !bytes.Equal(raw, want) {
						t.Fatalf("order %v: got\n%x, btcutil has\n%x", order, raw, want)
					}
				}
			}
		})
	}
}

func finalizeWithBtcutil(t *testing.T, raw []byte) []byte {
	t.Helper()
	p := testkit.Value(btcutilpsbt.NewFromRawBytes(bytes.NewReader(raw), false))(t)
	if err := btcutilpsbt.MaybeFinalizeAll(p); err != nil {
		t.Fatal(err)
	}
	return serialize(testkit.Value(btcutilpsbt.Extract(p))(t))
}

// sameFields reports whether two PSBTs have the same fields, in any order.
func sameFields(a, b rawPSBT) bool {
	order := func(p rawPSBT) []byte {
		p = p.clone()
		for _, m := range slices.Concat([][]kv{p.global}, p.in, p.out) {
			slices.SortFunc(m, func(a, b kv) int { return bytes.Compare(a.key, b.key) })
		}
		return p.bytes()
	}
	return bytes.Equal(order(a), order(b))
}

// changes modify the transaction of a payment; field is the field that the error
// must name.
var changes = []struct {
	name  string
	edit  func(*rawPSBT, *wire.MsgTx)
	field string
}{
	{"destination swapped", func(_ *rawPSBT, tx *wire.MsgTx) {
		tx.TxOut[0].PkScript = append([]byte{0, 20}, bytes.Repeat([]byte{0x66}, 20)...)
	}, "outputs[0].script"},
	{"change to a foreign address", func(_ *rawPSBT, tx *wire.MsgTx) { tx.TxOut[1].PkScript = stranger }, "outputs[1].script"},
	{"paid more", func(_ *rawPSBT, tx *wire.MsgTx) { tx.TxOut[0].Value++ }, "outputs[0].amount"},
	{"huge fee", func(_ *rawPSBT, tx *wire.MsgTx) { tx.TxOut[1].Value = 1000 }, "outputs[1].amount"},
	{"output added", func(p *rawPSBT, tx *wire.MsgTx) {
		tx.AddTxOut(wire.NewTxOut(1000, stranger))
		p.out = append(p.out, nil)
	}, "outputs"},
	{"output removed", func(p *rawPSBT, tx *wire.MsgTx) { tx.TxOut, p.out = tx.TxOut[:1], p.out[:1] }, "outputs"},
	{"outputs swapped", func(_ *rawPSBT, tx *wire.MsgTx) { slices.Reverse(tx.TxOut) }, "outputs[0].amount"},
	{"input removed", func(p *rawPSBT, tx *wire.MsgTx) { tx.TxIn, p.in = tx.TxIn[:1], p.in[:1] }, "inputs"},
	{"other output of the same transaction", func(_ *rawPSBT, tx *wire.MsgTx) { tx.TxIn[0].PreviousOutPoint.Index = 0 }, "inputs[0].outpoint"},
	{"other previous transaction", func(_ *rawPSBT, tx *wire.MsgTx) { tx.TxIn[1].PreviousOutPoint.Hash[0] ^= 1 }, "inputs[1].outpoint"},
	{"inputs swapped", func(_ *rawPSBT, tx *wire.MsgTx) { slices.Reverse(tx.TxIn) }, "inputs[0].outpoint"},
	{"sequence", func(_ *rawPSBT, tx *wire.MsgTx) { tx.TxIn[1].Sequence = wire.MaxTxInSequenceNum }, "inputs[1].sequence"},
	{"lock time", func(_ *rawPSBT, tx *wire.MsgTx) { tx.LockTime = 0 }, "locktime"},
	{"version", func(_ *rawPSBT, tx *wire.MsgTx) { tx.Version = 3 }, "version"},
}

// TestChangedTransaction posts transactions that differ from the proposed one but
// are signed by the right keys, in every format.
func TestChangedTransaction(t *testing.T) {
	for _, form := range []string{"wpkh", "tr", "pkh", "wsh-sortedmulti"} {
		for _, c := range changes {
			t.Run(form+"/"+c.name, func(t *testing.T) {
				p := newWallet(t, form).pay(t)
				raw := p.created()
				tx := p.tx.Copy()
				c.edit(&raw, tx)
				set(&raw.global, []byte{0}, serialize(tx))
				if len(tx.TxIn) == 2 && c.name != "inputs swapped" {
					for i := range tx.TxIn {
						for _, k := range p.enough() {
							p.addSignature(&raw, i, k, p.signChanged(tx, i, k))
						}
					}
				}
				final := p.final()
				c.edit(&rawPSBT{in: make([][]kv, 2), out: make([][]kv, 2)}, final)
				for how, data := range map[string][]byte{
					"PSBT": raw.bytes(), "PSBT of version 2": raw.version2(t).bytes(), "transaction": serialize(final),
					"base64": []byte(base64.StdEncoding.EncodeToString(raw.bytes())), "hex": []byte(hex.EncodeToString(serialize(final))),
				} {
					_, err := p.collect(p.stored(), data)
					wantRefused(t, how, err, "psbt_differs", c.field)
				}
			})
		}
	}
}

// signChanged signs a changed transaction, but with the original outpoints, which
// sign requires.
func (p *payment) signChanged(tx *wire.MsgTx, input, key int) []byte {
	signed := tx.Copy()
	for i := range signed.TxIn {
		signed.TxIn[i].PreviousOutPoint = p.tx.TxIn[i].PreviousOutPoint
	}
	return p.sign(signed, input, key, txscript.SigHashAll)
}

// wantRefused checks the code of an error, and that it names the field.
func wantRefused(t *testing.T, what string, err error, code, name string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok:
		t.Errorf("%s: got %v, want a fault", what, err)
	case f.Code != code || f.Kind != fault.Invalid && f.Kind != fault.TooLarge:
		t.Errorf("%s: got %s: %v, want %s", what, f.Code, err, code)
	case !strings.Contains(f.Message, name):
		t.Errorf("%s: %q does not name %s", what, f.Message, name)
	case (f.Code == "psbt_differs" || strings.HasSuffix(f.Code, "_signature")) && (len(f.Fields) != 1 || f.Fields[0].Name != name):
		t.Errorf("%s: fields %+v, want %s", what, f.Fields, name)
	}
}

var (
	single    = []string{"pkh", "wpkh", "sh-wpkh"}
	multisig  = []string{"sh-multi", "sh-sortedmulti", "wsh-multi", "wsh-sortedmulti", "sh-wsh-multi", "sh-wsh-sortedmulti"}
	ecdsaOnes = slices.Concat(single, multisig)
	segwit0   = []string{"wpkh", "sh-wpkh", "wsh-multi", "sh-wsh-sortedmulti"}
	taproot   = []string{"tr"}
	everyone  = slices.Concat(ecdsaOnes, taproot)
)

// firstSignature returns a pointer to the first signature of the first input, or
// nil.
func firstSignature(raw *rawPSBT) *[]byte {
	for i, f := range raw.in[0] {
		if f.key[0] == 2 || f.key[0] == 0x13 {
			return &raw.in[0][i].value
		}
	}
	return nil
}

// tampered are PSBTs with the right transaction that must be rejected.
var tampered = []struct {
	name  string
	forms []string
	edit  func(*payment, *rawPSBT)
	code  string
	field string
}{
	{"witness_utxo with a lower amount", segwit0, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], []byte{1}, serializeTxOut(wire.NewTxOut(99_999, p.inputs[0].Solution.Script)))
	}, "psbt_differs", "inputs[0].witness_utxo.amount"},
	{"witness_utxo of taproot with a lower amount", taproot, func(p *payment, raw *rawPSBT) {
		set(&raw.in[1], []byte{1}, serializeTxOut(wire.NewTxOut(1, p.inputs[1].Solution.Script)))
	}, "psbt_differs", "inputs[1].witness_utxo.amount"},
	{"witness_utxo on a legacy input, with another amount", []string{"pkh", "sh-multi"}, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], []byte{1}, serializeTxOut(wire.NewTxOut(99_999, p.inputs[0].Solution.Script)))
	}, "psbt_differs", "inputs[0].witness_utxo.amount"},
	{"witness_utxo with another script", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.in[0], []byte{1}, serializeTxOut(wire.NewTxOut(100_000, stranger)))
	}, "psbt_differs", "inputs[0].witness_utxo.script"},
	{"non_witness_utxo is another transaction", everyone, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], []byte{0}, serialize(p.from[1]))
	}, "psbt_differs", "inputs[0].non_witness_utxo"},
	{"non_witness_utxo with another amount", everyone, func(p *payment, raw *rawPSBT) {
		lie := p.from[0].Copy()
		lie.TxOut[1].Value--
		set(&raw.in[0], []byte{0}, serialize(lie))
	}, "psbt_differs", "inputs[0].non_witness_utxo"},
	{"another redeem_script", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.in[1], []byte{4}, []byte{txscript.OP_TRUE})
	}, "psbt_differs", "inputs[1].redeem_script"},
	{"another witness_script", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.in[1], []byte{5}, []byte{txscript.OP_TRUE})
	}, "psbt_differs", "inputs[1].witness_script"},
	{"sighash_type NONE", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{3}, le32(2)) }, "psbt_differs", "inputs[0].sighash_type"},
	{"sighash_type SINGLE", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{3}, le32(3)) }, "psbt_differs", "inputs[0].sighash_type"},
	{"sighash_type ALL|ANYONECANPAY", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[1], []byte{3}, le32(0x81)) }, "psbt_differs", "inputs[1].sighash_type"},
	{"sighash_type of four bytes", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[1], []byte{3}, le32(0x101)) }, "psbt_differs", "inputs[1].sighash_type"},

	{"signature with NONE", everyone, signsWith(txscript.SigHashNone), "invalid_signature", "inputs[0].*"},
	{"signature with SINGLE", everyone, signsWith(txscript.SigHashSingle), "invalid_signature", "inputs[0].*"},
	{"signature with ALL|ANYONECANPAY", everyone, signsWith(txscript.SigHashAll | txscript.SigHashAnyOneCanPay), "invalid_signature", "inputs[0].*"},
	{"signature with SINGLE|ANYONECANPAY", everyone, signsWith(txscript.SigHashSingle | txscript.SigHashAnyOneCanPay), "invalid_signature", "inputs[0].*"},
	{"signature for ALL with sighash byte NONE", ecdsaOnes, editsSignature(func(_ *payment, s []byte) []byte { s[len(s)-1] = 2; return s }), "invalid_signature", "inputs[0].*"},
	{"signature for NONE with sighash byte ALL", ecdsaOnes, func(p *payment, raw *rawPSBT) {
		s := p.sign(p.tx, 0, 0, txscript.SigHashNone)
		s[len(s)-1] = 1
		*firstSignature(raw) = s
	}, "invalid_signature", "inputs[0].*"},
	{"signature without sighash byte", ecdsaOnes, editsSignature(func(_ *payment, s []byte) []byte { return s[:len(s)-1] }), "invalid_signature", "inputs[0].*"},
	{"signature with high S", ecdsaOnes, editsSignature(func(p *payment, s []byte) []byte { return withHighS(p.t, s) }), "invalid_signature", "inputs[0].*"},
	{"signature with a leading zero in R", ecdsaOnes, editsSignature(func(_ *payment, s []byte) []byte {
		return slices.Concat([]byte{s[0], s[1] + 1, 2, s[3] + 1, 0}, s[4:])
	}), "invalid_signature", "inputs[0].*"},
	{"signature with trailing data after its DER", ecdsaOnes, editsSignature(func(_ *payment, s []byte) []byte {
		return slices.Concat(s[:len(s)-1], []byte{0, 1})
	}), "invalid_signature", "inputs[0].*"},
	{"signature with a two-byte length", ecdsaOnes, editsSignature(func(_ *payment, s []byte) []byte {
		return slices.Concat([]byte{s[0], 0x81, s[1]}, s[2:])
	}), "invalid_signature", "inputs[0].*"},
	{"signature with a flipped bit", everyone, editsSignature(func(_ *payment, s []byte) []byte { s[40] ^= 4; return s }), "invalid_signature", "inputs[0].*"},
	{"signature of invalid bytes", everyone, editsSignature(func(_ *payment, s []byte) []byte { return bytes.Repeat([]byte{1}, len(s)) }), "invalid_signature", "inputs[0].*"},
	{"signature of one byte", ecdsaOnes, editsSignature(func(*payment, []byte) []byte { return []byte{1} }), "invalid_signature", "inputs[0].*"},
	{"empty signature", everyone, editsSignature(func(*payment, []byte) []byte { return []byte{} }), "invalid_psbt", "inputs[0]"},
	{"signature of another input", everyone, func(p *payment, raw *rawPSBT) {
		p.addSignature(raw, 0, 0, p.sign(p.tx, 1, 0, txscript.SigHashAll))
	}, "invalid_signature", "inputs[0].*"},
	{"signature of another transaction", everyone, func(p *payment, raw *rawPSBT) {
		other := p.tx.Copy()
		other.TxOut[0].Value--
		p.addSignature(raw, 0, 0, p.sign(other, 0, 0, txscript.SigHashAll))
	}, "invalid_signature", "inputs[0].*"},
	{"signature under another key of the wallet", multisig, func(p *payment, raw *rawPSBT) {
		p.addSignature(raw, 0, 2, p.sign(p.tx, 0, 0, txscript.SigHashAll))
	}, "invalid_signature", "inputs[0].*"},
	{"signature for another amount", []string{"wpkh", "sh-wpkh", "wsh-sortedmulti", "sh-wsh-multi", "tr"}, func(p *payment, raw *rawPSBT) {
		honest := p.from[0]
		p.from[0] = honest.Copy()
		p.from[0].TxOut[1].Value--
		p.addSignature(raw, 0, 0, p.sign(p.tx, 0, 0, txscript.SigHashAll))
		p.from[0] = honest
	}, "invalid_signature", "inputs[0].*"},
	{"valid signature by a foreign key", everyone, func(p *payment, raw *rawPSBT) {
		foreign := testkit.Value(p.accounts[0].Derive(99))(p.t)
		key := testkit.Value(foreign.ECPrivKey())(p.t)
		s := slices.Concat(testkit.Value(txscript.RawTxInSignature(p.tx, 1, p.inputs[1].Solution.Script, txscript.SigHashAll, key))(p.t))
		set(&raw.in[1], append([]byte{2}, key.PubKey().SerializeCompressed()...), s)
	}, "signature_key_unknown", "inputs[1].partial_sig"},
	{"signature by the key of another UTXO of the wallet", ecdsaOnes, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], append([]byte{2}, p.inputs[1].Solution.Keys[0].PubKey...), p.sign(p.tx, 1, 0, txscript.SigHashAll))
	}, "signature_key_unknown", "inputs[0].partial_sig"},
	{"uncompressed key of the wallet", ecdsaOnes, func(p *payment, raw *rawPSBT) {
		key := p.private(0, 0).PubKey().SerializeUncompressed()
		set(&raw.in[0], append([]byte{2}, key...), p.sign(p.tx, 0, 0, txscript.SigHashAll))
	}, "signature_key_unknown", "inputs[0].partial_sig"},
	{"tap_key_sig for a script other than taproot", ecdsaOnes, func(_ *payment, raw *rawPSBT) {
		set(&raw.in[0], []byte{0x13}, make([]byte, 64))
	}, "signature_key_unknown", "inputs[0].tap_key_sig"},
	{"tap_script_sig", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.in[0], append([]byte{0x14}, make([]byte, 64)...), make([]byte, 64))
	}, "signature_key_unknown", "inputs[0].tap_script_sig"},
	{"partial_sig for taproot", taproot, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], append([]byte{2}, p.inputs[0].Solution.Keys[0].PubKey...), []byte{1})
	}, "signature_key_unknown", "inputs[0].partial_sig"},
	{"taproot signature by the untweaked key", taproot, func(p *payment, raw *rawPSBT) {
		hash := testkit.Value(schnorrHash(p, 0))(p.t)
		*firstSignature(raw) = testkit.Value(schnorr.Sign(p.private(0, 0), hash))(p.t).Serialize()
	}, "invalid_signature", "inputs[0].*"},
	{"taproot signature for DEFAULT with sighash byte ALL", taproot, editsSignature(func(_ *payment, s []byte) []byte { return append(s, 1) }), "invalid_signature", "inputs[0].*"},
	{"taproot signature with sighash byte DEFAULT", taproot, editsSignature(func(_ *payment, s []byte) []byte { return append(s, 0) }), "invalid_signature", "inputs[0].*"},
	{"taproot signature of 63 bytes", taproot, editsSignature(func(_ *payment, s []byte) []byte { return s[:63] }), "invalid_psbt", "inputs[0]"},
	{"valid signatures on one input, invalid ones on the other", everyone, func(p *payment, raw *rawPSBT) {
		p.addSignature(raw, 1, 0, p.sign(p.tx, 0, 0, txscript.SigHashAll))
	}, "invalid_signature", "inputs[1].*"},
	{"duplicate key", everyone, func(_ *payment, raw *rawPSBT) { raw.in[1] = append(raw.in[1], raw.in[1][0]) }, "invalid_psbt", "inputs[1] has a field twice"},
	{"duplicate key of an unknown type", everyone, func(_ *payment, raw *rawPSBT) {
		raw.out[0] = append(raw.out[0], kv{[]byte{0xe0, 1}, nil}, kv{[]byte{0xe0, 1}, []byte{2}})
	}, "invalid_psbt", "outputs[0] has a field twice"},
	{"two transactions", everyone, func(_ *payment, raw *rawPSBT) { raw.global = append(raw.global, raw.global[0]) }, "invalid_psbt", "unsigned_tx"},
	{"an unknown version", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.global, []byte{0xfb}, le32(1)) }, "invalid_psbt", "version"},
	{"fields of version 2 in version 0", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.out[0], []byte{4}, stranger) }, "invalid_psbt", "outputs[0]"},
	{"no signatures", everyone, func(p *payment, raw *rawPSBT) { *raw = p.created() }, "no_signatures", ""},
}

func schnorrHash(p *payment, input int) ([]byte, error) {
	outputs := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range p.tx.TxIn {
		outputs.AddPrevOut(in.PreviousOutPoint, p.from[i].TxOut[1])
	}
	return txscript.CalcTaprootSignatureHash(txscript.NewTxSigHashes(p.tx, outputs), txscript.SigHashDefault, p.tx, input, outputs)
}

func signsWith(hashType txscript.SigHashType) func(*payment, *rawPSBT) {
	return func(p *payment, raw *rawPSBT) { p.addSignature(raw, 0, 0, p.sign(p.tx, 0, 0, hashType)) }
}

func editsSignature(edit func(*payment, []byte) []byte) func(*payment, *rawPSBT) {
	return func(p *payment, raw *rawPSBT) {
		s := firstSignature(raw)
		*s = edit(p, bytes.Clone(*s))
	}
}

func TestTampered(t *testing.T) {
	for _, c := range tampered {
		for _, form := range c.forms {
			t.Run(c.name+"/"+form, func(t *testing.T) {
				p := newWallet(t, form).pay(t)
				raw := p.signed(p.enough()...)
				c.edit(p, &raw)
				field := c.field
				if own, ok := strings.CutSuffix(field, "*"); ok {
					field = own + map[bool]string{true: "tap_key_sig", false: "partial_sig"}[p.kind == btc.TR]
				}
				_, err := p.collect(p.stored(), raw.bytes())
				wantRefused(t, "version 0", err, c.code, field)
				if c.code != "invalid_psbt" {
					_, err = p.collect(p.stored(), raw.version2(t).bytes())
					wantRefused(t, "version 2", err, c.code, field)
				}
			})
		}
	}
}

// finals are changes to a finalized input that must be rejected.
var finals = []struct {
	name  string
	forms []string
	edit  func(p *payment, in *wire.TxIn)
	code  string
	where string // field of a PSBT; for a transaction, without the prefix final_ and with witness instead of scriptwitness
}{
	{"an extra witness item", []string{"wpkh", "sh-wpkh", "wsh-multi", "sh-wsh-multi", "tr"}, func(_ *payment, in *wire.TxIn) {
		in.Witness = append(wire.TxWitness{{7}}, in.Witness...)
	}, "invalid_signature", "final_scriptwitness"},
	{"an annex", taproot, func(_ *payment, in *wire.TxIn) { in.Witness = append(in.Witness, []byte{0x50, 1}) }, "invalid_signature", "final_scriptwitness"},
	{"no key", []string{"wpkh", "sh-wpkh"}, func(_ *payment, in *wire.TxIn) { in.Witness = in.Witness[:1] }, "invalid_signature", "final_scriptwitness"},
	{"a foreign key", []string{"wpkh", "sh-wpkh"}, func(p *payment, in *wire.TxIn) {
		in.Witness[1] = testkit.Value(btcec.NewPrivateKey())(p.t).PubKey().SerializeCompressed()
	}, "invalid_signature", "final_scriptwitness"},
	{"high S", []string{"wpkh", "sh-wpkh"}, func(p *payment, in *wire.TxIn) { in.Witness[0] = withHighS(p.t, in.Witness[0]) }, "invalid_signature", "final_scriptwitness"},
	{"high S in a multisig", []string{"wsh-sortedmulti", "sh-wsh-sortedmulti"}, func(p *payment, in *wire.TxIn) { in.Witness[1] = withHighS(p.t, in.Witness[1]) }, "invalid_signature", "final_scriptwitness"},
	{"a non-empty dummy for OP_CHECKMULTISIG", []string{"wsh-multi", "sh-wsh-multi"}, func(_ *payment, in *wire.TxIn) { in.Witness[0] = []byte{1} }, "invalid_signature", "final_scriptwitness"},
	{"signatures in the wrong order", []string{"wsh-multi", "sh-wsh-sortedmulti"}, func(_ *payment, in *wire.TxIn) {
		in.Witness[1], in.Witness[2] = in.Witness[2], in.Witness[1]
	}, "invalid_signature", "final_scriptwitness"},
	{"the same signature twice", []string{"wsh-multi", "sh-wsh-sortedmulti"}, func(_ *payment, in *wire.TxIn) { in.Witness[2] = in.Witness[1] }, "invalid_signature", "final_scriptwitness"},
	{"one signature of two", []string{"wsh-multi", "sh-wsh-sortedmulti"}, func(_ *payment, in *wire.TxIn) { in.Witness[2] = nil }, "invalid_signature", "final_scriptwitness"},
	{"an extra signature", []string{"wsh-multi", "sh-wsh-sortedmulti"}, func(_ *payment, in *wire.TxIn) {
		in.Witness = slices.Insert(in.Witness, 1, in.Witness[1])
	}, "invalid_signature", "final_scriptwitness"},
	{"another script", []string{"wsh-multi", "sh-wsh-sortedmulti"}, func(_ *payment, in *wire.TxIn) {
		in.Witness[3] = append([]byte{txscript.OP_NOP}, in.Witness[3]...)
	}, "invalid_signature", "final_scriptwitness"},
	{"a scriptSig in a native SegWit input", []string{"wpkh", "wsh-multi", "tr"}, func(_ *payment, in *wire.TxIn) { in.SignatureScript = []byte{txscript.OP_TRUE} }, "invalid_signature", "final_scriptsig"},
	{"an extra push in the scriptSig", []string{"sh-wpkh", "sh-wsh-multi"}, func(_ *payment, in *wire.TxIn) {
		in.SignatureScript = append([]byte{txscript.OP_0}, in.SignatureScript...)
	}, "invalid_signature", "final_scriptsig"},
	{"a longer push in the scriptSig", []string{"sh-wpkh", "sh-wsh-multi"}, func(_ *payment, in *wire.TxIn) {
		in.SignatureScript = append([]byte{txscript.OP_PUSHDATA1}, in.SignatureScript...)
	}, "invalid_signature", "final_scriptsig"},
	{"no scriptSig", []string{"sh-wpkh", "sh-wsh-multi"}, func(_ *payment, in *wire.TxIn) { in.SignatureScript = nil }, "invalid_signature", "final_scriptsig"},
	{"an extra push in a legacy scriptSig", []string{"pkh", "sh-multi"}, func(_ *payment, in *wire.TxIn) {
		in.SignatureScript = append([]byte{txscript.OP_0}, in.SignatureScript...)
	}, "invalid_signature", "final_scriptsig"},
	{"an operation in a legacy scriptSig", []string{"pkh", "sh-multi"}, func(_ *payment, in *wire.TxIn) {
		in.SignatureScript = append([]byte{txscript.OP_NOP}, in.SignatureScript...)
	}, "invalid_signature", "final_scriptsig"},
	{"a longer push in a legacy scriptSig", []string{"pkh"}, func(_ *payment, in *wire.TxIn) {
		in.SignatureScript = append([]byte{txscript.OP_PUSHDATA1}, in.SignatureScript...)
	}, "invalid_signature", "final_scriptsig"},
	{"a truncated scriptSig", []string{"pkh", "sh-multi"}, func(_ *payment, in *wire.TxIn) {
		in.SignatureScript = in.SignatureScript[:len(in.SignatureScript)-1]
	}, "invalid_signature", "final_scriptsig"},
	{"high S in a legacy scriptSig", []string{"pkh"}, func(p *payment, in *wire.TxIn) {
		n := in.SignatureScript[0]
		s := withHighS(p.t, in.SignatureScript[1:1+n])
		in.SignatureScript = slices.Concat([]byte{byte(len(s))}, s, in.SignatureScript[1+n:])
	}, "invalid_signature", "final_scriptsig"},
	{"OP_1 as the dummy for OP_CHECKMULTISIG", []string{"sh-multi"}, func(_ *payment, in *wire.TxIn) { in.SignatureScript[0] = txscript.OP_1 }, "invalid_signature", "final_scriptsig"},
	{"a witness in a legacy input", []string{"pkh", "sh-sortedmulti"}, func(_ *payment, in *wire.TxIn) { in.Witness = wire.TxWitness{{1}} }, "invalid_signature", "final_scriptwitness"},
	{"no signature", []string{"wpkh", "sh-wpkh", "tr"}, func(_ *payment, in *wire.TxIn) { in.Witness[0] = nil }, "invalid_signature", "final_scriptwitness"},
	{"no signatures", []string{"wsh-multi", "sh-wsh-multi"}, func(_ *payment, in *wire.TxIn) { in.Witness[1], in.Witness[2] = nil, nil }, "invalid_signature", "final_scriptwitness"},
	{"no signature in a legacy scriptSig", []string{"pkh"}, func(_ *payment, in *wire.TxIn) {
		in.SignatureScript = append([]byte{txscript.OP_0}, in.SignatureScript[1+in.SignatureScript[0]:]...)
	}, "invalid_signature", "final_scriptsig"},
	{"a valid signature with NONE", []string{"wpkh", "sh-wpkh"}, func(p *payment, in *wire.TxIn) { in.Witness[0] = p.sign(p.tx, 0, 0, txscript.SigHashNone) }, "invalid_signature", "final_scriptwitness"},
}

func TestTampered_Finalized(t *testing.T) {
	for _, c := range finals {
		for _, form := range c.forms {
			t.Run(c.name+"/"+form, func(t *testing.T) {
				p := newWallet(t, form).pay(t)
				tx := p.final()
				c.edit(p, tx.TxIn[0])
				_, err := p.collect(p.stored(), p.finalized(tx).bytes())
				wantRefused(t, "PSBT", err, c.code, "inputs[0]."+c.where)
				_, err = p.collect(p.stored(), serialize(tx))
				wantRefused(t, "transaction", err, c.code, "inputs[0]."+strings.Replace(strings.TrimPrefix(c.where, "final_"), "scriptwitness", "witness", 1))
			})
		}
	}
}

// irrelevantChanges are changes to a signed PSBT that must not affect the result.
var irrelevantChanges = []struct {
	name  string
	forms []string
	edit  func(*payment, *rawPSBT)
}{
	{"nothing", everyone, func(*payment, *rawPSBT) {}},
	{"unknown fields", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.global, []byte{0xe0, 1, 2}, []byte("global"))
		set(&raw.in[0], []byte{0xe1}, []byte("input"))
		set(&raw.out[0], []byte{0xfd, 0xff, 0xff, 9}, []byte("output"))
	}},
	{"proprietary fields", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte("\xfc\x03abc\x00"), []byte("x")) }},
	{"another derivation", ecdsaOnes, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], append([]byte{6}, p.inputs[0].Solution.Keys[0].PubKey...), append([]byte("evil"), le32(5)...))
	}},
	{"another derivation of taproot", taproot, func(p *payment, raw *rawPSBT) {
		set(&raw.in[0], append([]byte{0x16}, p.inputs[0].Solution.Keys[0].PubKey[1:]...), append([]byte("\x00evil"), le32(5)...))
	}},
	{"a foreign derivation of an output", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.out[0], append([]byte{2}, bytes.Repeat([]byte{2}, 33)...), append([]byte("evil"), le32(5)...))
	}},
	{"foreign scripts of an output", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.out[1], []byte{0}, []byte{0x51})
		set(&raw.out[1], []byte{1}, []byte{0x51})
	}},
	{"a foreign extended key", everyone, func(_ *payment, raw *rawPSBT) {
		set(&raw.global, append([]byte{1}, make([]byte, 78)...), []byte("evil"))
	}},
	{"no UTXOs", everyone, func(_ *payment, raw *rawPSBT) {
		for i := range raw.in {
			remove(&raw.in[i], 0)
			remove(&raw.in[i], 1)
			remove(&raw.in[i], 4)
			remove(&raw.in[i], 5)
		}
	}},
	{"only signatures", everyone, func(_ *payment, raw *rawPSBT) {
		for i := range raw.in {
			raw.in[i] = slices.DeleteFunc(raw.in[i], func(f kv) bool { return f.key[0] != 2 && f.key[0] != 0x13 })
		}
		raw.out = make([][]kv, 2)
	}},
	{"fields in another order", everyone, func(_ *payment, raw *rawPSBT) {
		for i := range raw.in {
			slices.Reverse(raw.in[i])
		}
	}},
	{"SIGHASH_ALL requested", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{3}, le32(1)) }},
	{"SIGHASH_DEFAULT requested", taproot, func(_ *payment, raw *rawPSBT) { set(&raw.in[0], []byte{3}, le32(0)) }},
	{"a foreign leaf", taproot, func(_ *payment, raw *rawPSBT) {
		set(&raw.in[0], append([]byte{0x15}, make([]byte, 33)...), []byte{0x51, 0xc0})
		set(&raw.in[0], []byte{0x18}, make([]byte, 32))
	}},
	{"the previous transaction of taproot", taproot, func(p *payment, raw *rawPSBT) { set(&raw.in[0], []byte{0}, serialize(p.from[0])) }},
	{"the previous transaction without its witness", everyone, func(p *payment, raw *rawPSBT) {
		from := p.from[0].Copy()
		from.TxIn[0].Witness = nil
		set(&raw.in[0], []byte{0}, serialize(from))
	}},
	{"an explicit version 0", everyone, func(_ *payment, raw *rawPSBT) { set(&raw.global, []byte{0xfb}, le32(0)) }},
}

func TestCollect_IrrelevantChanges(t *testing.T) {
	testkit.NeedsTime(t)
	for _, c := range irrelevantChanges {
		for _, form := range c.forms {
			t.Run(c.name+"/"+form, func(t *testing.T) {
				p := newWallet(t, form).pay(t)
				want := testkit.Value(p.after(p.stored(), p.signed(p.enough()...).bytes()))(t)
				raw := p.signed(p.enough()...)
				c.edit(p, &raw)
				ways := map[string][]byte{"binary": raw.bytes(), "base64": []byte("\n " + lines(base64.StdEncoding.EncodeToString(raw.bytes())) + "\r\n"), "hex": []byte(hex.EncodeToString(raw.bytes()))}
				if c.name != "an explicit version 0" {
					ways["version 2"] = raw.version2(t).bytes()
				}
				for how, data := range ways {
					t.Run(how, func(t *testing.T) {
						if got, err := p.after(p.stored(), data); err != nil || !bytes.Equal(got, want) {
							t.Errorf("%s: %v\n%x, want\n%x", how, err, got, want)
						}
					})
				}
			})
		}
	}
}

// lines breaks text into lines of at most 76 characters that end with CRLF, as in
// MIME.
func lines(text string) string {
	var b strings.Builder
	for line := range slices.Chunk([]byte(text), 76) {
		b.Write(line)
		b.WriteString("\r\n")
	}
	return b.String()
}

// TestCollect_Finalized posts finalized data, as a PSBT and as a transaction.
func TestCollect_Finalized(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			p := newWallet(t, f.name).pay(t)
			tx := p.final()
			want := testkit.Value(p.after(p.stored(), p.signed(p.enough()...).bytes()))(t)
			final := p.finalized(tx)
			both := p.finalized(tx)
			for i := range both.in {
				both.in[i] = append(both.in[i], p.signed(0).in[i][len(p.created().in[i]):]...)
			}
			for how, data := range map[string][]byte{
				"PSBT": final.bytes(), "PSBT of version 2": final.version2(t).bytes(), "PSBT with partial signatures": both.bytes(),
				"transaction": serialize(tx), "hex": []byte("  " + hex.EncodeToString(serialize(tx)) + "\n"),
			} {
				t.Run(how, func(t *testing.T) {
					if got, err := p.after(p.stored(), data); err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s: %v\n%x, want\n%x", how, err, got, want)
					}
				})
			}
			// Only one of the two inputs is signed.
			half := tx.Copy()
			half.TxIn[1].SignatureScript, half.TxIn[1].Witness = nil, nil
			if found, err := p.collect(p.stored(), serialize(half)); err != nil || len(found) != p.required {
				t.Errorf("one input: %v, %v", found, err)
			}
			_, err := p.collect(p.stored(), serialize(p.tx))
			wantRefused(t, "unsigned transaction", err, "no_signatures", "")
		})
	}
}

// TestTaproot_SighashAll checks that signatures with SIGHASH_ALL, which have 65
// bytes, are accepted, and that another signature by the same key does not replace
// them.
func TestTaproot_SighashAll(t *testing.T) {
	p := newWallet(t, "tr").pay(t)
	raw := p.created()
	outputs := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range p.tx.TxIn {
		outputs.AddPrevOut(in.PreviousOutPoint, p.from[i].TxOut[1])
	}
	hashes := txscript.NewTxSigHashes(p.tx, outputs)
	for i, in := range p.inputs {
		s := testkit.Value(txscript.RawTxInTaprootSignature(p.tx, hashes, i, int64(in.Amount), in.Solution.Script, nil, txscript.SigHashAll, p.private(i, 0)))(t)
		if len(s) != 65 {
			t.Fatalf("%d bytes", len(s))
		}
		p.addSignature(&raw, i, 0, s)
	}
	stored := p.stored()
	found, err := p.collect(stored, raw.bytes())
	if err != nil {
		t.Fatal(err)
	}
	stored = stored.WithSignatures(p.inputs, found)
	if _, err := stored.Finalize(p.inputs); err != nil {
		t.Fatal(err)
	}
	// The existing signature is kept, although the new one is also valid.
	again, err := p.after(stored, p.signed(0).bytes())
	if err != nil || !bytes.Equal(again, stored.Bytes()) {
		t.Fatalf("%v, %x", err, again)
	}
}

// TestDecode_Invalid checks the errors for data that is neither a valid PSBT nor a
// valid transaction.
func TestDecode_Invalid(t *testing.T) {
	p := newWallet(t, "wsh-sortedmulti").pay(t)
	honest := p.signed(0, 1).bytes()
	text := base64.StdEncoding.EncodeToString(honest)
	for name, c := range map[string]struct {
		data []byte
		code string
		says string
	}{
		"nothing":                 {nil, "invalid_psbt", "neither a PSBT"},
		"blank":                   {[]byte(" \n"), "invalid_psbt", "neither a PSBT"},
		"words":                   {[]byte("hello"), "invalid_psbt", "neither a PSBT"},
		"JSON":                    {[]byte(`{"psbt": "` + text + `"}`), "invalid_psbt", "neither a PSBT"},
		"half base64":             {[]byte(text[:len(text)/2-1]), "invalid_psbt", "unexpected end"},
		"base64, a letter less":   {[]byte(strings.TrimRight(text, "=")[:len(strings.TrimRight(text, "="))/4*4-3]), "invalid_psbt", "base64 is incomplete"},
		"hex, a digit less":       {[]byte(hex.EncodeToString(honest)[1:]), "invalid_psbt", "hexadecimal that is incomplete"},
		"hex, a digit less, end":  {[]byte(hex.EncodeToString(honest)[:2*len(honest)-1]), "invalid_psbt", "its hexadecimal is incomplete"},
		"base64 with a wrong bit": {[]byte(text[:len(text)-2] + "B="), "invalid_psbt", ""},
		"hex, odd":                {[]byte(hex.EncodeToString(serialize(p.final()))[1:]), "invalid_psbt", "neither a PSBT"},
		"too large":               {append(slices.Clone(honest), make([]byte, 5<<20)...), "psbt_too_large", "4 MiB"},
		"too large in hex":        {[]byte(hex.EncodeToString(make([]byte, 5<<20))), "psbt_too_large", "4 MiB"},
		"too large when decoded":  {[]byte(hex.EncodeToString(make([]byte, 4<<20+1))), "psbt_too_large", "4 MiB"},
		"too large in base64":     {[]byte(base64.StdEncoding.EncodeToString(append(slices.Clone(honest), make([]byte, 5<<20)...))), "psbt_too_large", "4 MiB"},
		"trailing byte":           {append(slices.Clone(honest), 0), "invalid_psbt", "trailing data"},
		"transaction, trailing":   {append(serialize(p.final()), 0), "invalid_psbt", "neither a PSBT"},
		"other magic":             {append([]byte("psbt\xfe"), honest[5:]...), "invalid_psbt", "neither a PSBT"},
		"only magic":              {honest[:5], "invalid_psbt", "unexpected end"},
		"a claim of much":         {append(slices.Clone(honest[:5]), 0xfe, 0xff, 0xff, 0xff, 0xff), "invalid_psbt", "unexpected end"},
		"a length not short":      {slices.Concat(honest[:5], []byte{0xfd, 1, 0}, honest[6:]), "invalid_psbt", "shortest encoding"},
	} {
		_, err := p.collect(p.stored(), c.data)
		wantRefused(t, name, err, c.code, c.says)
	}
	stored := p.stored()
	for n := range honest { // truncated at every position
		if _, err := p.collect(stored, honest[:n]); !errors.Is(err, psbt.ErrMalformed) {
			t.Fatalf("%d bytes of %d: %v", n, len(honest), err)
		}
	}
	raw := serialize(p.final())
	for n := range raw {
		if _, err := p.collect(stored, raw[:n]); !errors.Is(err, psbt.ErrUnreadable) {
			t.Fatalf("%d bytes of %d of a transaction: %v", n, len(raw), err)
		}
	}
}

// TestDecode_FieldLimit checks the limit on the number of fields, which bounds memory use.
func TestDecode_FieldLimit(t *testing.T) {
	p := newWallet(t, "wpkh").pay(t)
	raw := p.signed(0)
	for i := range 150_000 {
		raw.global = append(raw.global, kv{append([]byte{0xe0}, le32(uint32(i))...), nil})
	}
	_, err := p.collect(p.stored(), raw.bytes())
	wantRefused(t, "150,000 fields", err, "invalid_psbt", "must not have more than 100000 fields")
}

// TestInputs_NotMatchingPSBT checks that inputs that do not match the PSBT are rejected.
func TestInputs_NotMatchingPSBT(t *testing.T) {
	p := newWallet(t, "wsh-multi").pay(t)
	stored := p.stored()
	posted := testkit.Value(psbt.Decode(p.signed(0, 1).bytes()))(t)
	other := newWallet(t, "wsh-sortedmulti").pay(t)
	for name, inputs := range map[string][]psbt.Input{
		"one":          p.inputs[:1],
		"none":         nil,
		"swapped":      {p.inputs[1], p.inputs[0]},
		"other wallet": other.inputs,
		"no keys":      {{Outpoint: p.inputs[0].Outpoint, Kind: btc.WSh, SignaturesRequired: 2}, p.inputs[1]},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := psbt.Collect(stored, inputs, posted)
			if err == nil || fault.KindOf(err) != fault.Internal {
				t.Errorf("%s: collect: %v", name, err)
			}
			if err := psbt.Verify(stored, inputs, p.own); err == nil {
				t.Errorf("%s: accepted by Verify", name)
			}
			if name != "none" && name != "other wallet" {
				if _, err := stored.Finalize(inputs); err == nil {
					t.Errorf("%s: accepted by Finalize", name)
				}
			}
		})
	}
}

// TestFinalize_ExecutesScripts checks that scripts are executed before a transaction is
// returned.
func TestFinalize_ExecutesScripts(t *testing.T) {
	for _, form := range everyone {
		p := newWallet(t, form).pay(t)
		stored := p.stored()
		var wrong []psbt.Signature
		for i := range p.inputs {
			for _, k := range p.enough() {
				wrong = append(wrong, psbt.Signature{Input: i, Key: k, Bytes: p.sign(p.tx, 1-i, k, txscript.SigHashAll)})
			}
		}
		if _, err := stored.WithSignatures(p.inputs, wrong).Finalize(p.inputs); err == nil || !strings.Contains(err.Error(), "input 0") {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// TestTxid checks that all formats of a payment have the same txid.
func TestTxid(t *testing.T) {
	p := newWallet(t, "sh-wpkh").pay(t)
	final := p.final()
	for _, data := range [][]byte{p.created().bytes(), p.signed(0).version2(t).bytes(), serialize(final), p.finalized(final).bytes()} {
		if posted := testkit.Value(psbt.Decode(data))(t); posted.Txid() != p.tx.TxID() {
			t.Errorf("got %s, want %s", posted.Txid(), p.tx.TxID())
		}
	}
	if stored := p.stored(); stored.Txid() != p.tx.TxID() || stored.Tx().TxID() != p.tx.TxID() || final.TxID() == p.tx.TxID() {
		t.Errorf("got %s, want %s", stored.Txid(), p.tx.TxID())
	}
	if got := psbt.UnsignedTxid(serialize(final)); got != p.tx.TxID() {
		t.Errorf("got %s, want %s", got, p.tx.TxID())
	}
	if got := psbt.UnsignedTxid([]byte("no transaction")); got != "" {
		t.Errorf("got %s without a transaction", got)
	}
}

func BenchmarkCollect(b *testing.B) {
	for _, form := range []string{"wpkh", "wsh-sortedmulti", "wsh-20"} {
		p := newWallet(b, form).pay(b)
		stored := p.stored()
		posted := testkit.Value(psbt.Decode(p.signed(p.enough()...).bytes()))(b)
		b.Run(fmt.Sprintf("%s/%d_signatures", form, 2*p.required), func(b *testing.B) {
			for b.Loop() {
				if _, err := psbt.Collect(stored, p.inputs, posted); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
