package evasion

import (
	"os"
	"strings"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// guarded is a budget that two owners can loosen after two days.
const guarded = `{"version":1,"allow":[{"name":"budget","windows":[{"per":"24h","max_sat":200000}]}],"change":{"approvals":2,"of":["role:owner"],"delay":"48h"}}`

var loosenControl = attempt{"a tighter policy takes effect at once, a wider one without conditions also", map[string]string{"wallet": budget}, func(w *world) {
	w.law("wallet", half)
	w.proposer.propose(pay(150_000)).refused("policy_refused")
	w.law("wallet", double)
	w.proposer.propose(pay(350_000)).ok()
}}

// loosened attempts a change that permits more, which must await its conditions or be an error.
func loosened(name string, change func(w *world) reply, codes ...string) attempt {
	return attempt{name, map[string]string{"wallet": guarded}, func(w *world) {
		w.pendingOr(change(w), codes...)
		w.proposer.propose(pay(250_000)).refused("policy_refused")
		w.proposer.propose(pay(150_000)).ok()
		w.proposer.propose(pay(60_000)).refused("policy_refused")
	}}
}

// pendingOr fails the attempt unless a change is pending, or an error has one of the codes.
func (w *world) pendingOr(r reply, codes ...string) {
	w.t.Helper()
	switch pending := r.fields["pending"]; {
	case len(codes) > 0:
		r.refused(codes...)
	case pending == nil:
		w.t.Errorf("%s: %d %s, want a pending change", r.what, r.status, r.short())
	}
}

func put(policy string, headers ...string) func(w *world) reply {
	return func(w *world) reply { return w.put("wallet", policy, headers...) }
}

// raw sends a body that may not be valid JSON.
func raw(body string) func(w *world) reply {
	return func(w *world) reply { return w.owner.do("PUT", policyPath, body) }
}

// wider is guarded with a larger window, in which a text is replaced.
func wider(old, text string) string {
	return strings.Replace(strings.Replace(guarded, "200000", "400000", 1), old, text, 1)
}

// protected attempts to loosen the policy of a member, which the policy of the wallet protects.
func protected(name string, steps func(w *world)) attempt {
	return attempt{name, map[string]string{"member:pat": budget, "wallet": `{"version":1,"change":{"approvals":2,"delay":"48h"}}`}, func(w *world) {
		steps(w)
		w.proposer.propose(pay(250_000)).refused("policy_refused")
	}}
}

// listed attempts to loosen a policy by a change of a list that it names.
func listed(name, policy string, change func(w *world) reply) attempt {
	return attempt{name, nil, func(w *world) {
		w.list("known", entry0)
		w.law("wallet", strings.Replace(policy, `{"version":1,`, `{"version":1,"change":{"approvals":2,"delay":"48h"},`, 1))
		recipient := "{other}"
		if policy == denyList {
			recipient = "{foreign}"
		}
		w.pendingOr(change(w))
		w.proposer.propose(payTo(recipient, 10_000)).refused("policy_refused")
	}}
}

var loosenAttempts = []attempt{
	loosened("a larger window", put(wider("", ""))),
	loosened("no policy", func(w *world) reply { return w.owner.do("DELETE", policyPath, nil) }),
	loosened("an empty policy", put(`{"version":1}`)),
	loosened("only change", put(`{"version":1,"change":{"approvals":2,"of":["role:owner"],"delay":"48h"}}`)),
	loosened("another name of the rule", put(strings.Replace(guarded, `"name":"budget"`, `"name":"other"`, 1))),
	loosened("a second rule", put(strings.Replace(guarded, `"allow":[`, `"allow":[{"name":"more","windows":[{"per":"24h","max_sat":100000}]},`, 1))),
	loosened("no change", put(budget)),
	loosened("fewer approvals of change", put(strings.Replace(guarded, `"approvals":2`, `"approvals":1`, 1))),
	loosened("a shorter delay of change", put(strings.Replace(guarded, "48h", "1h", 1))),
	loosened("other approvers of change", put(strings.Replace(guarded, "role:owner", "role:proposer", 1))),
	loosened("a user as the approver of change", put(strings.Replace(guarded, `["role:owner"]`, `["role:owner","user:pat"]`, 1))),
	loosened("a tighter window and a wider one", put(strings.Replace(guarded, `{"per":"24h","max_sat":200000}`, `{"per":"7d","max_sat":200001}`, 1))),
	loosened("a longer window of the same sum and no short one", put(strings.Replace(guarded, `"24h"`, `"1h"`, 1))),
	loosened("an old ETag", put(wider("", ""), "If-Match", `"0000"`), "policy_modified"),
	loosened("two changes at the same time", func(w *world) reply {
		w.put("wallet", wider("", "")).ok()
		return w.put("wallet", `{"version":1}`)
	}),
	loosened("an approval by the same owner", func(w *world) reply {
		r := w.put("wallet", wider("", ""))
		w.owner.do("POST", policyPath+"/changes/"+w.pendingID(r)+"/approve", nil).ok()
		w.owner.basic().limited("").do("POST", policyPath+"/changes/"+w.pendingID(r)+"/approve", nil).ok()
		return r
	}),
	loosened("all approvals without the delay", func(w *world) reply {
		r := w.put("wallet", wider("", ""))
		w.partner.do("POST", policyPath+"/changes/"+w.pendingID(r)+"/approve", nil).ok()
		return r
	}),
	loosened("an approval by a signer, an admin and an outsider", func(w *world) reply {
		r := w.put("wallet", wider("", ""))
		path := policyPath + "/changes/" + w.pendingID(r) + "/approve"
		w.signer.do("POST", path, nil).refused("not_an_approver")
		w.admin.limited("").do("POST", path, nil).refused("wallet_not_found")
		w.outsider.do("POST", path, nil).refused("wallet_not_found")
		return r
	}),
	loosened("an approved change replaced by a wider one", func(w *world) reply {
		r := w.put("wallet", strings.Replace(guarded, "200000", "200001", 1))
		w.partner.do("POST", policyPath+"/changes/"+w.pendingID(r)+"/approve", nil).ok()
		next := w.put("wallet", wider("", ""))
		w.partner.do("POST", policyPath+"/changes/"+w.pendingID(r)+"/approve", nil).refused("policy_change_not_found")
		return next
	}),
	loosened("a policy set by a signer", func(w *world) reply { return w.signer.do("PUT", policyPath, `{"policy": {"version":1}}`) }, "insufficient_role"),
	loosened("a policy set by a proposer", func(w *world) reply { return w.proposer.do("DELETE", policyPath, nil) }, "insufficient_role"),
	loosened("a policy set by an admin who is not an owner", func(w *world) reply {
		return w.admin.limited("").do("PUT", policyPath, `{"policy": {"version":1}}`)
	}, "wallet_not_found"),
	loosened("a token without the scope", func(w *world) reply {
		t, r := w.owner.token("", fields{"scopes": []string{"wallets:read", "wallets:write", "members:write", "policies:read"}})
		r.ok()
		return t.do("PUT", policyPath, `{"policy": {"version":1}}`)
	}, "insufficient_scope"),
	loosened("a policy of the server without limits", func(w *world) reply {
		w.law("server", `{"version":1}`)
		return w.put("wallet", wider("", ""))
	}),
	loosened("duplicate keys", raw(`{"policy": {"version":1,"allow":[{"name":"budget","windows":[{"per":"24h","max_sat":200000,"max_sat":400000}]}]}}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("two policies in one body", raw(`{"policy": `+guarded+`, "policy": {"version":1}}`), "invalid_json", "invalid_input"),
	loosened("an unknown field", raw(`{"policy": `+wider(`"version":1`, `"version":1,"comment":"x"`)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a field in another case", raw(`{"policy": `+wider(`"change"`, `"Change"`)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a number with an exponent", raw(`{"policy": `+strings.Replace(guarded, "200000", "4e5", 1)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a number with a fraction", raw(`{"policy": `+strings.Replace(guarded, "200000", "400000.0", 1)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a huge number", raw(`{"policy": `+strings.Replace(guarded, "200000", "99999999999999999999999", 1)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a number beyond 64 bits that wraps", raw(`{"policy": `+strings.Replace(guarded, "200000", "18446744073709951616", 1)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a negative number", raw(`{"policy": `+strings.Replace(guarded, "200000", "-1", 1)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a number as a text", raw(`{"policy": `+strings.Replace(guarded, "200000", `"400000"`, 1)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("null instead of windows", raw(`{"policy": `+strings.Replace(guarded, `[{"per":"24h","max_sat":200000}]`, `null`, 1)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("null instead of change", raw(`{"policy": `+strings.Replace(guarded, `{"approvals":2,"of":["role:owner"],"delay":"48h"}`, `null`, 1)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("null instead of a policy", raw(`{"policy": null}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("an empty object", raw(`{"policy": {}}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("another version", raw(`{"policy": `+wider(`"version":1`, `"version":2`)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a byte order mark", raw("\ufeff"+`{"policy": {"version":1}}`), "invalid_json", "invalid_input"),
	loosened("data after the document", raw(`{"policy": `+guarded+`} {"policy": {"version":1}}`), "invalid_json", "invalid_input"),
	loosened("invalid UTF-8 in a name", raw(`{"policy": `+strings.Replace(guarded, `"budget"`, "\"bud\xffget\"", 1)+`}`), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a name with an invisible character", put(strings.Replace(guarded, `"name":"budget"`, `"name":"bud\u200bget"`, 1)), "invalid_json", "invalid_input", "invalid_policy"),
	loosened("a name that looks the same", put(strings.Replace(guarded, `"name":"budget"`, `"name":"budgеt"`, 1))),
	loosened("a name in decomposed form beside the rule", put(strings.Replace(guarded, `"allow":[`, `"allow":[{"name":"Budget"},`, 1))),
	protected("the policy of the member is deleted", func(w *world) { w.pendingOr(w.owner.do("DELETE", "{v}/members/pat/policy", nil)) }),
	protected("the policy of the member is widened", func(w *world) { w.pendingOr(w.put("member:pat", double)) }),
	protected("the member is removed and invited again", func(w *world) {
		withRoles(func(w *world) {
			w.owner.do("DELETE", "{v}/members/pat", nil).ok()
			w.join(w.proposer, "vault", "signer")
			w.proposer.propose(pay(250_000)).refused("policy_refused")
		})(w)
	}),
	protected("the policy of the member is changed while he is away", func(w *world) {
		withRoles(func(w *world) {
			w.owner.do("DELETE", "{v}/members/pat", nil).ok()
			w.owner.do("DELETE", "{v}/members/pat/policy", nil)
			w.put("member:pat", double)
		})(w)
	}),
	listed("a recipient is added to a list", toList, func(w *world) reply { return w.putList(w.owner, "known", entry0, entry1) }),
	listed("a recipient of a list is replaced", toList, func(w *world) reply { return w.putList(w.owner, "known", entry1) }),
	listed("a denied recipient is removed from a list", denyList, func(w *world) reply { return w.putList(w.owner, "known", entry1) }),
	listed("a list of denied recipients is deleted", denyList, func(w *world) reply { return w.owner.do("DELETE", "{v}/lists/known", nil) }),
	listed("a recipient is added twice in two changes", toList, func(w *world) reply {
		w.putList(w.owner, "known", entry0, entry1).ok()
		return w.putList(w.owner, "known", entry1, entry0)
	}),
	{"a list extended while a pending policy names it", map[string]string{"wallet": guarded}, func(w *world) {
		w.list("soon", entry0)
		const more = `"allow":[{"name":"soon","to":[{"list":"soon"}]},`
		w.pendingOr(w.put("wallet", strings.Replace(guarded, `"allow":[`, more, 1)))
		w.pendingOr(w.putList(w.owner, "soon", entry0, entry1))
		w.proposer.propose(payTo("{other}", 250_000)).refused("policy_refused")
	}},
	{"the policy of the server is loosened by one admin", map[string]string{"server": strings.Replace(guarded, "role:owner", "role:admin", 1)}, func(w *world) {
		w.pendingOr(w.put("server", `{"version":1}`))
		w.proposer.propose(pay(250_000)).refused("policy_refused")
		w.pendingOr(w.admin.do("DELETE", "/policy", nil))
		w.proposer.propose(pay(250_000)).refused("policy_refused")
		w.owner.do("DELETE", "/policy", nil).refused("insufficient_role", "admin_required", "password_required", "forbidden", "wrong_credentials", "unauthenticated")
	}},
	{"an edit with SQL by an admin works, as the guide states", map[string]string{"wallet": guarded}, func(w *world) {
		w.sql(w.t, "UPDATE policies SET document = $1", double)
		w.laws.set("wallet", w.document(double), w.now())
		w.proposer.propose(pay(250_000)).ok()
		if guide := w.guide(); !strings.Contains(guide, "write to the database with SQL are trusted") {
			w.t.Error("docs/policies.md does not state that admins who write to the database are trusted")
		}
	}},
}

// pendingID returns the id of the pending change in a response.
func (w *world) pendingID(r reply) string {
	w.t.Helper()
	pending, _ := r.fields["pending"].(map[string]any)
	id, _ := pending["id"].(string)
	if id == "" {
		w.t.Fatalf("%s: %d %s, want a pending change", r.what, r.status, r.short())
	}
	return id
}

// guide returns the guide to policies.
func (w *world) guide() string {
	w.t.Helper()
	text := testkit.Value(os.ReadFile("../../docs/policies.md"))(w.t)
	return strings.Join(strings.Fields(string(text)), " ")
}
