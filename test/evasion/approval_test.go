package evasion

import (
	"encoding/base64"
	"strings"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

const anyProposer = `{"version":1,"allow":[{"name":"approved","approvals":{"count":1}}]}`

var approvalControl = attempt{"a payment that another signer approves is released, signed and sent", map[string]string{"wallet": approve}, func(w *world) {
	id := w.signer.propose(pay(50_000)).has(awaiting).id()
	if r := w.second.on(id, "approve").has("created"); !strings.Contains(r.text("psbt"), "cHNidP8") {
		w.t.Error("the released proposal has no PSBT")
	}
	w.signer.do("GET", proposals+"/"+id+"/qr?format=bbqr", nil).ok()
	w.signer.spend(id).has("broadcast")
}}

// held makes attempts with a payment of a signer that awaits approval.
func held(name, policy string, steps func(w *world, id string)) attempt {
	return attempt{name, map[string]string{"wallet": policy}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		steps(w, id)
		w.owner.on(id, "").has(awaiting)
	}}
}

// shown attempts to get the PSBT of a payment that awaits approval from a path of the API.
func shown(path string, codes ...string) attempt {
	return held("GET "+path, approve, func(w *world, id string) {
		for _, c := range []*caller{w.signer, w.owner, w.proposer, w.viewer} {
			r := c.do("GET", strings.Replace(path, "ID", id, 1), nil)
			if len(codes) > 0 {
				r.refused(codes...)
			} else if r.status >= 500 {
				w.t.Errorf("%s: %d", r.what, r.status)
			}
		}
	})
}

// stored returns the PSBT of a proposal from the database.
func (w *world) stored(id string) (packet []byte) {
	w.t.Helper()
	testkit.Check(w.t, w.db.QueryRowContext(w.t.Context(), "SELECT psbt FROM proposals WHERE proposal_id = $1", id).Scan(&packet))
	return packet
}

// signed returns the PSBT with the signatures of the key of the vault.
func (w *world) signed(packet []byte) []byte {
	w.t.Helper()
	return w.node.Sign(w.t, packet, w.vault.signer)
}

var approvalAttempts = []attempt{
	held("an approval by the proposer", approve, func(w *world, id string) { w.signer.on(id, "approve").refused("not_an_approver") }),
	held("an approval by the proposer with the password of a token", approve, func(w *world, id string) {
		w.signer.basic().limited("").on(id, "approve").refused("not_an_approver")
	}),
	held("an approval by a token of the proposer where the proposer may approve", anyProposer, func(w *world, id string) {
		w.signer.on(id, "approve").refused("not_an_approver")
		w.signer.limited("").on(id, "approve").refused("not_an_approver")
		w.signer.basic().limited("").on(id, "approve").refused("not_an_approver")
	}),
	held("an approval by a child, a parent and a successor of the token", anyProposer, func(w *world, _ string) {
		t := w.signer.limited("")
		id := t.propose(pay(50_000)).has(awaiting).id()
		t.limited("").on(id, "approve").refused("not_an_approver")
		w.signer.on(id, "approve").refused("not_an_approver")
		t.rotate(t.id, "1h").on(id, "approve").refused("not_an_approver")
	}),
	held("two approvals by the same user", approveBy(2), func(w *world, id string) {
		w.second.on(id, "approve").has(awaiting)
		w.second.on(id, "approve").has(awaiting)
	}),
	held("approvals by two tokens of the same user", approveBy(2), func(w *world, id string) {
		w.second.on(id, "approve").has(awaiting)
		w.second.basic().limited("").on(id, "approve").has(awaiting)
	}),
	held("8 approvals at the same time by the same user", approveBy(2), func(w *world, id string) {
		w.parallel(8, func(int) { w.second.on(id, "approve") })
	}),
	held("an approval by a viewer and a proposer", approve, func(w *world, id string) {
		w.viewer.on(id, "approve").refused("not_an_approver")
		w.proposer.on(id, "approve").refused("not_an_approver")
	}),
	held("an approval by an admin who is not a member", approve, func(w *world, id string) {
		t := w.admin.limited("")
		t.on(id, "approve").refused("wallet_not_found")
	}),
	held("an approval with a token without the scope", approve, func(w *world, id string) {
		t, r := w.second.token("", fields{"scopes": []string{"proposals:read", "proposals:create", "proposals:sign", "proposals:broadcast"}})
		r.ok()
		t.on(id, "approve").refused("insufficient_scope")
	}),
	held("an approval with a token limited to another wallet", approve, func(w *world, id string) {
		t, r := w.second.token("", fields{"wallets": []string{"cold"}})
		r.ok()
		t.on(id, "approve").refused("wallet_not_found", "token_not_for_wallet")
	}),
	held("an approval through another wallet", approve, func(w *world, id string) {
		w.second.do("POST", "/wallets/cold/proposals/"+id+"/approve", nil).refused("proposal_not_found", "not_found")
	}),
	held("an approval under a user name of the policy in another case", strings.Replace(approve, `"count":1`, `"count":1,"of":["user:OTTO"]`, 1), func(w *world, id string) {
		w.second.on(id, "approve").refused("not_an_approver")
		w.owner.on(id, "approve").refused("not_an_approver")
	}),
	held("an approval with an old ETag", approveBy(2), func(w *world, id string) {
		w.second.do("POST", proposals+"/"+id+"/approve", nil, "If-Match", `"99"`).refused("proposal_changed", "proposal_modified", "changed")
	}),
	{"an approval before the transaction is bumped", map[string]string{"wallet": approve}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		w.second.on(id, "approve").has("created")
		w.signer.bump(id, 9).has(awaiting)
	}},
	{"an approval before the transaction is replaced by another one", map[string]string{"wallet": approve}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		w.second.on(id, "approve").has("created")
		w.signer.propose(pay(50_001).with(fields{"replaces": id, "fee_rate_sat_vb": 9})).has(awaiting)
	}},
	{"an approval before the policy changes", map[string]string{"wallet": approve}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		w.second.on(id, "approve").has("created")
		w.signer.sign(id).ok()
		w.law("wallet", approveBy(2))
		w.signer.on(id, "broadcast").refused("policy_changed")
		w.signer.on(id, "").has(awaiting)
		w.second.on(id, "approve").has(awaiting)
		w.signer.on(id, "broadcast").refused(awaiting)
	}},
	{"one of two approvals before the policy changes", map[string]string{"wallet": approveBy(2)}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		w.second.on(id, "approve").has(awaiting)
		w.law("wallet", strings.Replace(approveBy(2), "approved", "renamed", 1))
		w.owner.on(id, "approve")
		w.owner.on(id, "approve")
		w.owner.on(id, "").has(awaiting)
	}},
	{"an approval after a rejection", map[string]string{"wallet": approve}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		w.second.on(id, "reject").has("rejected")
		w.owner.on(id, "approve").refused("invalid_status")
		w.signer.do("GET", proposals+"/"+id+"/qr", nil).refused("invalid_status")
		w.signer.upload(id, w.signed(w.stored(id))).refused("invalid_status")
	}},
	{"an approval after the proposal was cancelled", map[string]string{"wallet": approve}, func(w *world) {
		id := w.signer.propose(pay(50_000)).has(awaiting).id()
		w.signer.on(id, "cancel").ok()
		w.second.on(id, "approve").refused("invalid_status")
		w.signer.on(id, "").has("cancelled")
	}},
	held("signatures", approve, func(w *world, id string) { w.signer.upload(id, w.signed(w.stored(id))).refused(awaiting) }),
	held("the signed transaction as signatures", approve, func(w *world, id string) {
		w.signer.upload(id, w.node.Finalize(w.t, w.signed(w.stored(id)))).refused(awaiting)
	}),
	held("signatures as text", approve, func(w *world, id string) {
		text := base64.StdEncoding.EncodeToString(w.signed(w.stored(id)))
		w.signer.do("POST", proposals+"/"+id+"/signatures", text, "Content-Type", "text/plain").refused(awaiting)
	}),
	held("broadcast", approve, func(w *world, id string) { w.signer.on(id, "broadcast").refused(awaiting) }),
	held("abandon", approve, func(w *world, id string) { w.signer.on(id, "abandon").refused(awaiting) }),
	held("a dry run", approve, func(w *world, _ string) {
		w.signer.propose(pay(50_000).with(fields{"dry_run": true})).has(awaiting)
		w.signer.do("POST", policyPath+"/simulate", pay(50_000)).ok()
	}),
	held("a repeated creation with the same idempotency key", approve, func(w *world, _ string) {
		id := w.signer.propose(pay(50_000), "Idempotency-Key", "held").has(awaiting).id()
		w.second.on(id, "approve").has("created")
		w.signer.propose(pay(50_000), "Idempotency-Key", "held").has(awaiting)
	}),
	shown(proposals + "/ID"),
	shown(proposals+"/ID/qr", awaiting),
	shown(proposals+"/ID/qr?format=bbqr", awaiting),
	shown(proposals+"/ID/qr?format=ur&fragment_size=20&first=1&count=40", awaiting),
	shown(proposals+"/ID/qr?device=coldcard", awaiting),
	shown(proposals),
	shown(proposals + "?status=awaiting_approval"),
	shown("{v}/events"),
	shown("/events"),
	shown("{v}/transactions"),
	shown("{v}/transactions?format=csv"),
	shown("/transactions"),
	shown("{v}/utxos"),
	shown("{v}/labels"),
	shown("{v}/export?format=core"),
	shown(policyPath + "/usage"),
	shown(alphaProposals),
	held("the pages of the console", approve, func(w *world, id string) {
		b := w.browser(w.signer)
		for _, path := range []string{"", "/psbt", "/qr", "/qr?format=bbqr", "/bump"} {
			page := b.get("/wallets/vault/proposals/" + id + path)
			w.search(id, page)
			if strings.Contains(page.body, `class="qr"`) {
				w.t.Errorf("%s shows QR codes", page.what)
			}
		}
		w.search(id, b.get("/"))
	}),
}
