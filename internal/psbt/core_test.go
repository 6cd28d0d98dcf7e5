package psbt_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestCore creates a PSBT with a node for each wallet type. It must equal the expected
// PSBT and have the size that the node calculated its fee for, and the node must accept
// the signed transaction.
func TestCore(t *testing.T) {
	node := testkit.Bitcoind(t, "-keypool=5")
	var addresses []string
	for _, f := range forms {
		w := newWallet(t, f.name)
		node.CLI(t, "createwallet", regtest.Named{"wallet_name": f.name, "disable_private_keys": true, "blank": true})
		var imports []any
		for i, branch := range w.descriptors {
			imports = append(imports, map[string]any{"desc": branch.String(), "active": true, "internal": i == 1, "timestamp": "now", "range": []int{0, 20}})
		}
		var results []struct{ Success bool }
		unmarshal(t, node.WalletCLI(t, f.name, "importdescriptors", imports), &results)
		if len(results) != 2 || !results[0].Success || !results[1].Success {
			t.Fatalf("%s: %+v", f.name, results)
		}
		address := testkit.Value(w.receive.Address(3))(t)
		addresses = append(addresses, address)
		node.CLI(t, "generatetoaddress", 1, address)
		node.CLI(t, "generatetoaddress", 1, testkit.Value(w.change.Address(4))(t))
	}
	node.Mine(t, 100)
	for i, f := range forms {
		t.Run(f.name, func(t *testing.T) { spendWithCore(t, node, newWallet(t, f.name), addresses[(i+1)%len(addresses)]) })
	}
}

func unmarshal(t *testing.T, raw json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

const feeRate = 100 // sat/vB

// spendWithCore pays 60 BTC, which requires both UTXOs.
func spendWithCore(t *testing.T, node *testkit.Node, w *wallet, address string) {
	var funded struct {
		PSBT      string
		Fee       btc.JSONBTC
		ChangePos int
	}
	unmarshal(t, node.WalletCLI(t, w.name, "walletcreatefundedpsbt", []any{}, []any{map[string]any{address: 60}}, 0, map[string]any{"fee_rate": feeRate}, true), &funded)
	created := testkit.Value(psbt.Parse(testkit.Value(base64.StdEncoding.DecodeString(funded.PSBT))(t)))(t)
	p := w.fromCore(t, node, created, funded.ChangePos)
	if err := psbt.Verify(created, p.inputs, p.own); err != nil {
		t.Fatalf("%v: %s", err, funded.PSBT)
	}
	p.wantNew(created)
	assumed := float64(funded.Fee) / feeRate
	estimate := psbt.VSize(psbt.Placeholder(p.tx, p.inputs))
	t.Logf("%s: Core pays for %.1f vB, the estimate is %d", w.name, assumed, estimate)
	if math.Abs(float64(estimate)/assumed-1) > 0.02 {
		t.Errorf("Core pays for %.1f vB, the estimate is %d", assumed, estimate)
	}

	withKeys := testkit.Value(created.WithXPubs(w.keys))(t)
	var decoded struct {
		Tx          struct{ Txid string }
		GlobalXPubs []any `json:"global_xpubs"`
	}
	unmarshal(t, node.CLI(t, "decodepsbt", base64.StdEncoding.EncodeToString(withKeys.Bytes())), &decoded)
	if decoded.Tx.Txid != created.Txid() || len(decoded.GlobalXPubs) != len(w.keys) {
		t.Errorf("Core decodes %+v", decoded)
	}

	raw := readRaw(t, created.Bytes())
	for i := range p.inputs {
		for _, k := range p.enough() {
			p.addSignature(&raw, i, k, p.sign(p.tx, i, k, 1))
		}
	}
	found, err := p.collect(withKeys, raw.bytes())
	if err != nil {
		t.Fatal(err)
	}
	signed := withKeys.WithSignatures(p.inputs, found)
	final, err := signed.Finalize(p.inputs)
	if err != nil {
		t.Fatal(err)
	}
	var finalized struct {
		Hex      string
		Complete bool
	}
	unmarshal(t, node.CLI(t, "finalizepsbt", base64.StdEncoding.EncodeToString(signed.Bytes())), &finalized)
	if !finalized.Complete || finalized.Hex != hex.EncodeToString(final) {
		t.Errorf("got\n%x, Core has\n%s", final, finalized.Hex)
	}
	vsize := accepted(t, node, w, hex.EncodeToString(final))
	if slack := 2 * len(p.inputs) * w.required; vsize > estimate || estimate-vsize > slack {
		t.Errorf("the transaction has %d vB, the estimate is %d", vsize, estimate)
	}
}

// accepted checks that the node accepts a transaction, and returns the virtual size that
// the node reports.
func accepted(t *testing.T, node *testkit.Node, w *wallet, raw string) int {
	t.Helper()
	if w.name == "wsh-20" {
		// By default, Knots does not relay such long scripts (-maxscriptsize), but
		// accepts them in a block.
		node.CLI(t, "generateblock", testkit.Value(w.receive.Address(0))(t), []string{raw})
	}
	var results []struct {
		Allowed bool
		Reason  string `json:"reject-reason"`
	}
	unmarshal(t, node.CLI(t, "testmempoolaccept", []string{raw}), &results)
	inBlock := w.name == "wsh-20" && results[0].Reason == "txn-already-known"
	if !results[0].Allowed && !inBlock {
		t.Errorf("the node returned %+v", results)
	}
	var decoded struct{ VSize int }
	unmarshal(t, node.CLI(t, "decoderawtransaction", raw), &decoded)
	return decoded.VSize
}

// fromCore returns the payment that the node created, with our own data about its
// inputs and its change.
func (w *wallet) fromCore(t *testing.T, node *testkit.Node, created *psbt.Packet, change int) *payment {
	t.Helper()
	p := &payment{wallet: w, t: t, tx: created.Tx(), own: make([]*btc.Solution, len(created.Tx().TxOut))}
	for _, in := range p.tx.TxIn {
		var text string
		unmarshal(t, node.CLI(t, "getrawtransaction", in.PreviousOutPoint.Hash.String(), false, w.blockOf(t, node, in.PreviousOutPoint)), &text)
		from := wire.NewMsgTx(2)
		if err := from.Deserialize(bytes.NewReader(testkit.Value(hex.DecodeString(text))(t))); err != nil {
			t.Fatal(err)
		}
		out := from.TxOut[in.PreviousOutPoint.Index]
		// The methods of payment expect the UTXO at output 1.
		spent := wire.NewMsgTx(2)
		spent.TxOut = []*wire.TxOut{nil, out}
		p.from = append(p.from, spent)
		p.inputs = append(p.inputs, psbt.Input{
			Outpoint: btc.Outpoint{Txid: in.PreviousOutPoint.Hash.String(), Vout: in.PreviousOutPoint.Index},
			Amount:   btc.Amount(out.Value), Kind: w.kind, SignaturesRequired: w.required, Solution: w.solve(t, out.PkScript),
		})
	}
	if change >= 0 {
		s := w.solve(t, p.tx.TxOut[change].PkScript)
		p.own[change] = &s
	}
	return p
}

func (w *wallet) blockOf(t *testing.T, node *testkit.Node, at wire.OutPoint) string {
	t.Helper()
	var tx struct{ BlockHash string }
	unmarshal(t, node.WalletCLI(t, w.name, "gettransaction", at.Hash.String()), &tx)
	return tx.BlockHash
}

// solve returns the solution of a script, which must be among the first 20 of a
// branch.
func (w *wallet) solve(t *testing.T, script []byte) btc.Solution {
	t.Helper()
	for index := range uint32(20) {
		for _, d := range []*btc.Deriver{w.receive, w.change} {
			if s := testkit.Value(d.Solve(index))(t); bytes.Equal(s.Script, script) {
				return s
			}
		}
	}
	t.Fatalf("script %x does not belong to the wallet %s", script, w.name)
	return btc.Solution{}
}
