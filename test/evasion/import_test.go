package evasion

import (
	"bytes"
	"encoding/hex"
	"strings"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

var importControl = attempt{"signatures of the proposed transaction", map[string]string{"wallet": budget}, func(w *world) {
	id := w.signer.propose(pay(50_000)).id()
	w.signer.upload(id, w.signed(w.stored(id))).has("complete")
	w.signer.on(id, "broadcast").has("broadcast")
}}

// tampered attempts to upload signatures for a transaction that differs from the proposed one.
func tampered(name string, change func(w *world, tx *wire.MsgTx)) attempt {
	return attempt{name, map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.propose(pay(50_000)).id()
		tx := testkit.Must(psbt.Parse(w.stored(id))).Tx()
		change(w, tx)
		var raw bytes.Buffer
		testkit.Check(w.t, tx.Serialize(&raw))
		signed := cli[struct{ Hex string }](w.t, w.node, w.vault.signer, "signrawtransactionwithwallet", hex.EncodeToString(raw.Bytes()), w.spent(tx))
		w.signer.do("POST", proposals+"/"+id+"/signatures", fields{"psbt": signed.Hex}).refused(notOurs...)
		packet := cli[string](w.t, w.node, "", "converttopsbt", hex.EncodeToString(raw.Bytes()))
		full := cli[struct{ PSBT string }](w.t, w.node, w.vault.signer, "walletprocesspsbt", packet)
		w.signer.do("POST", proposals+"/"+id+"/signatures", fields{"psbt": full.PSBT}).refused(notOurs...)
		w.signer.on(id, "broadcast").refused("invalid_status")
	}}
}

var notOurs = []string{"psbt_differs"}

// spent returns the outputs that a transaction spends, for the node.
func (w *world) spent(tx *wire.MsgTx) []any {
	var all []any
	for _, in := range tx.TxIn {
		out := w.coins[in.PreviousOutPoint]
		all = append(all, fields{
			"txid": in.PreviousOutPoint.Hash.String(), "vout": in.PreviousOutPoint.Index, "amount": btc.JSONBTC(out.amount),
			"scriptPubKey": hex.EncodeToString(testkit.Must(btc.ScriptOf(out.address, btc.Regtest))),
		})
	}
	return all
}

// sighash attempts to upload signatures that do not cover all outputs or inputs.
func sighash(kind string) attempt {
	return attempt{"signatures of the kind " + kind, map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.propose(pay(50_000)).id()
		packet := w.signer.on(id, "").text("psbt")
		const bip32Derivs, finalize = true, false
		signed := cli[struct{ PSBT string }](w.t, w.node, w.vault.signer, "walletprocesspsbt", packet, true, kind, bip32Derivs, finalize)
		r := w.signer.do("POST", proposals+"/"+id+"/signatures", fields{"psbt": signed.PSBT})
		if r.status < 300 && r.text("status") != "created" {
			w.t.Errorf("the signature is accepted: %s", r.short())
		}
		w.signer.on(id, "broadcast").refused("invalid_status")
	}}
}

var importAttempts = []attempt{
	tampered("an output with another recipient", func(w *world, tx *wire.MsgTx) {
		tx.TxOut[w.paidOutput(tx)].PkScript = testkit.Must(btc.ScriptOf(foreign(9), btc.Regtest))
	}),
	tampered("an output with a larger amount", func(w *world, tx *wire.MsgTx) {
		i := w.paidOutput(tx)
		tx.TxOut[i].Value += 1_000
		tx.TxOut[1-i].Value -= 1_000
	}),
	tampered("the change to another address", func(w *world, tx *wire.MsgTx) {
		tx.TxOut[1-w.paidOutput(tx)].PkScript = testkit.Must(btc.ScriptOf(foreign(9), btc.Regtest))
	}),
	tampered("a transaction without change, which becomes the fee", func(w *world, tx *wire.MsgTx) { tx.TxOut = tx.TxOut[w.paidOutput(tx) : w.paidOutput(tx)+1] }),
	tampered("an additional output", func(w *world, tx *wire.MsgTx) {
		tx.TxOut[1-w.paidOutput(tx)].Value -= 1_000
		tx.AddTxOut(wire.NewTxOut(1_000, testkit.Must(btc.ScriptOf(foreign(9), btc.Regtest))))
	}),
	tampered("another lock time", func(_ *world, tx *wire.MsgTx) { tx.LockTime = 5 }),
	tampered("another sequence number", func(_ *world, tx *wire.MsgTx) { tx.TxIn[0].Sequence = 7 }),
	sighash("NONE"), sighash("SINGLE"), sighash("ALL|ANYONECANPAY"), sighash("NONE|ANYONECANPAY"),
	{"signatures of another proposal", map[string]string{"wallet": budget}, func(w *world) {
		one, two := w.signer.propose(pay(50_000)).id(), w.signer.propose(pay(60_000)).id()
		w.signer.upload(one, w.signed(w.stored(two))).refused(notOurs...)
		w.signer.on(one, "broadcast").refused("invalid_status")
	}},
	{"a PSBT in the request for a proposal", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.propose(pay(50_000)).id()
		w.signer.propose(fields{"psbt": w.signer.on(id, "").text("psbt")}).refused("invalid_json")
		w.signer.propose(pay(10_000).with(fields{"psbt": w.signer.on(id, "").text("psbt")})).refused("invalid_json")
	}},
	{"routes that import proposals", map[string]string{"wallet": budget}, func(w *world) {
		for _, path := range []string{"/import", "/upload", "/combine", "/finalize"} {
			w.signer.do("POST", proposals+path, fields{"psbt": "cHNidP8="}).refused("not_found", "method_not_allowed", "proposal_not_found", "route_not_found")
		}
	}},
	{"a signed transaction that was created elsewhere is reported", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.propose(pay(50_000)).id()
		tx := testkit.Must(psbt.Parse(w.stored(id))).Tx()
		tx.TxOut[w.paidOutput(tx)].PkScript = testkit.Must(btc.ScriptOf(foreign(9), btc.Regtest))
		var rawTx bytes.Buffer
		testkit.Check(w.t, tx.Serialize(&rawTx))
		signed := cli[struct{ Hex string }](w.t, w.node, w.vault.signer, "signrawtransactionwithwallet", hex.EncodeToString(rawTx.Bytes()), w.spent(tx))
		w.node.CLI(w.t, "sendrawtransaction", signed.Hex)
		testkit.Eventually(w.t, "the event spend.unproposed", func() bool {
			return strings.Contains(w.owner.do("GET", "{v}/events?kinds=spend.unproposed&limit=1000", nil).body, tx.TxID())
		})
		if !strings.Contains(w.guide(), "cannot prevent that the holders of the keys sign a transaction that was created elsewhere") {
			w.t.Error("docs/policies.md does not state the limit of policies")
		}
		w.laws.reset() // which the holders of the keys need not follow
	}},
}

// paidOutput returns the index of the output that is not change.
func (w *world) paidOutput(tx *wire.MsgTx) int {
	for i, out := range tx.TxOut {
		if btc.AddressOf(out.PkScript, btc.Regtest) == foreign(0) {
			return i
		}
	}
	w.t.Fatal("the transaction does not pay the recipient")
	return 0
}
