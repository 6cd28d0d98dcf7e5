package evasion

import "strings"

const (
	toList  = `{"version":1,"allow":[{"name":"list","to":[{"list":"known"}],"windows":[{"per":"24h","max_sat":500000}]}]}`
	toFresh = `{"version":1,"allow":[{"name":"fresh","to":[{"wallet":"ALIAS"}]}]}`
	entry0  = `{"address":"{foreign}"}`
	entry1  = `{"address":"{other}"}`
)

var destinationControl = attempt{"a payment to a recipient of the list, and to the pinned wallet", nil, func(w *world) {
	w.list("known", entry0)
	w.law("wallet", toList)
	w.signer.spend(w.signer.propose(payTo("{foreign}", 10_000)).id()).has("broadcast")
	w.law("wallet", toCold)
	w.proposer.propose(payTo("{cold}", 10_000)).ok()
}}

// fresh creates a wallet of the owner that the policy of the vault pins.
func (w *world) fresh() (alias, address string) {
	w.t.Helper()
	alias = unique("fresh")
	p := w.purse(w.owner, alias)
	w.put("wallet", strings.Replace(toFresh, "ALIAS", alias, 1)).ok()
	w.laws.set("wallet", document{Allow: &[]rule{{Name: "fresh", To: &[]target{{Address: p.receive[0]}}}}}, w.now())
	return alias, p.receive[0]
}

// pinned attempts to pay other recipients after a pinned wallet changed.
func pinned(name string, change func(w *world, alias, address string)) attempt {
	return attempt{name, nil, func(w *world) {
		alias, address := w.fresh()
		w.proposer.propose(payTo(address, 10_000)).ok()
		change(w, alias, address)
	}}
}

// edited attempts to send a payment to a recipient of a list that was changed after its creation.
func edited(name, policy, recipient string, change func(w *world), codes ...string) attempt {
	return attempt{name, nil, func(w *world) {
		w.list("known", entry0)
		w.law("wallet", policy)
		id := w.signer.propose(payTo(recipient, 10_000)).id()
		w.signer.sign(id).ok()
		change(w)
		w.signer.on(id, "broadcast").refused(codes...)
		w.signer.on(id, "broadcast").refused(codes...)
	}}
}

const denyList = `{"version":1,"deny":[{"list":"known"}]}`

var destinationAttempts = []attempt{
	pinned("a renamed wallet", func(w *world, alias, _ string) {
		w.owner.do("PATCH", "/wallets/"+alias, fields{"name": "Other", "alias": unique("renamed")}).ok()
		w.proposer.propose(pay(10_000)).refused("policy_refused")
	}),
	pinned("another wallet that takes the alias of a renamed one", func(w *world, alias, _ string) {
		w.owner.do("PATCH", "/wallets/"+alias, fields{"alias": unique("renamed")}).ok()
		other := w.purseOrAlias(w.owner, alias)
		w.proposer.propose(payTo(other, 10_000)).refused("policy_refused")
	}),
	pinned("a deleted wallet", func(w *world, alias, address string) {
		w.owner.do("DELETE", "/wallets/"+alias, nil).ok()
		w.proposer.propose(payTo(address, 10_000)).refused("policy_refused")
	}),
	pinned("a wallet that replaces a deleted one", func(w *world, alias, _ string) {
		w.owner.do("DELETE", "/wallets/"+alias, nil).ok()
		other := w.purseOrAlias(w.owner, alias)
		w.proposer.propose(payTo(other, 10_000)).refused("policy_refused")
	}),
	pinned("a wallet of another user with the same alias", func(w *world, alias, _ string) {
		other := w.purseOrAlias(w.outsider, alias)
		w.proposer.propose(payTo(other, 10_000)).refused("policy_refused")
	}),
	pinned("a wallet of the proposer with the same alias", func(w *world, alias, _ string) {
		other := w.purseOrAlias(w.proposer, alias)
		w.proposer.propose(payTo(other, 10_000)).refused("policy_refused")
	}),
	pinned("the deletion of the wallet between create and broadcast", func(w *world, alias, address string) {
		id := w.signer.propose(payTo(address, 10_000)).id()
		w.signer.sign(id).ok()
		w.owner.do("DELETE", "/wallets/"+alias, nil).ok()
		// The policy has not changed, and the address still has the keys of its owners.
		w.signer.on(id, "broadcast")
		w.proposer.propose(payTo(address, 10_000)).refused("policy_refused")
	}),
	{"a token with the alias of a wallet of another user", nil, func(w *world) {
		_, r := w.proposer.token(`{"version":1,"allow":[{"name":"a","to":[{"wallet":"copy"}]}]}`, nil)
		r.refused("invalid_input", "invalid_policy")
	}},
	{"a token with the id of a wallet that its user cannot see", nil, func(w *world) {
		_, r := w.outsider.token(`{"version":1,"allow":[{"name":"a","to":[{"wallet":"{cold-id}"}]}]}`, nil)
		r.refused("invalid_input", "invalid_policy")
	}},
	edited("a recipient is removed from the list", toList, "{foreign}", func(w *world) { w.list("known", entry1) }, "policy_changed"),
	edited("the list is emptied", toList, "{foreign}", func(w *world) { w.list("known") }, "policy_changed"),
	edited("the list is deleted", toList, "{foreign}", func(w *world) { w.unlist("known") }, "policy_changed"),
	edited("the recipient is added to a list that deny names", denyList, "{other}", func(w *world) { w.list("known", entry0, entry1) }, "policy_changed"),
	edited("the list is replaced by one of another name", toList, "{foreign}", func(w *world) {
		w.list("others", entry0)
		w.law("wallet", strings.Replace(toList, `"known"`, `"absent"`, 1))
	}, "policy_changed"),
	{"a list that does not exist", map[string]string{"wallet": toList}, func(w *world) {
		w.proposer.propose(payTo("{foreign}", 10_000)).refused("policy_refused")
	}},
	{"a list of another wallet", map[string]string{"wallet": toList}, func(w *world) {
		w.owner.do("PUT", "/wallets/cold/lists/known", `{"entries": [{"address": "{foreign}"}]}`).ok()
		w.proposer.propose(payTo("{foreign}", 10_000)).refused("policy_refused")
	}},
	{"a list changed by a signer", nil, func(w *world) {
		w.list("known", entry1)
		w.law("wallet", toList)
		w.putList(w.signer, "known", entry0).refused("insufficient_role")
		w.putList(w.proposer, "known", entry0).refused("insufficient_role")
		w.putList(w.outsider, "known", entry0).refused("wallet_not_found")
		w.proposer.propose(payTo("{foreign}", 10_000)).refused("policy_refused")
	}},
	{"a list whose name differs in case", nil, func(w *world) {
		w.list("known", entry1)
		w.law("wallet", toList)
		w.putList(w.owner, "Known", entry0)
		w.proposer.propose(payTo("{foreign}", 10_000)).refused("policy_refused")
	}},
	{"a list with a recipient in upper case", nil, func(w *world) {
		w.list("known", entry0)
		w.law("wallet", denyList)
		w.proposer.propose(payTo(strings.ToUpper(foreign(0)), 10_000)).refused("policy_refused")
	}},
}

// purseOrAlias creates a wallet with an alias that another one had, or with another alias if it may
// not be used again, and returns an address of it.
func (w *world) purseOrAlias(by *caller, alias string) string {
	w.t.Helper()
	first := int(9000 + uniqueNumber.Add(1))
	body := fields{"name": alias, "alias": alias, "birthday": "now", "descriptor": wpkh(w.t, first)}
	r := by.do("POST", "/wallets", body)
	if r.code() != "" {
		r.refused("alias_taken", "alias_used")
		body["alias"] = unique("another")
		r = by.do("POST", "/wallets", body).ok()
	}
	return by.do("POST", "/wallets/"+r.text("alias")+"/addresses", fields{}).ok().text("address")
}
