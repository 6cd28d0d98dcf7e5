package evasion

import (
	"strings"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

var changeControl = attempt{"a payment to the pinned wallet in several encodings", map[string]string{"wallet": toCold}, func(w *world) {
	w.proposer.propose(payTo("{cold}", 10_000)).ok()
	w.proposer.propose(payTo(strings.ToUpper(w.cold.receive[1]), 10_000)).ok()
	w.proposer.propose(payTo("bitcoin:"+w.cold.receive[2], 10_000)).ok()
	w.proposer.propose(payTo(w.cold.change[0], 10_000)).ok()
}}

// elsewhere attempts to pay an address that is not one of the pinned wallet.
func elsewhere(name string, address func(w *world) string) attempt {
	return attempt{name, map[string]string{"wallet": toCold}, func(w *world) {
		w.proposer.propose(payTo(address(w), 10_000)).refused("policy_refused", "invalid_address", "wrong_network", "invalid_payment_uri")
	}}
}

// alsoTo attempts to pay the pinned wallet and something else.
func alsoTo(name string, more fields) attempt {
	return attempt{name, map[string]string{"wallet": toCold}, func(w *world) {
		to := []any{fields{"address": "{cold}", "amount_sat": 10_000}, more}
		w.proposer.propose(fields{"recipients": to, "fee_rate_sat_vb": 2}).refused("policy_refused", "invalid_input", "duplicate_address", "invalid_json")
		to = []any{more, fields{"address": "{cold}", "amount_sat": 10_000}}
		w.proposer.propose(fields{"recipients": to, "fee_rate_sat_vb": 2}).refused("policy_refused", "invalid_input", "duplicate_address", "invalid_json")
	}}
}

// denied attempts to pay a denied address in another form.
func denied(name string, address func(w *world) string) attempt {
	return attempt{name, map[string]string{"wallet": `{"version":1,"deny":[{"address":"{foreign}"}]}`}, func(w *world) {
		w.proposer.propose(payTo(address(w), 10_000)).refused("policy_refused", "invalid_input")
	}}
}

// script returns the address of another script with the key hash of an address of the pinned wallet.
func script(ops func(b *txscript.ScriptBuilder, hash []byte)) func(w *world) string {
	return func(w *world) string {
		b := txscript.NewScriptBuilder()
		ops(b, testkit.Must(btc.ScriptOf(w.cold.receive[0], btc.Regtest))[2:])
		return btc.AddressOf(testkit.Must(b.Script()), btc.Regtest)
	}
}

func legacy(b *txscript.ScriptBuilder, hash []byte) {
	b.AddOp(txscript.OP_DUP).AddOp(txscript.OP_HASH160).AddData(hash).AddOp(txscript.OP_EQUALVERIFY).AddOp(txscript.OP_CHECKSIG)
}

func nested(b *txscript.ScriptBuilder, hash []byte) {
	b.AddOp(txscript.OP_HASH160).AddData(btcutil.Hash160(append([]byte{0, 20}, hash...))).AddOp(txscript.OP_EQUAL)
}

func longer(b *txscript.ScriptBuilder, hash []byte) {
	b.AddOp(txscript.OP_0).AddData(append(make([]byte, 12), hash...))
}

func taproot(b *txscript.ScriptBuilder, hash []byte) {
	b.AddOp(txscript.OP_1).AddData(append(make([]byte, 12), hash...))
}

var changeAttempts = []attempt{
	elsewhere("a foreign address", func(*world) string { return foreign(0) }),
	elsewhere("the own receive address", func(w *world) string { return w.vault.receive[90] }),
	elsewhere("the own change address", func(w *world) string { return w.vault.change[90] }),
	elsewhere("the own next change address", func(w *world) string { return w.vault.change[0] }),
	elsewhere("the legacy address of a key of the pinned wallet", script(legacy)),
	elsewhere("the nested address of a key of the pinned wallet", script(nested)),
	elsewhere("a longer witness program with the key hash of the pinned wallet", script(longer)),
	elsewhere("a taproot output with the key hash of the pinned wallet", script(taproot)),
	elsewhere("an address of the pinned wallet on another network", func(w *world) string {
		return btc.AddressOf(testkit.Must(btc.ScriptOf(w.cold.receive[0], btc.Regtest)), btc.Main)
	}),
	elsewhere("an address of mixed case", func(w *world) string { return strings.ToUpper(w.cold.receive[0][:20]) + w.cold.receive[0][20:] }),
	elsewhere("a URI with another address in its parameters", func(w *world) string { return "bitcoin:" + foreign(0) + "?address=" + w.cold.receive[0] }),
	elsewhere("a URI with a required parameter", func(w *world) string { return "bitcoin:" + w.cold.receive[0] + "?req-address=" + foreign(0) }),
	elsewhere("an address with an invisible character", func(w *world) string { return w.cold.receive[0] + "\u200b" }),
	elsewhere("the alias of the pinned wallet as an address", func(*world) string { return "cold" }),
	elsewhere("an address of another wallet of the caller", func(w *world) string {
		w.theirs()
		return w.outsider.do("POST", "/wallets/copy/addresses", fields{}).ok().text("address")
	}),
	alsoTo("a second recipient", fields{"address": foreign(0), "amount_sat": 1_000}),
	alsoTo("a second recipient declared as change", fields{"address": foreign(0), "amount_sat": 1_000, "kind": "change"}),
	alsoTo("the own receive address as the second recipient", fields{"address": "{receive}", "amount_sat": 1_000}),
	alsoTo("data", fields{"data": "6869"}),
	alsoTo("empty data", fields{"data": ""}),
	alsoTo("an amount of zero", fields{"address": foreign(0), "amount_sat": 0}),
	alsoTo("a negative amount", fields{"address": foreign(0), "amount_sat": -5_000}),
	alsoTo("the same foreign address in upper case", fields{"address": strings.ToUpper(foreign(0)), "amount_sat": 1_000}),
	denied("a denied address in upper case", func(*world) string { return strings.ToUpper(foreign(0)) }),
	denied("a denied address as a URI", func(*world) string { return "bitcoin:" + foreign(0) }),
	denied("a denied address as a URI in upper case", func(*world) string { return "BITCOIN:" + strings.ToUpper(foreign(0)) }),
	denied("a denied address with spaces", func(*world) string { return " " + foreign(0) + " " }),
	{"data alone under rules with recipients", map[string]string{"wallet": toCold}, func(w *world) {
		w.proposer.propose(fields{"recipients": []any{fields{"data": "6869"}}, "fee_rate_sat_vb": 2}).refused("policy_refused", "invalid_input")
	}},
	{"a change address in the request", map[string]string{"wallet": toCold}, func(w *world) {
		w.proposer.propose(payTo("{cold}", 10_000).with(fields{"change_address": foreign(0)})).refused("invalid_json")
	}},
	{"the same address twice beyond the window", map[string]string{"wallet": toCold}, func(w *world) {
		one := fields{"address": "{cold}", "amount_sat": 110_000}
		w.proposer.propose(fields{"recipients": []any{one, one}, "allow_duplicates": true, "fee_rate_sat_vb": 2}).refused("policy_refused")
	}},
}

// theirs creates the wallet copy of the outsider, with the keys of the vault.
func (w *world) theirs() {
	w.t.Helper()
	w.outsider.do("POST", "/wallets", fields{"name": "Copy", "alias": "copy", "birthday": "now", "descriptor": w.vault.descriptor}).ok()
}
