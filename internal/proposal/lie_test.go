package proposal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"

	btcutilpsbt "github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// answer is a result of walletcreatefundedpsbt, parsed with btcutil instead of package
// psbt, that a test can falsify.
type answer struct {
	*btcutilpsbt.Packet
	vault     vault
	fee       btc.Amount
	changePos int
	raw       func([]byte) []byte // modifies the serialized PSBT
	usual     *answer             // the true response to the usual request
}

func (a *answer) tx() *wire.MsgTx { return a.UnsignedTx }

// out returns the output to an address; the change output if address is empty.
func (a *answer) out(address string) *wire.TxOut {
	for i, out := range a.tx().TxOut {
		if address == "" && i == a.changePos || address != "" && btc.AddressOf(out.PkScript, btc.Regtest) == address {
			return out
		}
	}
	a.vault.t.Fatalf("no output to %q", address)
	return nil
}

func (a *answer) change() *wire.TxOut { return a.out("") }

// in and output return the PSBT's fields of an input and of the change output.
func (a *answer) in(i int) *btcutilpsbt.PInput { return &a.Inputs[i] }
func (a *answer) output() *btcutilpsbt.POutput { return &a.Outputs[a.changePos] }

// amount returns the amount in satoshis of the output that an input spends.
func (a *answer) amount(i int) int64 {
	if out := a.in(i).WitnessUtxo; out != nil {
		return out.Value
	}
	return a.in(i).NonWitnessUtxo.TxOut[a.tx().TxIn[i].PreviousOutPoint.Index].Value
}

// add adds an output and deducts its amount from the change.
func (a *answer) add(script []byte, amount int64) {
	a.change().Value -= amount
	a.tx().AddTxOut(wire.NewTxOut(amount, script))
	a.Outputs = append(a.Outputs, btcutilpsbt.POutput{})
}

// pay raises the fee that the node reports, to match changed inputs and outputs.
func (a *answer) pay(more btc.Amount) { a.fee += more }

// drop removes an output and adds its amount to the fee.
func (a *answer) drop(out *wire.TxOut) {
	i := slices.Index(a.tx().TxOut, out)
	a.pay(btc.Amount(out.Value))
	a.tx().TxOut = slices.Delete(a.tx().TxOut, i, i+1)
	a.Outputs = slices.Delete(a.Outputs, i, i+1)
	switch {
	case i == a.changePos:
		a.changePos = -1
	case i < a.changePos:
		a.changePos--
	}
}

// own returns the vault's script at a branch and index.
func (a *answer) own(branch, index int) []byte {
	view := a.vault.get0()
	text := []string{view.Receive, view.Change}[branch]
	var list []string
	testkit.Check(a.vault.t, json.Unmarshal(a.vault.node.CLI(a.vault.t, "deriveaddresses", text, []int{index, index}), &list))
	return script(a.vault.t, list[0])
}

func script(t testing.TB, address string) []byte {
	t.Helper()
	raw, err := btc.ScriptOf(address, btc.Regtest)
	testkit.Check(t, err)
	return raw
}

// foreign returns a UTXO outside of all wallets, and the transaction that created it.
func foreign() (*wire.OutPoint, *wire.MsgTx) {
	from := wire.NewMsgTx(2)
	from.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{1}}, nil, nil))
	from.AddTxOut(wire.NewTxOut(5_000_000, append([]byte{0, 20, 9}, make([]byte, 19)...)))
	hash := from.TxHash()
	return wire.NewOutPoint(&hash, 0), from
}

// addInput adds an input to the transaction and its amount to the fee.
func (a *answer) addInput(at *wire.OutPoint, from *wire.MsgTx) {
	in := wire.NewTxIn(at, nil, nil)
	in.Sequence = a.tx().TxIn[0].Sequence
	a.tx().AddTxIn(in)
	a.Inputs = append(a.Inputs, btcutilpsbt.PInput{NonWitnessUtxo: from, WitnessUtxo: from.TxOut[at.Index]})
	a.pay(btc.Amount(from.TxOut[at.Index].Value))
}

const firstAmount, secondAmount = 2_500_000, 600_000

// usual returns a request for a payment with change that spends at least two UTXOs.
func usual() proposal.CreateParams {
	return proposal.CreateParams{FeeRate: 2000, Recipients: []proposal.Recipient{
		{Address: payee, Amount: firstAmount, Label: "never to be seen"}, {Address: otherPayee, Amount: secondAmount},
	}}
}

var (
	segwit = []testkit.Script{testkit.WPKH, testkit.SHWPKH, testkit.WSH, testkit.SHWSH}
	legacy = []testkit.Script{testkit.PKH, testkit.SH}
	ecdsa  = slices.Concat(segwit, legacy)
	all    = append(slices.Clip(ecdsa), testkit.TR)
	hashed = []testkit.Script{testkit.WSH, testkit.SHWSH}
)

// withData and withDuplicates change the usual request: one more recipient is data, and the
// recipients have one address.
func withData(_ vault, o *proposal.CreateParams) {
	o.Recipients = append(o.Recipients, proposal.Recipient{Data: []byte("data")})
}

func withDuplicates(_ vault, o *proposal.CreateParams) {
	o.AllowDuplicates, o.Recipients[1].Address = true, o.Recipients[0].Address
}

// data returns the output with data.
func (a *answer) data() *wire.TxOut { return a.amountOf(0) }

// amountOf returns the output with an amount, which may have the placeholder of an address.
func (a *answer) amountOf(amount int64) *wire.TxOut {
	i := slices.IndexFunc(a.tx().TxOut, func(out *wire.TxOut) bool { return out.Value == amount })
	if i < 0 {
		a.vault.t.Fatalf("no output with %d satoshis", amount)
	}
	return a.tx().TxOut[i]
}

// nodeLie is a falsified response of the node that specterd must reject.
type nodeLie struct {
	name  string
	kinds []testkit.Script
	lie   func(a *answer)
	order func(v vault, o *proposal.CreateParams) // changes the usual request; may be nil
	code  string                                  // expected error code; the code of proposal.ErrNodeAltered if empty
}

var nodeLies = []nodeLie{
	{name: "recipient's address replaced", kinds: all, lie: func(a *answer) { a.out(payee).PkScript = stranger }},
	{name: "recipient's script of another type", kinds: all, lie: func(a *answer) {
		a.out(payee).PkScript = append([]byte{txscript.OP_1}, a.out(payee).PkScript[1:]...)
	}},
	{name: "one satoshi more", kinds: all, lie: func(a *answer) { a.out(payee).Value++; a.change().Value-- }},
	{name: "one satoshi less", kinds: all, lie: func(a *answer) { a.out(payee).Value--; a.change().Value++ }},
	{name: "amounts swapped", kinds: all, lie: func(a *answer) {
		first, second := a.out(payee), a.out(otherPayee)
		first.Value, second.Value = second.Value, first.Value
	}},
	{name: "recipient gets nothing", kinds: all, lie: func(a *answer) { a.change().Value += a.out(otherPayee).Value; a.out(otherPayee).Value = 0 }},
	{name: "negative amount", kinds: all, lie: func(a *answer) { a.out(otherPayee).Value = -1 }},
	{name: "amount above MAX_MONEY", kinds: all, lie: func(a *answer) { a.out(otherPayee).Value = int64(btc.MaxMoney) + 1 }},
	{name: "recipient missing", kinds: all, lie: func(a *answer) { a.change().Value += secondAmount; a.drop(a.out(otherPayee)); a.fee -= secondAmount }},
	{name: "recipient twice", kinds: all, lie: func(a *answer) { a.add(a.out(otherPayee).PkScript, secondAmount) }},
	{name: "recipient in two halves", kinds: all, lie: func(a *answer) {
		a.out(otherPayee).Value /= 2
		a.change().Value += secondAmount / 2
		a.add(a.out(otherPayee).PkScript, secondAmount/2)
	}},
	{name: "additional output to a foreign address", kinds: all, lie: func(a *answer) { a.add(stranger, 1000) }},
	{name: "additional OP_RETURN output", kinds: all, lie: func(a *answer) { a.add([]byte{txscript.OP_RETURN, 1, 7}, 0) }},
	{name: "other data", kinds: all, lie: func(a *answer) { a.data().PkScript[2]++ }, order: withData},
	{name: "data in two pushes", kinds: all, lie: func(a *answer) { a.data().PkScript = []byte{txscript.OP_RETURN, 1, 7, 1, 8} }, order: withData},
	{name: "data that can be spent", kinds: all, lie: func(a *answer) { a.data().PkScript = a.data().PkScript[1:] }, order: withData},
	{name: "data with an amount", kinds: all, lie: func(a *answer) { a.data().Value++; a.change().Value-- }, order: withData},
	{name: "data missing", kinds: all, lie: func(a *answer) { a.drop(a.data()) }, order: withData},
	{name: "data twice", kinds: all, lie: func(a *answer) { a.add(a.data().PkScript, 0) }, order: withData},
	{name: "repeated address replaced", kinds: all, lie: func(a *answer) { a.amountOf(secondAmount).PkScript = stranger }, order: withDuplicates},
	{name: "repeated address with more", kinds: all, lie: func(a *answer) { a.amountOf(secondAmount).Value++; a.change().Value-- }, order: withDuplicates},
	{name: "repeated address missing", kinds: all, lie: func(a *answer) {
		a.change().Value += secondAmount
		a.drop(a.amountOf(secondAmount))
		a.fee -= secondAmount
	}, order: withDuplicates},
	{name: "repeated address once more", kinds: all, lie: func(a *answer) { a.add(a.amountOf(secondAmount).PkScript, 1000) }, order: withDuplicates},
	{name: "change to the placeholder of a repeated address", kinds: all, lie: func(a *answer) { a.change().PkScript = a.amountOf(secondAmount).PkScript }, order: withDuplicates},
	{name: "output that anyone may spend", kinds: all, lie: func(a *answer) { a.add([]byte{txscript.OP_TRUE}, 1000) }},

	{name: "change to a foreign address", kinds: all, lie: func(a *answer) { a.change().PkScript = stranger }},
	{name: "change at another change address of the wallet", kinds: all, lie: func(a *answer) { a.change().PkScript = a.own(1, 5) }},
	{name: "change at a receive address of the wallet", kinds: all, lie: func(a *answer) { a.change().PkScript = a.own(0, 5) }},
	{name: "change at an index beyond the watched range", kinds: all, lie: func(a *answer) { a.change().PkScript = a.own(1, 1_000_000) }},
	{name: "change twice", kinds: all, lie: func(a *answer) { a.add(a.change().PkScript, a.change().Value/2) }},
	{name: "a second output to the wallet", kinds: all, lie: func(a *answer) { a.add(a.own(1, 5), a.change().Value/2) }},
	{name: "change nested", kinds: []testkit.Script{testkit.WPKH, testkit.WSH}, lie: func(a *answer) {
		a.change().PkScript = slices.Concat([]byte{txscript.OP_HASH160, 20}, bytes.Repeat([]byte{7}, 20), []byte{txscript.OP_EQUAL})
	}},
	{name: "higher fee than reported", kinds: all, lie: func(a *answer) { a.change().Value-- }},
	{name: "lower fee than reported", kinds: all, lie: func(a *answer) { a.change().Value++ }},
	{name: "reports a lower fee", kinds: all, lie: func(a *answer) { a.pay(-1) }},
	{name: "reports a negative fee", kinds: all, lie: func(a *answer) { a.fee = -1 }, code: "node_invalid_response"},
	{name: "negative fee", kinds: all, lie: func(a *answer) { a.change().Value += int64(2 * a.fee); a.fee = -a.fee }, code: "node_invalid_response"},

	{name: "additional foreign input", kinds: all, lie: func(a *answer) { a.addInput(foreign()) }},
	{name: "foreign input instead of the wallet's", kinds: all, lie: func(a *answer) {
		at, from := foreign()
		a.addInput(at, from)
		a.Inputs, a.tx().TxIn = a.Inputs[1:], a.tx().TxIn[1:]
	}},
	{name: "input twice", kinds: all, lie: func(a *answer) {
		a.tx().AddTxIn(a.tx().TxIn[0])
		a.Inputs = append(a.Inputs, a.Inputs[0])
	}},
	{name: "input of another output", kinds: ecdsa, lie: func(a *answer) { a.tx().TxIn[0].PreviousOutPoint.Index ^= 1 }},
	{name: "input of a nonexistent output", kinds: ecdsa, lie: func(a *answer) { a.tx().TxIn[0].PreviousOutPoint.Index = 999 }},
	{name: "input of a nonexistent output, taproot", kinds: []testkit.Script{testkit.TR}, lie: func(a *answer) { a.tx().TxIn[0].PreviousOutPoint.Index = 999 }, code: "utxo_unknown"},
	{name: "input of another transaction", kinds: ecdsa, lie: func(a *answer) { a.tx().TxIn[0].PreviousOutPoint.Hash[0] ^= 1 }},
	{name: "input of another transaction, taproot", kinds: []testkit.Script{testkit.TR}, lie: func(a *answer) { a.tx().TxIn[0].PreviousOutPoint.Hash[0] ^= 1 }, code: "utxo_unknown"},
	{name: "PSBT fields of inputs swapped", kinds: all, lie: func(a *answer) { slices.Reverse(a.Inputs) }},
	{name: "input missing", kinds: all, lie: func(a *answer) { a.Inputs, a.tx().TxIn = a.Inputs[:1], a.tx().TxIn[:1] }},
	{name: "another UTXO than requested", kinds: all, lie: func(a *answer) {
		a.tx().TxIn[0].PreviousOutPoint = wire.OutPoint{Hash: chainhash.Hash{3}}
	}, order: func(v vault, o *proposal.CreateParams) { o.UTXOs = v.utxos() }},
	{name: "one UTXO less than requested", kinds: all, lie: func(a *answer) {
		last := len(a.Inputs) - 1
		a.change().Value -= a.amount(last)
		a.Inputs, a.tx().TxIn = a.Inputs[:last], a.tx().TxIn[:last]
	}, order: func(v vault, o *proposal.CreateParams) { o.UTXOs = v.utxos(); o.Recipients = o.Recipients[1:] }},
	{name: "UTXOs that were not requested", kinds: all, lie: func(a *answer) { *a = *a.usual }, order: func(v vault, o *proposal.CreateParams) { o.UTXOs = v.utxos()[2:]; o.Recipients = o.Recipients[1:] }},
	{name: "a UTXO in addition to those requested", kinds: all, lie: func(a *answer) {
		// The fee of the larger transaction: the usual fee, less the part for one more output.
		more := a.usual.fee - btc.FeeRate(2000).Fee(9+len(script(a.vault.t, payee))) - a.fee
		for i, in := range a.usual.tx().TxIn {
			if in.PreviousOutPoint != a.tx().TxIn[0].PreviousOutPoint {
				a.tx().AddTxIn(in)
				a.Inputs = append(a.Inputs, a.usual.Inputs[i])
				a.change().Value += a.usual.amount(i)
			}
		}
		a.overpay(more)
	}, order: func(v vault, o *proposal.CreateParams) { o.UTXOs = v.utxos()[2:]; o.Recipients = o.Recipients[1:] }},
	{name: "response to another request", kinds: all, lie: func(a *answer) { *a = *a.usual }, order: func(_ vault, o *proposal.CreateParams) { o.Recipients[0].Amount -= 10 }},

	{name: "not replaceable", kinds: all, lie: func(a *answer) {
		for _, in := range a.tx().TxIn {
			in.Sequence = wire.MaxTxInSequenceNum - 1
		}
	}},
	{name: "one input that is not replaceable", kinds: all, lie: func(a *answer) { a.tx().TxIn[1].Sequence = wire.MaxTxInSequenceNum }},
	{name: "replaceable although not requested", kinds: all, lie: func(a *answer) { a.tx().TxIn[0].Sequence = wire.MaxTxInSequenceNum - 2 }, order: func(_ vault, o *proposal.CreateParams) { o.NotReplaceable = true }},
	{name: "a relative lock", kinds: all, lie: func(a *answer) { a.tx().TxIn[0].Sequence = 1000 }},
	{name: "no lock time", kinds: all, lie: func(a *answer) { a.tx().LockTime = 0 }},
	{name: "a future lock time", kinds: all, lie: func(a *answer) { a.tx().LockTime += 1000 }},
	{name: "a lock time in seconds", kinds: all, lie: func(a *answer) { a.tx().LockTime = 4_000_000_000 }},
	{name: "version 1", kinds: all, lie: func(a *answer) { a.tx().Version = 1 }},
	{name: "version 3", kinds: all, lie: func(a *answer) { a.tx().Version = 3 }},
	{name: "negative version", kinds: all, lie: func(a *answer) { a.tx().Version = -1 }},

	{name: "previous transaction missing", kinds: ecdsa, lie: func(a *answer) { a.in(0).NonWitnessUtxo = nil }},
	{name: "another previous transaction", kinds: ecdsa, lie: func(a *answer) { _, a.in(0).NonWitnessUtxo = foreign() }},
	{name: "previous transaction with another amount", kinds: ecdsa, lie: func(a *answer) {
		lie := a.in(0).NonWitnessUtxo.Copy()
		lie.TxOut[a.tx().TxIn[0].PreviousOutPoint.Index].Value += 100_000
		a.in(0).NonWitnessUtxo = lie
		if a.in(0).WitnessUtxo != nil {
			a.in(0).WitnessUtxo = lie.TxOut[a.tx().TxIn[0].PreviousOutPoint.Index]
		}
		a.pay(100_000)
	}},
	{name: "witness_utxo one satoshi higher", kinds: append(slices.Clip(segwit), testkit.TR), lie: func(a *answer) { a.in(0).WitnessUtxo.Value++ }},
	{name: "witness_utxo and fee 100 sat lower", kinds: append(slices.Clip(segwit), testkit.TR), lie: func(a *answer) { a.in(0).WitnessUtxo.Value -= 100; a.pay(-100) }},
	{name: "witness_utxo and fee one satoshi higher", kinds: []testkit.Script{testkit.TR}, lie: func(a *answer) { a.in(0).WitnessUtxo.Value++; a.pay(1) }},
	{name: "witness_utxo with a foreign script", kinds: append(slices.Clip(segwit), testkit.TR), lie: func(a *answer) { a.in(0).WitnessUtxo.PkScript = stranger }},
	{name: "witness_utxo missing", kinds: append(slices.Clip(segwit), testkit.TR), lie: func(a *answer) { a.in(0).WitnessUtxo = nil }},
	{name: "unexpected witness_utxo", kinds: legacy, lie: func(a *answer) {
		a.in(0).WitnessUtxo = a.in(0).NonWitnessUtxo.TxOut[a.tx().TxIn[0].PreviousOutPoint.Index]
	}},
	{name: "sighash NONE", kinds: all, lie: func(a *answer) { a.in(0).SighashType = txscript.SigHashNone }},
	{name: "sighash SINGLE", kinds: all, lie: func(a *answer) { a.in(1).SighashType = txscript.SigHashSingle }},
	{name: "sighash ANYONECANPAY", kinds: all, lie: func(a *answer) { a.in(0).SighashType = txscript.SigHashAll | txscript.SigHashAnyOneCanPay }},
	{name: "key with another fingerprint", kinds: ecdsa, lie: func(a *answer) { a.in(0).Bip32Derivation[0].MasterKeyFingerprint ^= 1 }},
	{name: "key with another path", kinds: ecdsa, lie: func(a *answer) { path := a.in(0).Bip32Derivation[0].Bip32Path; path[len(path)-1]++ }},
	{name: "key missing", kinds: ecdsa, lie: func(a *answer) { a.in(0).Bip32Derivation = a.in(0).Bip32Derivation[1:] }},
	{name: "foreign key", kinds: ecdsa, lie: func(a *answer) { a.in(0).Bip32Derivation = append(a.in(0).Bip32Derivation, strangersKey()) }},
	{name: "taproot key with another path", kinds: []testkit.Script{testkit.TR}, lie: func(a *answer) {
		path := a.in(0).TaprootBip32Derivation[0].Bip32Path
		path[len(path)-1]++
	}},
	{name: "another internal key", kinds: []testkit.Script{testkit.TR}, lie: func(a *answer) { a.in(0).TaprootInternalKey = bytes.Repeat([]byte{2}, 32) }},
	{name: "a taproot script tree", kinds: []testkit.Script{testkit.TR}, lie: func(a *answer) { a.in(0).TaprootMerkleRoot = bytes.Repeat([]byte{2}, 32) }},
	{name: "redeem script", kinds: all, lie: func(a *answer) { a.in(0).RedeemScript = []byte{txscript.OP_TRUE} }},
	{name: "witness script", kinds: all, lie: func(a *answer) { a.in(0).WitnessScript = []byte{txscript.OP_TRUE} }},
	{name: "witness script missing", kinds: hashed, lie: func(a *answer) { a.in(0).WitnessScript = nil }},
	{name: "a signature", kinds: ecdsa, lie: func(a *answer) {
		a.in(0).PartialSigs = []*btcutilpsbt.PartialSig{{PubKey: a.in(0).Bip32Derivation[0].PubKey, Signature: slices.Concat([]byte{0x30, 6, 2, 1, 1, 2, 1, 1}, []byte{1})}}
	}},
	{name: "final fields", kinds: all, lie: func(a *answer) { a.in(0).FinalScriptSig = []byte{txscript.OP_TRUE} }},
	{name: "change's key with another path", kinds: ecdsa, lie: func(a *answer) { path := a.output().Bip32Derivation[0].Bip32Path; path[len(path)-2] ^= 1 }},
	{name: "change's key missing", kinds: ecdsa, lie: func(a *answer) { a.output().Bip32Derivation = nil }},
	{name: "change's witness script", kinds: hashed, lie: func(a *answer) { a.output().WitnessScript = []byte{txscript.OP_TRUE} }},
	{name: "change's redeem script", kinds: all, lie: func(a *answer) { a.output().RedeemScript = []byte{txscript.OP_TRUE} }},
	{name: "recipient's output marked as change", kinds: ecdsa, lie: func(a *answer) {
		a.Outputs[slices.Index(a.tx().TxOut, a.out(payee))] = *a.output()
	}},
	{name: "truncated", kinds: all, lie: func(a *answer) { a.raw = func(b []byte) []byte { return b[:len(b)-2] } }},
	{name: "trailing byte", kinds: all, lie: func(a *answer) { a.raw = func(b []byte) []byte { return append(b, 0) } }},
	{name: "not a PSBT", kinds: all, lie: func(a *answer) { a.raw = func([]byte) []byte { return []byte("psbt") } }},
	{name: "an unknown PSBT version", kinds: all, lie: func(a *answer) {
		a.Unknowns = []*btcutilpsbt.Unknown{{Key: []byte{0xfb}, Value: []byte{1, 0, 0, 0}}}
	}},

	{name: "more taken from the recipient than the fee", kinds: all, lie: func(a *answer) { a.out(payee).Value -= 1000; a.change().Value += 1000 }, order: subtract},
	{name: "the fee taken from another recipient", kinds: all, lie: func(a *answer) { a.out(payee).Value += int64(a.fee); a.out(otherPayee).Value -= int64(a.fee) }, order: subtract},
	{name: "one satoshi too much for the recipient who pays the fee", kinds: all, lie: func(a *answer) {
		more := firstAmount + 1 - a.out(payee).Value
		a.out(payee).Value += more
		a.change().Value -= more
	}, order: subtract},
	{name: "less than the whole remainder", kinds: all, lie: func(a *answer) {
		a.out(otherPayee).Value -= 50_000
		a.tx().AddTxOut(wire.NewTxOut(50_000, stranger))
		a.Outputs = append(a.Outputs, btcutilpsbt.POutput{})
	}, order: sendMax},
	{name: "part of the remainder as change", kinds: all, lie: func(a *answer) {
		a.out(otherPayee).Value -= 50_000
		a.changePos = len(a.Outputs)
		a.tx().AddTxOut(wire.NewTxOut(50_000, a.own(1, 0)))
		a.Outputs = append(a.Outputs, *a.usual.output())
	}, order: sendMax},
}

func subtract(_ vault, o *proposal.CreateParams) { o.SubtractFrom = []int{0} }
func sendMax(_ vault, o *proposal.CreateParams)  { o.SendMax, o.Recipients[1].Amount = true, 0 }

var stranger = append([]byte{0, 20, 7}, make([]byte, 19)...)

func unknown() []*btcutilpsbt.Unknown {
	return []*btcutilpsbt.Unknown{{Key: []byte{0xe0}, Value: []byte{1}}}
}

func strangersKey() *btcutilpsbt.Bip32Derivation {
	return &btcutilpsbt.Bip32Derivation{PubKey: append([]byte{2}, bytes.Repeat([]byte{0x79}, 32)...), MasterKeyFingerprint: 1, Bip32Path: []uint32{1}}
}

// utxos returns the vault's UTXOs in ascending order of amount.
func (v vault) utxos() (list []btc.Outpoint) {
	v.t.Helper()
	utxos, err := v.wallets.UTXOs(v.t.Context(), v.access(v.alice, v.alias), btc.Outpoint{}, 10)
	testkit.Check(v.t, err)
	slices.SortFunc(utxos, func(a, b wallet.UTXO) int { return int(a.Amount - b.Amount) })
	for _, c := range utxos {
		list = append(list, c.Outpoint)
	}
	return list
}

// funding is the RPC method whose responses the tests falsify.
const funding = "walletcreatefundedpsbt"

// alterFunding changes the node's responses to funding calls.
func (v vault) alterFunding(relay *testkit.Relay, change func(*answer)) {
	relay.Intercept(v.changed(change))
}

func (v vault) changed(change func(*answer)) func(*testkit.Exchange) {
	return func(x *testkit.Exchange) {
		if !x.Calls(funding) {
			x.Forward()
			return
		}
		_, body := x.Ask()
		var reply struct {
			ID     json.RawMessage `json:"id"`
			Error  json.RawMessage `json:"error"`
			Result struct {
				PSBT           []byte      `json:"psbt"`
				Fee            btc.JSONBTC `json:"fee"`
				ChangePosition int         `json:"changepos"`
			} `json:"result"`
		}
		if err := json.Unmarshal(body, &reply); err != nil || len(reply.Result.PSBT) == 0 {
			v.t.Errorf("the node returned an error: %s", body)
			return
		}
		packet, err := btcutilpsbt.NewFromRawBytes(bytes.NewReader(reply.Result.PSBT), false)
		if err != nil {
			v.t.Error(err)
			return
		}
		a := answer{Packet: packet, vault: v, fee: btc.Amount(reply.Result.Fee), changePos: reply.Result.ChangePosition}
		change(&a)
		var raw bytes.Buffer
		if err := a.Serialize(&raw); err != nil {
			v.t.Error(err)
		}
		reply.Result.PSBT, reply.Result.Fee, reply.Result.ChangePosition = raw.Bytes(), btc.JSONBTC(a.fee), a.changePos
		if a.raw != nil {
			reply.Result.PSBT = a.raw(raw.Bytes())
		}
		body, err = json.Marshal(reply)
		if err != nil {
			v.t.Error(err)
		}
		x.Answer(http.StatusOK, body)
	}
}

// TestLyingNode checks that specterd rejects every falsified response of the node, and
// then stores, reserves and locks nothing.
func TestLyingNode(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	relay := testkit.NewRelay(t, n)
	w := newWorldAt(t, n, relay.URL(), t.TempDir()+"/specterd.db")
	vaults := map[string]vault{}
	usuals := map[string]func() *answer{}
	for _, k := range testkit.Scripts {
		v := w.vault(k, 1_000_000, 2_000_000, 3_000_000)
		vaults[k.Name] = v
		var seen []byte
		var fee btc.Amount
		var changePos int
		v.alterFunding(relay, func(a *answer) { // the true response, parsed and serialized again
			var raw bytes.Buffer
			testkit.Check(t, a.Serialize(&raw))
			seen, fee, changePos = raw.Bytes(), a.fee, a.changePos
		})
		for name, order := range map[string]func(vault, *proposal.CreateParams){"usual": nil, "subtract": subtract, "all": sendMax} {
			t.Run(name, func(t *testing.T) {
				o := usual()
				if order != nil {
					order(v, &o)
				}
				p := v.create(o)
				v.wantLocks(p)
				testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), p.ID, nil))
				v.wantLocks()
				if name == "usual" {
					kept, keptFee, keptPos := seen, fee, changePos
					usuals[k.Name] = func() *answer {
						packet, err := btcutilpsbt.NewFromRawBytes(bytes.NewReader(kept), false)
						testkit.Check(t, err)
						return &answer{Packet: packet, vault: v, fee: keptFee, changePos: keptPos}
					}
				}
			})
		}
	}
	tried := 0
	for i, c := range slices.Concat(nodeLies, feeLies) {
		kinds := c.kinds
		if !testkit.Long() {
			kinds = kinds[i%len(kinds):][:1]
		}
		for _, k := range kinds {
			tried++
			t.Run(c.name+"/"+k.Name, func(t *testing.T) {
				v := vaults[k.Name]
				v.t = t
				o := usual()
				if c.order != nil {
					c.order(v, &o)
				}
				v.alterFunding(relay, func(a *answer) {
					a.usual = usuals[k.Name]()
					c.lie(a)
				})
				before := v.rows()
				p, err := v.Create(t.Context(), v.access(v.alice, v.alias), o)
				want := c.code
				if want == "" {
					want = proposal.ErrNodeAltered.Code
				}
				f, ok := errors.AsType[*fault.Error](err)
				if !ok || f.Code != want {
					t.Errorf("got %v, want %s", err, want)
				}
				if err == nil {
					testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), p.ID, nil))
				}
				if after := v.rows(); after != before {
					t.Errorf("rows changed: got %s, want %s", after, before)
				}
				if locked := v.locked(); len(locked) > 0 {
					t.Errorf("locked in the node: %v", locked)
				}
			})
		}
	}
	if t.Failed() {
		return
	}
	testkit.Figure(t, "%d falsified responses of the node, %d by script type: 0 accepted, 0 had side effects; true responses were accepted", len(nodeLies)+len(feeLies), tried)
}

// signerLies are modifications of signed PSBTs and transactions that specterd must not
// accept.
var signerLies = map[string]func(p *btcutilpsbt.Packet){
	"destination":     func(p *btcutilpsbt.Packet) { p.UnsignedTx.TxOut[0].PkScript = stranger },
	"amount":          func(p *btcutilpsbt.Packet) { p.UnsignedTx.TxOut[0].Value++ },
	"fee":             func(p *btcutilpsbt.Packet) { p.UnsignedTx.TxOut[1].Value -= 1000 },
	"outputs swapped": func(p *btcutilpsbt.Packet) { slices.Reverse(p.UnsignedTx.TxOut) },
	"output added":    func(p *btcutilpsbt.Packet) { (&answer{Packet: p}).add(stranger, 1000) },
	"output missing":  func(p *btcutilpsbt.Packet) { p.UnsignedTx.TxOut, p.Outputs = p.UnsignedTx.TxOut[1:], p.Outputs[1:] },
	"input missing":   func(p *btcutilpsbt.Packet) { p.UnsignedTx.TxIn, p.Inputs = p.UnsignedTx.TxIn[1:], p.Inputs[1:] },
	"input added":     func(p *btcutilpsbt.Packet) { (&answer{Packet: p}).addInput(foreign()) },
	"another UTXO":    func(p *btcutilpsbt.Packet) { p.UnsignedTx.TxIn[0].PreviousOutPoint.Index++ },
	"sequence":        func(p *btcutilpsbt.Packet) { p.UnsignedTx.TxIn[0].Sequence++ },
	"lock time":       func(p *btcutilpsbt.Packet) { p.UnsignedTx.LockTime++ },
	"version":         func(p *btcutilpsbt.Packet) { p.UnsignedTx.Version++ },
	"sighash":         func(p *btcutilpsbt.Packet) { p.Inputs[0].SighashType = txscript.SigHashNone },
	"signatures of the other input": func(p *btcutilpsbt.Packet) {
		p.Inputs[0].PartialSigs, p.Inputs[1].PartialSigs = p.Inputs[1].PartialSigs, p.Inputs[0].PartialSigs
		p.Inputs[0].TaprootKeySpendSig, p.Inputs[1].TaprootKeySpendSig = p.Inputs[1].TaprootKeySpendSig, p.Inputs[0].TaprootKeySpendSig
	},
}

// TestLyingSigner checks that tampered uploads do not change a proposal.
func TestLyingSigner(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	w := newWorld(t, n, t.TempDir()+"/specterd.db")
	tried := 0
	for _, k := range testkit.Scripts[:testkit.Size(1, len(testkit.Scripts))] {
		v := w.vault(k, 1_000_000, 2_000_000, 3_000_000)
		p := v.create(usual())
		v.wantLocks(p)
		honest := v.signed(p, 0)
		for name, lie := range signerLies {
			t.Run(name, func(t *testing.T) {
				packet, err := btcutilpsbt.NewFromRawBytes(bytes.NewReader(honest), false)
				testkit.Check(t, err)
				lie(packet)
				var raw bytes.Buffer
				testkit.Check(t, packet.Serialize(&raw))
				before := v.rows()
				_, err = v.AddSignatures(t.Context(), v.access(v.alice, v.alias), p.ID, raw.Bytes(), nil)
				if fault.KindOf(err) != fault.Invalid {
					t.Errorf("%s, %s: %v", k.Name, name, err)
				}
				if now := v.get(p); now.Version != p.Version || now.Status != proposal.Created || !bytes.Equal(now.PSBT, p.PSBT) || v.rows() != before {
					t.Errorf("%s, %s: the proposal is %+v", k.Name, name, now)
				}
				tried++
			})
		}
		v.complete(p)
	}
	testkit.Figure(t, "%d tampered uploads: 0 accepted, 0 changed anything; the signed PSBTs were accepted", tried)
}
