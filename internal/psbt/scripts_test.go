package psbt_test

import (
	"bytes"
	"testing"

	btcutilpsbt "github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestWithScripts checks that an output gets the description of the other output with its
// new script, and that everything else is unchanged.
func TestWithScripts(t *testing.T) {
	hash := func(n byte) []byte { return append([]byte{0, 20}, bytes.Repeat([]byte{n}, 20)...) }
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{1}}, nil, nil))
	for i, n := range []byte{1, 2, 3, 4} {
		tx.AddTxOut(wire.NewTxOut(int64(1000+i), hash(n)))
	}
	created := testkit.Must(btcutilpsbt.NewFromUnsignedTx(tx))
	for _, i := range []int{0, 1} { // the node knows the first, and by accident also the placeholder
		created.Outputs[i].RedeemScript = hash(byte(i + 1))
	}
	var raw bytes.Buffer
	testkit.Check(t, created.Serialize(&raw))
	before := testkit.Must(psbt.Parse(raw.Bytes()))
	after := testkit.Must(psbt.Parse(before.WithScripts(map[string][]byte{string(hash(2)): hash(1), string(hash(3)): hash(9)}).Bytes()))
	for i, n := range []byte{1, 1, 9, 4} {
		if out := after.Tx().TxOut[i]; !bytes.Equal(out.PkScript, hash(n)) || out.Value != int64(1000+i) {
			t.Errorf("output %d pays %d to %x", i, out.Value, out.PkScript)
		}
	}
	again := testkit.Must(btcutilpsbt.NewFromRawBytes(bytes.NewReader(after.Bytes()), false))
	for i, want := range [][]byte{hash(1), hash(1), nil, nil} {
		if got := again.Outputs[i].RedeemScript; !bytes.Equal(got, want) {
			t.Errorf("output %d has the script %x, want %x", i, got, want)
		}
	}
	if !bytes.Equal(before.Bytes(), raw.Bytes()) || before.Tx().TxOut[1].PkScript[2] != 2 {
		t.Error("the original has changed")
	}
}
