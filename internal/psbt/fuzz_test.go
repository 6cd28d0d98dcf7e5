package psbt_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/psbt"
)

// FuzzParse checks that a parsed PSBT is serialized without changes and parsed with
// the same result.
func FuzzParse(f *testing.F) {
	for _, file := range []string{"bip174.txt", "bip370.txt"} {
		for _, v := range readVectors(f, file) {
			f.Add(v.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := psbt.Parse(raw)
		if err != nil {
			wantRefusal(t, err)
			return
		}
		version0 := p.Bytes()
		again, err := psbt.Parse(version0)
		if err != nil || !bytes.Equal(again.Bytes(), version0) || again.Txid() != p.Txid() {
			t.Fatalf("%x is serialized as %x, and parsing that returns %v", raw, version0, err)
		}
		for i, in := range p.Tx().TxIn {
			p.Input(i)
			if len(in.SignatureScript) > 0 || len(in.Witness) > 0 {
				t.Fatalf("%x has a signature in its transaction", raw)
			}
		}
		for i := range p.Tx().TxOut {
			p.Output(i)
		}
		isVersion2 := bytes.Contains(raw, []byte{1, 0xfb, 4, 2, 0, 0, 0})
		if !isVersion2 && !bytes.Equal(version0, raw) {
			t.Fatalf("%x becomes %x", raw, version0)
		}
	})
}

func wantRefusal(t *testing.T, err error) {
	t.Helper()
	if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.TooLarge {
		t.Fatalf("got %v", err)
	}
}

// FuzzCollect posts arbitrary data for payments of four wallet types. If the data
// is accepted, the transaction must equal the proposed one, and must be valid
// according to its scripts once it is complete.
func FuzzCollect(f *testing.F) {
	payments := []*payment{newWallet(f, "wpkh").pay(f), newWallet(f, "wsh-sortedmulti").pay(f), newWallet(f, "tr").pay(f), newWallet(f, "sh-multi").pay(f)}
	for n, p := range payments {
		honest := p.signed(p.enough()...)
		final := p.final()
		for _, data := range [][]byte{honest.bytes(), honest.version2(f).bytes(), serialize(final), p.finalized(final).bytes(), []byte(hex.EncodeToString(serialize(final))), []byte(base64.StdEncoding.EncodeToString(honest.bytes()))} {
			f.Add(byte(n), data)
		}
	}
	f.Fuzz(func(t *testing.T, n byte, data []byte) {
		p := payments[int(n)%len(payments)]
		p.t = t
		stored := p.stored()
		found, err := p.collect(stored, data)
		if err != nil {
			wantRefusal(t, err)
			return
		}
		signed := stored.WithSignatures(p.inputs, found)
		if signed.Txid() != p.tx.TxID() {
			t.Fatalf("the transaction differs: %x", signed.Bytes())
		}
		if !signed.Complete(p.inputs) {
			return
		}
		raw, err := signed.Finalize(p.inputs)
		if err != nil {
			t.Fatal(err)
		}
		tx := wire.NewMsgTx(2)
		if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
			t.Fatal(err)
		}
		if vsize, estimate := psbt.VSize(tx), psbt.VSize(psbt.Placeholder(p.tx, p.inputs)); vsize > estimate {
			t.Fatalf("%d virtual bytes, estimated %d", vsize, estimate)
		}
	})
}
