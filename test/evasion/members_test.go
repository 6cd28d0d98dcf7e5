package evasion

var memberControl = attempt{"a member pays within the own budget, and others without one", map[string]string{"member:pat": budget}, func(w *world) {
	w.proposer.propose(pay(150_000)).ok()
	w.signer.propose(pay(250_000)).ok()
	w.signer.spend(w.signer.propose(pay(250_000)).id()).has("broadcast")
}}

// withRoles undoes the changes of roles after the steps.
func withRoles(steps func(w *world)) func(w *world) {
	return func(w *world) {
		defer w.restoreRoles()
		steps(w)
		w.verdict()
	}
}

var patHalf = map[string]string{"member:pat": budget}

var memberAttempts = []attempt{
	{"the token of another member without a policy", map[string]string{"wallet": budget}, func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		w.signer.propose(pay(60_000)).refused("policy_refused")
		w.owner.propose(pay(60_000)).refused("policy_refused")
	}},
	{"a second token of the member", patHalf, func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		w.proposer.basic().limited("").propose(pay(60_000)).refused("policy_refused")
	}},
	{"a member bumps the payment of another member over the own budget", patHalf, func(w *world) {
		id := w.signer.propose(pay(250_000)).id()
		w.proposer.bump(id, 9).refused("not_own_proposal", "forbidden", "policy_refused", "proposal_not_own", "insufficient_role")
	}},
	{"a member becomes signer and bumps the payment of another member", patHalf, withRoles(func(w *world) {
		w.role(w.proposer, "signer")
		id := w.signer.propose(pay(250_000)).id()
		w.proposer.bump(id, 9).refused("policy_refused")
	})},
	{"a member replaces a payment of another member over the own budget", patHalf, withRoles(func(w *world) {
		w.role(w.proposer, "signer")
		id := w.signer.spend(w.signer.propose(pay(250_000)).id()).id()
		w.proposer.propose(pay(260_000).with(fields{"replaces": id, "fee_rate_sat_vb": 9})).refused("policy_refused")
	})},
	{"a member becomes owner", patHalf, withRoles(func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		w.role(w.proposer, "owner")
		w.proposer.propose(pay(60_000)).refused("policy_refused")
	})},
	{"a member is downgraded between create and broadcast", nil, withRoles(func(w *world) {
		id := w.signer.propose(pay(50_000)).id()
		w.signer.sign(id).ok()
		w.role(w.signer, "proposer")
		w.signer.on(id, "broadcast").refused("insufficient_role", "forbidden")
	})},
	{"a member leaves and is invited again", patHalf, withRoles(func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		w.proposer.do("DELETE", "{v}/members/pat", nil).ok()
		w.proposer.propose(pay(60_000)).refused("wallet_not_found")
		w.join(w.proposer, "vault", "proposer")
		w.proposer.propose(pay(60_000)).refused("policy_refused")
	})},
	{"a member is removed and comes back with another role", patHalf, withRoles(func(w *world) {
		w.proposer.propose(pay(150_000)).ok()
		w.owner.do("DELETE", "{v}/members/pat", nil).ok()
		w.join(w.proposer, "vault", "signer")
		w.proposer.propose(pay(60_000)).refused("policy_refused")
	})},
	{"a member who left cannot approve", map[string]string{"wallet": approve}, withRoles(func(w *world) {
		id := w.proposer.propose(pay(50_000)).has(awaiting).id()
		w.signer.do("DELETE", "{v}/members/sam", nil).ok()
		w.roles["sam"] = ""
		w.signer.on(id, "approve").refused("wallet_not_found")
	})},
	{"an approval of a member who leaves before the second approval", map[string]string{"wallet": approveBy(2)}, withRoles(func(w *world) {
		id := w.proposer.propose(pay(50_000)).has(awaiting).id()
		w.signer.on(id, "approve").has(awaiting)
		w.owner.do("DELETE", "{v}/members/sam", nil).ok()
		w.roles["sam"] = ""
		w.second.on(id, "approve").has(awaiting)
	})},
	{"an approval of a member who becomes proposer before the second approval", map[string]string{"wallet": approveBy(2)}, withRoles(func(w *world) {
		id := w.proposer.propose(pay(50_000)).has(awaiting).id()
		w.signer.on(id, "approve").has(awaiting)
		w.role(w.signer, "proposer")
		w.second.on(id, "approve").has(awaiting)
	})},
	{"a user deleted and created again with the same name", map[string]string{"wallet": budget}, func(w *world) {
		u := w.guest("rex", "proposer")
		u.propose(pay(150_000)).ok()
		w.admin.do("DELETE", "/users/"+u.name, nil).ok()
		again := w.user(u.name)
		again.propose(pay(10_000)).refused("wallet_not_found")
		w.join(again, "vault", "proposer")
		again.propose(pay(60_000)).refused("policy_refused")
		w.owner.do("DELETE", "{v}/members/"+u.name, nil).ok()
	}},
	{"a user created again with the name of an approver", map[string]string{"wallet": `{"version":1,"allow":[{"name":"approved","approvals":{"count":1,"of":["user:rob"]}}]}`}, func(w *world) {
		id := w.proposer.propose(pay(50_000)).has(awaiting).id()
		rob := w.user("rob")
		rob.on(id, "approve").refused("wallet_not_found")
		w.join(rob, "cold", "owner")
		rob.on(id, "approve").refused("wallet_not_found")
	}},
	{"a disabled user cannot approve", map[string]string{"wallet": approve}, func(w *world) {
		u := w.guest("ray", "signer")
		id := w.proposer.propose(pay(50_000)).has(awaiting).id()
		w.admin.do("PATCH", "/users/"+u.name, fields{"disabled": true}).ok()
		u.on(id, "approve").refused("unauthenticated")
	}},
	{"a viewer proposes", nil, func(w *world) {
		w.viewer.propose(pay(10_000)).refused("insufficient_role", "forbidden")
		w.viewer.proposeAlpha(alpha(10_000, "sat", nil)).refused("insufficient_role", "forbidden", "")
	}},
	{"an outsider proposes and approves", map[string]string{"wallet": approve}, func(w *world) {
		id := w.proposer.propose(pay(50_000)).has(awaiting).id()
		w.outsider.propose(pay(10_000)).refused("wallet_not_found")
		w.outsider.on(id, "approve").refused("wallet_not_found")
		w.outsider.on(id, "").refused("wallet_not_found")
	}},
	{"a limited token invites an accomplice", nil, func(w *world) {
		t := w.owner.limited(budget)
		t.propose(pay(150_000)).ok()
		for _, role := range []string{"proposer", "signer", "owner"} {
			t.do("POST", "{v}/invitations", fields{"user": "mal", "role": role}).refused("scope_exceeded")
			t.limited("").do("POST", "{v}/invitations", fields{"user": "mal", "role": role}).refused("scope_exceeded")
		}
		t.do("POST", "{v}/invitations", fields{"user": "mal", "role": "viewer"}).ok()
		w.outsider.propose(pay(10_000)).refused("wallet_not_found")
	}},
	{"a limited token makes a viewer a proposer", nil, withRoles(func(w *world) {
		t := w.owner.limited(budget)
		t.do("PUT", "{v}/members/vic", fields{"role": "proposer"}).refused("scope_exceeded")
		w.viewer.propose(pay(250_000)).refused("insufficient_role")
	})},
}

// guest creates a user and makes it a member of the vault.
func (w *world) guest(name, role string) *caller {
	w.t.Helper()
	u := w.user(unique(name))
	w.join(u, "vault", role)
	w.roles[u.name] = role
	return u
}
