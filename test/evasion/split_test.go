package evasion

import "strings"

const (
	counted = `{"version":1,"allow":[{"name":"budget","max_payment_sat":50000,"max_recipients":3,"windows":[{"per":"24h","max_count":3},{"per":"7d","max_sat":160000}]}]}`
	above   = `{"version":1,"allow":[{"name":"approved","approvals":{"count":1,"not_proposer":true,"above_sat":50000},"windows":[{"per":"24h","max_sat":120000}]}]}`
)

var splitControl = attempt{"payments within count, size and sum", map[string]string{"wallet": counted}, func(w *world) {
	for range 3 {
		w.proposer.propose(pay(20_000, 20_000)).ok()
	}
}}

// race attempts several creations at the same time, of which at most some are within the policy.
func race(name, policy string, most int, create func(w *world, i int) reply) attempt {
	return attempt{name, map[string]string{"wallet": policy}, func(w *world) {
		const attempts = 8
		replies := make([]reply, attempts)
		w.parallel(attempts, func(i int) { replies[i] = create(w, i) })
		passed := map[string]bool{}
		for _, r := range replies {
			if r.status < 300 {
				passed[r.text("id")] = true
			} else {
				r.refused("policy_refused", "too_many_requests", "busy", "request_in_progress")
			}
		}
		if len(passed) > most || len(passed) == 0 {
			w.t.Errorf("%d payments passed, at most %d are within the policy", len(passed), most)
		}
	}}
}

var splitAttempts = []attempt{
	{"one large payment", map[string]string{"wallet": counted}, func(w *world) { w.proposer.propose(pay(50_001)).refused("policy_refused") }},
	{"many small payments beyond the count", map[string]string{"wallet": counted}, func(w *world) {
		for range 3 {
			w.proposer.propose(pay(1_000)).ok()
		}
		w.proposer.propose(pay(1_000)).refused("policy_refused")
	}},
	{"small payments beyond the sum", map[string]string{"wallet": strings.Replace(counted, `"max_count":3`, `"max_count":9`, 1)}, func(w *world) {
		for range 3 {
			w.proposer.propose(pay(50_000)).ok()
		}
		w.proposer.propose(pay(10_000)).refused("policy_refused")
	}},
	{"too many recipients", map[string]string{"wallet": counted}, func(w *world) { w.proposer.propose(pay(1_000, 1_000, 1_000, 1_000)).refused("policy_refused") }},
	{"too many recipients with the same address", map[string]string{"wallet": counted}, func(w *world) {
		one := fields{"address": foreign(0), "amount_sat": 1_000}
		w.proposer.propose(fields{"recipients": []any{one, one, one, one}, "allow_duplicates": true, "fee_rate_sat_vb": 2}).refused("policy_refused")
	}},
	{"recipients that exceed the payment together", map[string]string{"wallet": counted}, func(w *world) { w.proposer.propose(pay(20_000, 20_000, 20_000)).refused("policy_refused") }},
	{"recipients as CSV", map[string]string{"wallet": counted}, func(w *world) {
		w.proposer.propose(fields{"recipients_csv": "address,amount_sat\n" + foreign(0) + ",30000\n" + foreign(1) + ",30000\n", "fee_rate_sat_vb": 2}).refused("policy_refused")
	}},
	{"recipients as bitcoin: URIs", map[string]string{"wallet": counted}, func(w *world) {
		w.proposer.propose(fields{"recipients": []any{fields{"address": "bitcoin:" + foreign(0) + "?amount=0.0006"}}, "fee_rate_sat_vb": 2}).refused("policy_refused")
	}},
	{"payments below the amount that requires approvals", map[string]string{"wallet": above}, func(w *world) {
		w.proposer.propose(pay(50_000)).has("created")
		w.proposer.propose(pay(50_000)).has("created")
		w.proposer.propose(pay(30_000)).refused("policy_refused")
	}},
	{"a payment just above the amount that requires approvals", map[string]string{"wallet": above}, func(w *world) {
		w.proposer.propose(pay(25_000, 25_001)).has(awaiting)
	}},
	{"payments by several members", map[string]string{"wallet": budget}, func(w *world) {
		w.proposer.propose(pay(120_000)).ok()
		for _, c := range []*caller{w.signer, w.second, w.owner, w.partner} {
			c.propose(pay(90_000)).refused("policy_refused")
		}
	}},
	{"payments of several wallets under the policy of the server", map[string]string{"server": budget}, func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		w.owner.propose(pay(60_000)).refused("policy_refused")
	}},
	{"a payment after a cancelled one that was sent elsewhere", map[string]string{"wallet": budget}, func(w *world) {
		id := w.signer.propose(pay(150_000)).id()
		raw := w.signer.sign(id).ok().text("raw_hex")
		w.signer.on(id, "cancel").ok()
		w.node.CLI(w.t, "sendrawtransaction", raw)
		w.until(id, "broadcast")
		w.signer.propose(pay(60_000)).refused("policy_refused")
	}},
	{"a payment after a sent one was confirmed", map[string]string{"wallet": budget}, func(w *world) {
		w.signer.spend(w.signer.propose(pay(150_000)).id()).has("broadcast")
		w.mine(1)
		w.signer.propose(pay(60_000)).refused("policy_refused")
	}},
	{"open payments, each released by its approval, beyond the window", map[string]string{"wallet": strings.Replace(approve, `"name":"approved"`, `"name":"approved","windows":[{"per":"24h","max_sat":100000}]`, 1)}, func(w *world) {
		w.proposer.propose(pay(60_000)).has(awaiting)
		w.proposer.propose(pay(60_000)).refused("policy_refused")
	}},
	race("8 creations at the edge of the budget", budget, 1, func(w *world, _ int) reply { return w.proposer.propose(pay(120_000)) }),
	race("8 creations of several users at the edge of the budget", budget, 2, func(w *world, i int) reply {
		return []*caller{w.proposer, w.signer, w.second, w.owner}[i%4].propose(pay(80_000))
	}),
	race("8 creations beyond the count", counted, 3, func(w *world, _ int) reply { return w.proposer.propose(pay(1_000)) }),
	race("8 creations in both versions of the API", budget, 1, func(w *world, i int) reply {
		if i%2 == 0 {
			r := w.proposer.proposeAlpha(alpha(120_000, "sat", nil))
			if r.fields["result"] != nil {
				r.fields = fields{"id": r.body}
			}
			return r
		}
		return w.proposer.propose(pay(120_000))
	}),
	race("8 creations with the same idempotency key", budget, 1, func(w *world, _ int) reply {
		return w.proposer.propose(pay(120_000), "Idempotency-Key", "the-same")
	}),
	race("8 creations with different idempotency keys", budget, 1, func(w *world, i int) reply {
		return w.proposer.propose(pay(120_000), "Idempotency-Key", unique("key")+string(rune('a'+i)))
	}),
	{"a repeated request with an idempotency key after the budget is used", map[string]string{"wallet": budget}, func(w *world) {
		first := w.proposer.propose(pay(120_000), "Idempotency-Key", "k1").id()
		w.proposer.propose(pay(130_000), "Idempotency-Key", "k2").refused("policy_refused")
		if again := w.proposer.propose(pay(120_000), "Idempotency-Key", "k1").id(); again != first {
			w.t.Errorf("the repeated request created %s after %s", again, first)
		}
		w.proposer.propose(pay(130_000), "Idempotency-Key", "k2").refused("policy_refused")
	}},
	{"many dry runs, then payments", map[string]string{"wallet": budget}, func(w *world) {
		for range 3 {
			w.proposer.propose(pay(120_000).with(fields{"dry_run": true})).ok()
		}
		w.proposer.propose(pay(120_000)).ok()
		w.proposer.propose(pay(120_000).with(fields{"dry_run": true})).refused("policy_refused")
	}},
}
