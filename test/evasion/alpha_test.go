package evasion

import "strings"

var alphaControl = attempt{"a payment within the budget", map[string]string{"wallet": budget}, func(w *world) {
	r := w.signer.proposeAlpha(alpha(0.0015, "btc", nil)).ok()
	if !strings.Contains(r.body, "cHNidP8") {
		w.t.Errorf("the response has no PSBT: %s", r.short())
	}
	r = w.signer.do("GET", alphaProposals, nil).ok()
	if !strings.Contains(r.body, "cHNidP8") {
		w.t.Errorf("the list has no PSBT: %s", r.short())
	}
}}

// alphaRefused attempts to create a payment in v1alpha that a policy does not permit.
func alphaRefused(name, policy string, body fields, codes ...string) attempt {
	return attempt{name, map[string]string{"wallet": policy}, func(w *world) {
		r := w.signer.proposeAlpha(body)
		r.refused(codes...)
		if all := w.signer.do("GET", alphaProposals, nil).ok(); strings.Contains(all.body, "cHNidP8") {
			w.t.Errorf("the list has a PSBT: %s", all.short())
		}
	}}
}

// heldAlpha attempts to read a proposal that awaits approval in v1alpha.
func heldAlpha(name, path string) attempt {
	return attempt{"a proposal that awaits approval in " + name, map[string]string{"wallet": approve}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		r := w.signer.do("GET", path, nil).ok()
		txid := w.signer.on(id, "").text("txid")
		if strings.Contains(r.body, txid) && strings.Contains(path, "psbt") {
			w.t.Errorf("the list has the proposal: %s", r.short())
		}
	}}
}

func several(amounts ...float64) fields {
	var to []any
	for i, a := range amounts {
		to = append(to, fields{"address": foreign(i), "amount": a, "unit": "sat"})
	}
	return fields{"recipients": to, "fee_rate": 2}
}

const lowFee = `{"version":1,"allow":[{"name":"budget","fee":{"max_sat_vb":5,"max_sat":2000,"max_percent":1},"windows":[{"per":"24h","max_sat":200000}]}]}`

var alphaAttempts = []attempt{
	alphaRefused("an amount in satoshis", budget, alpha(250_000, "sat", nil), "policy_refused"),
	alphaRefused("an amount in bitcoins", budget, alpha(0.0025, "btc", nil), "policy_refused"),
	alphaRefused("an amount as a text", budget, fields{"recipients": []any{fields{"address": foreign(0), "amount": "0.0025", "unit": "btc"}}, "fee_rate": "2"}, "policy_refused"),
	alphaRefused("an amount with an exponent", budget, fields{"recipients": []any{fields{"address": foreign(0), "amount": "2.5e5", "unit": "sat"}}, "fee_rate": 2}, "policy_refused"),
	alphaRefused("the whole budget, with the fee on top", budget, alpha(200_000, "sat", nil), "policy_refused"),
	alphaRefused("an amount from which the fee is subtracted", budget, alpha(200_001, "sat", fields{"subtract": true}), "policy_refused"),
	alphaRefused("a fee subtracted from the second recipient", budget, several(150_000, 60_000).with(fields{"subtract": true, "subtract_from": 1}), "policy_refused"),
	alphaRefused("several recipients within the budget each", budget, several(80_000, 80_000, 80_000), "policy_refused"),
	alphaRefused("a permitted recipient and another one", toCold, fields{"recipients": []any{
		fields{"address": "{cold}", "amount": 10_000, "unit": "sat"}, fields{"address": foreign(0), "amount": 10_000, "unit": "sat"},
	}, "fee_rate": 2}, "policy_refused"),
	alphaRefused("another recipient", toCold, alpha(10_000, "sat", nil), "policy_refused"),
	alphaRefused("a recipient in upper case", `{"version":1,"deny":[{"address":"{foreign}"}]}`, fields{"recipients": []any{fields{"address": strings.ToUpper(foreign(0)), "amount": 10_000, "unit": "sat"}}, "fee_rate": 2}, "policy_refused"),
	alphaRefused("a fee rate above the limit", lowFee, alpha(100_000, "sat", fields{"fee_rate": 20}), "policy_refused"),
	alphaRefused("a fee rate above the limit as a text", lowFee, alpha(100_000, "sat", fields{"fee_rate": "20.0"}), "policy_refused"),
	alphaRefused("a fee above the percentage", lowFee, alpha(5_000, "sat", fields{"fee_rate": 4}), "policy_refused"),
	alphaRefused("a payment that requires an approval", approve, alpha(50_000, "sat", nil), awaiting),
	alphaRefused("a payment that requires a delay", `{"version":1,"allow":[{"name":"later","delay":"2h"}]}`, alpha(50_000, "sat", nil), awaiting),
	alphaRefused("a payment under a policy without rules", nothing, alpha(50_000, "sat", nil), "policy_refused"),
	alphaRefused("a payment that is not replaceable", budget, alpha(250_000, "sat", fields{"rbf": false}), "policy_refused"),
	alphaRefused("a read-only payment", budget, alpha(250_000, "sat", fields{"readonly": true}), "policy_refused", "invalid_input"),
	alphaRefused("selected UTXOs", budget, alpha(250_000, "sat", fields{"selected_coins": []string{}}), "policy_refused", "invalid_input"),
	{"several payments", map[string]string{"wallet": budget}, func(w *world) {
		w.signer.proposeAlpha(alpha(120_000, "sat", nil)).ok()
		w.proposer.proposeAlpha(alpha(90_000, "sat", nil)).refused("policy_refused")
		w.proposer.propose(pay(90_000)).refused("policy_refused")
	}},
	{"a payment of a token after its budget in v1", nil, func(w *world) {
		t := w.proposer.limited(budget)
		t.propose(pay(150_000)).ok()
		t.proposeAlpha(alpha(60_000, "sat", nil)).refused("policy_refused")
	}},
	{"a payment that replaces a sent one with a larger one", map[string]string{"wallet": budget}, func(w *world) {
		r := w.signer.spend(w.signer.propose(pay(150_000)).id()).has("broadcast")
		w.signer.proposeAlpha(alpha(220_000, "sat", fields{"rbf_tx_id": r.text("final_txid"), "fee_rate": 20})).refused("policy_refused")
	}},
	{"a payment that replaces a proposal that awaits approval", map[string]string{"wallet": approve}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		w.signer.proposeAlpha(alpha(50_000, "sat", fields{"rbf_tx_id": w.signer.on(id, "").text("txid"), "fee_rate": 20})).refused(awaiting)
		w.signer.on(id, "").has(awaiting)
	}},
	heldAlpha("the list of PSBTs", alphaProposals),
	heldAlpha("the wallet", "/api/v1alpha/wallets/vault"),
	heldAlpha("the list of transactions", "/api/v1alpha/specter/full_txlist"),
	{"a created payment after the policy requires approvals", map[string]string{"wallet": budget}, func(w *world) {
		w.signer.proposeAlpha(alpha(50_000, "sat", nil)).ok()
		id := w.texts(w.t, "SELECT proposal_id FROM proposals WHERE status = 'created'")[0]
		w.signer.sign(id).ok()
		w.law("wallet", approve)
		w.signer.on(id, "broadcast").refused("policy_changed")
		if all := w.signer.do("GET", alphaProposals, nil).ok(); strings.Contains(all.body, "cHNidP8") {
			w.t.Errorf("the list has a PSBT: %s", all.short())
		}
	}},
}
