package evasion

import (
	"fmt"
	"strings"
)

// Policies of several kinds of attempts.
const (
	budget   = `{"version":1,"allow":[{"name":"budget","windows":[{"per":"24h","max_sat":200000}]}]}`
	half     = `{"version":1,"allow":[{"name":"budget","windows":[{"per":"24h","max_sat":100000}]}]}`
	double   = `{"version":1,"allow":[{"name":"budget","windows":[{"per":"24h","max_sat":400000}]}]}`
	toCold   = `{"version":1,"allow":[{"name":"cold","to":[{"wallet":"cold"}],"windows":[{"per":"24h","max_sat":200000}]}]}`
	nothing  = `{"version":1,"allow":[]}`
	noneMore = `{"version":1}`
	approve  = `{"version":1,"allow":[{"name":"approved","approvals":{"count":1,"not_proposer":true}}]}`
)

func named(policy, name string) string {
	return strings.Replace(policy, `"name":"budget"`, `"name":"`+name+`"`, 1)
}

var tokenControl = attempt{"a token and its child pay within the budget", nil, func(w *world) {
	parent := w.proposer.limited(budget)
	parent.propose(pay(50_000)).ok()
	parent.limited(half).propose(pay(50_000)).ok()
	parent.propose(payTo("{cold}", 50_000)).ok()
}}

// childCannot attempts to give a child token a policy that permits more.
func childCannot(name, parent, child string) attempt {
	return attempt{"a child token with " + name, nil, func(w *world) {
		t := w.proposer.limited(parent)
		_, r := t.token(child, nil)
		r.refused("policy_wider")
	}}
}

// childShares attempts to pay with a child token what the parent does not have any more.
func childShares(name, child string) attempt {
	return attempt{"a child token with " + name + " pays more", nil, func(w *world) {
		t := w.proposer.limited(budget)
		c := t.limited(child)
		t.propose(pay(60_000)).ok()
		c.propose(pay(70_000)).ok()
		c.propose(pay(80_000)).refused("policy_refused")
		t.propose(pay(80_000)).refused("policy_refused")
	}}
}

// deleted attempts to pay with a token of which remove deletes the parent or itself.
func deleted(name, code string, remove func(w *world, parent, child *caller)) attempt {
	return attempt{name, nil, func(w *world) {
		parent := w.proposer.limited(budget)
		child := parent.limited(budget)
		parent.propose(pay(150_000)).ok()
		remove(w, parent, child)
		child.propose(pay(60_000)).refused(code)
	}}
}

var tokenAttempts = []attempt{
	childCannot("a larger window", budget, double),
	childCannot("a window of a shorter period", budget, strings.Replace(budget, "24h", "1h", 1)),
	childCannot("a rule without windows", budget, `{"version":1,"allow":[{"name":"budget"}]}`),
	childCannot("other recipients", toCold, strings.Replace(toCold, `{"wallet":"cold"}`, `{"wallet":"cold"},{"address":"{foreign}"}`, 1)),
	childCannot("any recipient", toCold, strings.Replace(toCold, `"to":[{"wallet":"cold"}],`, "", 1)),
	childCannot("no rules", budget, noneMore),
	childCannot("a rule of the parent and a wider one", budget, `{"version":1,"allow":[{"name":"budget","windows":[{"per":"24h","max_sat":200000}]},{"name":"b"}]}`),
	childCannot("fewer approvals", approve, `{"version":1,"allow":[{"name":"approved"}]}`),
	childCannot("approvals of others", approve, `{"version":1,"allow":[{"name":"approved","approvals":{"count":1,"of":["role:proposer"],"not_proposer":true}}]}`),
	childShares("the same policy", budget),
	childShares("a rule of another name", named(budget, "other")),
	childShares("no policy", ""),
	childShares("two rules", `{"version":1,"allow":[{"name":"budget","windows":[{"per":"24h","max_sat":200000}]},{"name":"b","windows":[{"per":"24h","max_sat":200000}]}]}`),
	{"a grandchild token without a policy", nil, func(w *world) {
		t := w.proposer.limited(budget)
		t.limited("").limited("").propose(pay(250_000)).refused("policy_refused")
		t.propose(pay(150_000)).ok()
		t.limited("").limited("").propose(pay(60_000)).refused("policy_refused")
	}},
	{"a grandchild token of a child without a policy", nil, func(w *world) {
		_, r := w.proposer.limited(budget).limited("").token(double, nil)
		r.refused("policy_wider")
	}},
	{"two children share the budget of the parent", nil, func(w *world) {
		t := w.proposer.limited(budget)
		t.limited(budget).propose(pay(150_000)).ok()
		t.limited(budget).propose(pay(60_000)).refused("policy_refused")
	}},
	{"a child token limited to another wallet", nil, func(w *world) {
		t := w.proposer.limited(budget)
		c, r := t.token("", fields{"wallets": []string{"cold"}})
		r.ok()
		c.propose(pay(50_000)).refused("wallet_not_found", "token_not_for_wallet")
	}},
	{"a child of a token that is limited to another wallet", nil, func(w *world) {
		t, r := w.proposer.token(budget, fields{"wallets": []string{"cold"}})
		r.ok()
		_, r = t.token("", fields{"wallets": []string{"vault"}})
		r.refused("invalid_input")
	}},
	{"a rotated token in its grace period, and its successor", nil, func(w *world) {
		t := w.proposer.limited(budget)
		next := t.rotate(t.id, "1h")
		t.propose(pay(120_000)).ok()
		next.propose(pay(90_000)).refused("policy_refused")
		next.propose(pay(60_000)).ok()
		t.propose(pay(60_000)).refused("policy_refused")
	}},
	{"a token that is rotated ten times", nil, func(w *world) {
		t := w.proposer.limited(budget)
		t.propose(pay(150_000)).ok()
		for range 10 {
			t = t.rotate(t.id, "0s")
		}
		t.propose(pay(60_000)).refused("policy_refused")
	}},
	{"a successor of a token that was rotated by the password", nil, func(w *world) {
		t := w.proposer.limited(budget)
		t.propose(pay(150_000)).ok()
		w.proposer.basic().rotate(t.id, "0s").propose(pay(60_000)).refused("policy_refused")
	}},
	{"a child of a successor", nil, func(w *world) {
		t := w.proposer.limited(budget)
		t.propose(pay(150_000)).ok()
		next := t.rotate(t.id, "1h")
		next.limited("").propose(pay(60_000)).refused("policy_refused")
	}},
	{"a child that outlives the rotation of its parent", nil, func(w *world) {
		t := w.proposer.limited(budget)
		c := t.limited("")
		t.propose(pay(150_000)).ok()
		t.rotate(t.id, "1h")
		c.propose(pay(60_000)).refused("policy_refused")
	}},
	{"a token rotates its parent", nil, func(w *world) {
		t := w.proposer.limited(budget)
		c := t.limited("")
		t.propose(pay(150_000)).ok()
		r := c.do("POST", "/tokens/"+t.id+"/rotate", fields{"grace_period": "1h"})
		r.refused("not_own_token")
	}},
	deleted("a token that deletes itself", "unauthenticated", func(_ *world, _, child *caller) { child.do("DELETE", "/tokens/self", nil).ok() }),
	deleted("a token that deletes its parent", "policy_refused", func(_ *world, parent, child *caller) {
		child.do("DELETE", "/tokens/"+parent.id, nil).refused("not_own_token")
	}),
	deleted("a parent that deletes its child", "unauthenticated", func(_ *world, parent, child *caller) { parent.do("DELETE", "/tokens/"+child.id, nil).ok() }),
	deleted("a child of a parent that is rotated at once", "unauthenticated", func(_ *world, parent, _ *caller) { parent.rotate(parent.id, "0s") }),
	{"a token deletes itself after its payment awaits approval", nil, func(w *world) {
		t := w.signer.limited(approve)
		id := t.propose(pay(50_000)).has(awaiting).id()
		t.do("DELETE", "/tokens/self", nil).ok()
		w.signer.on(id, "").has(awaiting)
		w.signer.on(id, "approve").refused("not_an_approver")
	}},
	{"a token is revoked while it sends payments", nil, func(w *world) {
		t := w.proposer.limited(budget)
		w.parallel(8, func(i int) {
			if i == 3 {
				w.proposer.do("DELETE", "/tokens/"+t.id, nil).ok()
			}
			t.propose(pay(40_000))
		})
		t.propose(pay(1_000)).refused("unauthenticated")
	}},
	{"a token widens its own policy", nil, func(w *world) {
		t := w.proposer.limited(budget)
		t.do("PATCH", "/tokens/"+t.id, `{"policy": {"version":1}}`).refused("method_not_allowed")
		t.do("PUT", "/tokens/"+t.id, `{"policy": {"version":1}}`).refused("method_not_allowed")
		t.propose(pay(250_000)).refused("policy_refused")
	}},
}

// approveBy returns a policy that requires approvals of several others.
func approveBy(n int) string {
	return strings.Replace(approve, `"count":1`, fmt.Sprintf(`"count":%d`, n), 1)
}
