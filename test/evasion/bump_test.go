package evasion

import "strings"

var bumpControl = attempt{"bumps and replacements within the budget", map[string]string{"wallet": budget}, func(w *world) {
	id := w.signer.propose(pay(150_000)).id()
	id = w.signer.bump(id, 9).id()
	id = w.signer.spend(id).has("broadcast").id()
	id = w.signer.bump(id, 20).id()
	w.signer.spend(id).has("broadcast")
	w.signer.propose(pay(160_000).with(fields{"replaces": id, "fee_rate_sat_vb": 40})).ok()
}}

// bumpedTo attempts to raise the fee of an open or sent payment of 190,000 satoshis beyond the policy.
func bumpedTo(name, policy string, rate float64, isSent bool) attempt {
	return attempt{name, map[string]string{"wallet": policy}, func(w *world) {
		id := w.signer.propose(pay(190_000)).id()
		if isSent {
			w.signer.spend(id).has("broadcast")
		}
		w.signer.bump(id, rate).refused("policy_refused")
		w.signer.do("POST", proposals+"/"+id+"/bump", fields{"fee_rate_sat_vb": rate, "evict": true, "max_fee_sat": 900_000}).refused("policy_refused")
	}}
}

// replacedBy attempts to replace an open or sent payment of 150,000 satoshis that the policy forbids.
func replacedBy(name, policy string, body fields, isSent bool) attempt {
	return attempt{name, map[string]string{"wallet": policy}, func(w *world) {
		id := w.signer.propose(payTo("{cold}", 150_000)).id()
		if isSent {
			w.signer.spend(id).has("broadcast")
		}
		w.signer.propose(body.with(fields{"replaces": id, "fee_rate_sat_vb": 9})).refused("policy_refused")
	}}
}

const coldOrApproved = `{"version":1,"allow":[{"name":"cold","to":[{"wallet":"cold"}],"windows":[{"per":"24h","max_sat":200000}]},{"name":"approved","approvals":{"count":1,"not_proposer":true},"windows":[{"per":"24h","max_sat":200000}]}]}`

func limitFee(fee string) string {
	return `{"version":1,"allow":[{"name":"budget","fee":{` + fee + `},"windows":[{"per":"24h","max_sat":900000}]}]}`
}

var bumpAttempts = []attempt{
	bumpedTo("an open payment above the window", budget, 100, false),
	bumpedTo("a sent payment above the window", budget, 100, true),
	bumpedTo("an open payment above the fee rate", limitFee(`"max_sat_vb":10`), 11, false),
	bumpedTo("a sent payment above the fee rate", limitFee(`"max_sat_vb":10`), 11, true),
	bumpedTo("an open payment above the fee", limitFee(`"max_sat":2000`), 20, false),
	bumpedTo("a sent payment above the fee", limitFee(`"max_sat":2000`), 20, true),
	bumpedTo("an open payment above the percentage", limitFee(`"max_percent":1`), 20, false),
	bumpedTo("a sent payment above the percentage", limitFee(`"max_percent":1`), 20, true),
	replacedBy("an open payment by a larger one", budget, pay(210_000), false),
	replacedBy("a sent payment by a larger one", budget, pay(210_000), true),
	replacedBy("an open payment by one to another recipient", toCold, pay(10_000), false),
	replacedBy("a sent payment by one to another recipient", toCold, pay(10_000), true),
	replacedBy("a sent payment by one with an additional recipient", toCold, fields{"recipients": []any{
		fields{"address": "{cold}", "amount_sat": 150_000}, fields{"address": foreign(0), "amount_sat": 10_000},
	}}, true),
	{"a bump of a bump above the window", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.propose(pay(188_000)).id()
		for _, rate := range []float64{20, 30, 40} {
			id = w.signer.bump(id, rate).id()
		}
		w.signer.bump(id, 100).refused("policy_refused")
	}},
	{"sent bumps of bumps above the window", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.propose(pay(188_000)).id()
		for _, rate := range []float64{20, 30, 40} {
			w.signer.spend(id).has("broadcast")
			id = w.signer.bump(id, rate).id()
		}
		w.signer.bump(id, 100).refused("policy_refused")
	}},
	{"a bump of a proposal that awaits approval", map[string]string{"wallet": approve}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		next := w.signer.bump(id, 9).has(awaiting).id()
		w.signer.on(next, "").has(awaiting)
		w.signer.on(next, "approve").refused("not_an_approver")
	}},
	{"approvals do not pass to a bump", map[string]string{"wallet": approveBy(2)}, func(w *world) {
		id := w.proposer.propose(pay(50_000)).has(awaiting).id()
		w.signer.on(id, "approve").has(awaiting)
		next := w.proposer.bump(id, 9).has(awaiting).id()
		w.second.on(next, "approve").has(awaiting)
		w.second.on(id, "approve").refused("invalid_status")
	}},
	{"a bump of a released payment requires approvals again", map[string]string{"wallet": approve}, func(w *world) {
		id := w.proposer.propose(pay(50_000)).has(awaiting).id()
		w.signer.on(id, "approve").has("created")
		w.proposer.bump(id, 9).has(awaiting)
	}},
	{"a bump of a sent payment requires approvals again", map[string]string{"wallet": approve}, func(w *world) {
		id := w.proposer.propose(pay(50_000)).has(awaiting).id()
		w.signer.on(id, "approve").has("created")
		w.signer.spend(id).has("broadcast")
		w.signer.bump(id, 9).has(awaiting)
	}},
	{"a released payment replaced by one of another rule", map[string]string{"wallet": coldOrApproved}, func(w *world) {
		id := w.proposer.propose(payTo("{cold}", 150_000)).has("created").id()
		w.proposer.propose(pay(150_000).with(fields{"replaces": id, "fee_rate_sat_vb": 9})).has(awaiting)
		w.proposer.propose(payTo("{cold}", 40_000)).ok()
	}},
	{"a sent payment replaced by one of another rule keeps its charge", map[string]string{"wallet": coldOrApproved}, func(w *world) {
		id := w.signer.spend(w.signer.propose(payTo("{cold}", 150_000)).id()).has("broadcast").id()
		w.signer.propose(pay(150_000).with(fields{"replaces": id, "fee_rate_sat_vb": 9})).has(awaiting)
		w.signer.propose(payTo("{cold}", 60_000)).refused("policy_refused")
	}},
	{"a small replacement of a large sent payment frees nothing before it is sent", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.spend(w.signer.propose(pay(190_000)).id()).has("broadcast").id()
		w.signer.propose(pay(10_000).with(fields{"replaces": id, "fee_rate_sat_vb": 9})).has("created")
		w.signer.propose(pay(100_000)).refused("policy_refused")
	}},
	{"a small sent replacement of a large sent payment", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.spend(w.signer.propose(pay(190_000)).id()).has("broadcast").id()
		small := w.signer.propose(pay(10_000).with(fields{"replaces": id, "fee_rate_sat_vb": 9})).id()
		w.signer.spend(small).has("broadcast")
		w.until(id, "replaced")
		w.signer.propose(pay(100_000)).refused("policy_refused")
		w.mine(1)
		w.until(small, "confirmed")
		w.signer.propose(pay(100_000)).ok()
	}},
	{"a sent payment evicted by the replacement of its parent", map[string]string{"wallet": budget}, func(w *world) {
		parent := w.signer.spend(w.signer.propose(pay(60_000)).id()).has("broadcast")
		var child string
		for _, vout := range []string{":0", ":1"} {
			r := w.signer.propose(pay(90_000).with(fields{"utxos": []string{parent.text("final_txid") + vout}}))
			if r.status < 300 {
				child = w.signer.spend(r.id()).has("broadcast").id()
			}
		}
		small := w.signer.propose(pay(10_000).with(fields{"replaces": parent.id(), "fee_rate_sat_vb": 50, "evict": true})).id()
		w.signer.spend(small).has("broadcast")
		w.until(child, "conflicted")
		w.signer.propose(pay(100_000)).refused("policy_refused")
		w.mine(1)
		w.until(small, "confirmed")
		w.signer.propose(pay(100_000)).ok()
	}},
	{"a chain of sent replacements with smaller amounts", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.spend(w.signer.propose(pay(190_000)).id()).has("broadcast").id()
		for i, amount := range []int64{100_000, 10_000} {
			next := w.signer.propose(pay(amount).with(fields{"replaces": id, "fee_rate_sat_vb": 9 + 5*i})).id()
			w.signer.spend(next).has("broadcast")
			w.until(id, "replaced")
			id = next
		}
		w.signer.propose(pay(100_000)).refused("policy_refused")
	}},
	{"a chain of replacements with smaller amounts", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.spend(w.signer.propose(pay(190_000)).id()).has("broadcast").id()
		for i, amount := range []int64{150_000, 100_000, 50_000} {
			id = w.signer.propose(pay(amount).with(fields{"replaces": id, "fee_rate_sat_vb": 9 + i})).id()
		}
		w.signer.propose(pay(100_000)).refused("policy_refused")
	}},
	{"a cancelled replacement of a sent payment", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.spend(w.signer.propose(pay(190_000)).id()).has("broadcast").id()
		next := w.signer.propose(pay(10_000).with(fields{"replaces": id, "fee_rate_sat_vb": 9})).id()
		w.signer.on(next, "cancel").ok()
		w.signer.propose(pay(20_000)).refused("policy_refused")
	}},
	{"a payment to the own wallet that replaces a sent one", map[string]string{"wallet": toCold}, func(w *world) {
		id := w.signer.spend(w.signer.propose(payTo("{cold}", 150_000)).id()).has("broadcast").id()
		w.signer.propose(payTo("{receive}", 150_000).with(fields{"replaces": id, "fee_rate_sat_vb": 9})).refused("policy_refused")
	}},
	{"a payment of the UTXOs of a sent one without replaces", map[string]string{"wallet": budget}, func(w *world) {
		r := w.signer.spend(w.signer.propose(pay(150_000)).id()).has("broadcast")
		w.signer.propose(pay(60_000).with(fields{"utxos": []string{r.fields["final_txid"].(string) + ":0"}})).refused("policy_refused", "utxo_not_found", "invalid_input")
	}},
	{"a child that raises the fee of its parent", map[string]string{"wallet": lowFee}, func(w *world) {
		r := w.signer.spend(w.signer.propose(pay(150_000)).id()).has("broadcast")
		for _, vout := range []string{":0", ":1"} {
			w.signer.propose(fields{
				"recipients": []any{fields{"address": "{receive}"}}, "send_max": true, "utxos": []string{r.text("final_txid") + vout}, "fee_rate_sat_vb": 20,
			}).refused("policy_refused", "invalid_input", "utxo_not_found")
		}
	}},
	{"a replacement by its txid", map[string]string{"wallet": budget}, func(w *world) {
		r := w.signer.spend(w.signer.propose(pay(150_000)).id()).has("broadcast")
		w.signer.propose(pay(210_000).with(fields{"replaces": r.text("final_txid"), "fee_rate_sat_vb": 9})).refused("policy_refused")
	}},
	{"a dry run of a bump", map[string]string{"wallet": approve}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		r := w.signer.do("POST", proposals+"/"+id+"/bump", fields{"fee_rate_sat_vb": 9, "dry_run": true}).has(awaiting)
		if r.text("psbt") != "" {
			w.t.Error("the dry run returns a PSBT")
		}
	}},
	{"a replacement of a confirmed payment", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.spend(w.signer.propose(pay(150_000)).id()).has("broadcast").id()
		w.mine(1)
		w.signer.propose(pay(100_000).with(fields{"replaces": id, "fee_rate_sat_vb": 9})).refused("invalid_status")
		w.signer.propose(pay(60_000)).refused("policy_refused")
	}},
	{"a bump by a token with a smaller budget", nil, func(w *world) {
		id := w.signer.propose(pay(250_000)).id()
		w.signer.limited(budget).bump(id, 9).refused("policy_refused")
	}},
	{"a bump of the payment of a limited token by its child", nil, func(w *world) {
		t := w.signer.limited(strings.Replace(budget, "200000", "191000", 1))
		id := t.propose(pay(190_000)).id()
		t.limited("").bump(id, 20).refused("policy_refused")
	}},
}
