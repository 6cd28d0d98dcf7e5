package evasion

import (
	"fmt"
	"strings"
)

var feeControl = attempt{"fees within the limits", map[string]string{"wallet": lowFee}, func(w *world) {
	w.signer.propose(pay(100_000).with(fields{"fee_rate_sat_vb": 5})).ok()
	w.signer.propose(pay(40_000).with(fields{"subtract_fee_from": []int{0}})).ok()
}}

// feeRefused attempts a payment that a policy does not permit.
func feeRefused(name, policy string, body fields) attempt {
	return attempt{name, map[string]string{"wallet": policy}, func(w *world) {
		w.signer.propose(body.with(fields{"dry_run": true})).refused("policy_refused")
		w.signer.propose(body).refused("policy_refused")
	}}
}

func sendMax(address string) fields {
	return fields{"recipients": []any{fields{"address": address}}, "send_max": true, "fee_rate_sat_vb": 2}
}

func keep(sat int64) string {
	return fmt.Sprintf(`{"version":1,"allow":[{"name":"budget","keep_at_least_sat":%d}]}`, sat)
}

const confirmed3 = `{"version":1,"allow":[{"name":"budget","coins":{"confirmations":1000}}]}`

// reserve sets the policy that the vault keeps all but some satoshis, before the steps.
func reserve(name string, spendable int64, steps func(w *world)) attempt {
	return attempt{name, nil, func(w *world) {
		w.payments() // fills in the outputs of the blocks
		w.law("wallet", keep(w.remaining()-spendable))
		steps(w)
	}}
}

var feeAttempts = []attempt{
	feeRefused("send_max of the whole wallet", budget, sendMax(foreign(0))),
	feeRefused("send_max to the pinned wallet", toCold, sendMax("{cold}")),
	feeRefused("send_max of the whole wallet above one payment", `{"version":1,"allow":[{"name":"budget","max_payment_sat":900000}]}`, sendMax(foreign(0))),
	feeRefused("send_max of the whole wallet with a fee subtracted", budget, sendMax(foreign(0)).with(fields{"fee_rate_sat_vb": 20})),
	feeRefused("send_max beside a small recipient", budget, fields{"recipients": []any{fields{"address": foreign(0), "amount_sat": 1_000}, fields{"address": foreign(1)}}, "send_max": true, "fee_rate_sat_vb": 2}),
	feeRefused("the whole budget with the fee on top", budget, pay(200_000)),
	feeRefused("a fee that fills the window", strings.Replace(budget, "200000", "20000", 1), pay(10_000).with(fields{"fee_rate_sat_vb": 100})),
	feeRefused("a subtracted fee above the window", budget, pay(200_001).with(fields{"subtract_fee_from": []int{0}})),
	feeRefused("a fee subtracted from one of two recipients above the window", budget, pay(150_000, 60_000).with(fields{"subtract_fee_from": []int{1}})),
	feeRefused("a fee rate just above the limit", lowFee, pay(100_000).with(fields{"fee_rate_sat_vb": 5.01})),
	feeRefused("a fee above max_sat", limitFee(`"max_sat":500`), pay(100_000).with(fields{"fee_rate_sat_vb": 4})),
	feeRefused("a subtracted fee above max_sat", limitFee(`"max_sat":500`), pay(100_000).with(fields{"fee_rate_sat_vb": 4, "subtract_fee_from": []int{0}})),
	feeRefused("a fee above max_percent", limitFee(`"max_percent":1`), pay(28_100)),
	feeRefused("a fee of a payment of zero percent", limitFee(`"max_percent":0`), pay(100_000)),
	feeRefused("a subtracted fee above max_percent", limitFee(`"max_percent":1`), pay(28_200).with(fields{"subtract_fee_from": []int{0}})),
	feeRefused("a fee of many inputs above max_sat", limitFee(`"max_sat":500`), pay(1_500_000, 1_500_000)),
	feeRefused("a fee instead of a small change output", limitFee(`"max_sat":300`), pay(999_600)),
	feeRefused("UTXOs with too few confirmations", confirmed3, pay(10_000)),
	{"an unconfirmed UTXO", map[string]string{"wallet": `{"version":1,"allow":[{"name":"budget","coins":{"confirmations":1}}]}`}, func(w *world) {
		r := w.signer.spend(w.signer.propose(pay(150_000)).id()).has("broadcast")
		for _, vout := range []string{":0", ":1"} {
			w.signer.propose(pay(10_000).with(fields{"utxos": []string{r.text("final_txid") + vout}})).refused("policy_refused", "invalid_input")
		}
	}},
	reserve("a payment beyond the reserve", 100_000, func(w *world) {
		w.signer.propose(pay(100_000)).refused("policy_refused")
		w.signer.propose(pay(90_000)).ok()
	}),
	reserve("two payments beyond the reserve", 100_000, func(w *world) {
		w.signer.propose(pay(60_000)).ok()
		w.signer.propose(pay(60_000)).refused("policy_refused")
	}),
	reserve("8 payments at the same time beyond the reserve", 100_000, func(w *world) {
		w.parallel(8, func(int) { w.signer.propose(pay(60_000)) })
	}),
	reserve("a sent payment and an open one beyond the reserve", 100_000, func(w *world) {
		w.signer.spend(w.signer.propose(pay(60_000)).id()).has("broadcast")
		w.signer.propose(pay(60_000)).refused("policy_refused")
	}),
	reserve("a fee beyond the reserve", 20_000, func(w *world) {
		w.signer.propose(pay(10_000).with(fields{"fee_rate_sat_vb": 100})).refused("policy_refused")
	}),
	reserve("a bump beyond the reserve", 100_000, func(w *world) {
		id := w.signer.spend(w.signer.propose(pay(90_000)).id()).has("broadcast").id()
		w.signer.bump(id, 100).refused("policy_refused")
	}),
}
