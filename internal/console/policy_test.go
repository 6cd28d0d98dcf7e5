package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestPolicy is the life of a policy on its pages: the form with its problems, the review, a payment
// that it refuses, and a change that loosens it and waits for a second owner.
func TestPolicy(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		t.Helper()
		alice, bob, carol := s.user(t, "alice", false), s.user(t, "bob", false), s.user(t, "carol", false)
		w := alice.funded("treasury")
		alice.member(w.alias, bob, "owner")
		alice.member(w.alias, carol, "viewer")
		const page = "/wallets/treasury/policy"

		p := alice.get(page).want(http.StatusOK, "No policy", "Petty cash", "At most 1 000 000 sat within 7 days", "It cannot stop the holders of the keys").follow("Petty cash")
		p.submit(page+"/edit", "allow[0].max_payment_sat", "many", "allow[0].delay", "soon").
			want(http.StatusBadRequest, "Must be a whole number of satoshis", "Must be a duration")
		p = p.submit(page+"/edit", "allow[0].max_payment_sat", "60000", "change.approvals", "2", "allow[0].windows[0].max_sat", "", "allow[0].windows[0].per", "").
			want(http.StatusOK, "This takes effect at once", "A payment is at most 60 000 sat.", "The rule petty cash limits only single payments")
		p.submit(page).want(http.StatusOK, "The policy was changed", "Set by alice", "The rule petty cash limits only single payments", "A change that loosens the policy requires 2 approvals by owners.")

		// The payment is refused with the limit of the rule, on the form and in a simulation.
		to := purseAddress(t, s.node)
		for path, action := range map[string]string{"/wallets/treasury/send": "preview", page + "/simulate": ""} {
			alice.get(path).submit(path, "recipients[0].address", to, "recipients[0].amount_sat", "100000", "fee_rate_sat_vb", "5", "action", action).
				want(statusOfRefusal(action), "A payment is at most", "Policy of the wallet, rule petty cash")
		}
		typing := []string{"recipients[0].address", to, "fee_rate_sat_vb", "5", "action", "typing", "recipients[0].amount_sat"}
		alice.get("/wallets/treasury/send").submit("/wallets/treasury/send", append(typing, "100000")...).want(http.StatusOK, "A payment is at most").lacks("Not complete yet:")
		alice.get("/wallets/treasury/send").submit("/wallets/treasury/send", append(typing, "")...).want(http.StatusOK, "Not complete yet: Amount of recipient 1")
		// In the unit and the language of the user.
		alice.post("/display", "unit", "btc")
		alice.get(page+"/simulate").submit(page+"/simulate", "recipients[0].address", to, "recipients[0].amount_sat", "0.001", "fee_rate_sat_vb", "5").
			want(http.StatusOK, "A payment is at most 0.00060000 BTC; this one is 0.00100000 BTC.").lacks(" sat;")
		alice.post("/display", "unit", "sat", "lang", "de")
		alice.get(page+"/simulate").submit(page+"/simulate", "recipients[0].address", to, "recipients[0].amount_sat", "100000", "fee_rate_sat_vb", "5").
			want(http.StatusOK, "Eine Zahlung beträgt höchstens 60 000 sat; diese beträgt 100 000 sat.")
		alice.post("/display", "unit", "sat", "lang", "en")
		alice.get(page+"/simulate").submit(page+"/simulate", "recipients[0].address", to, "recipients[0].amount_sat", "50000", "fee_rate_sat_vb", "5").
			want(http.StatusOK, "The rule petty cash limits only single payments", "Permitted", "It needs no approval and no delay.")

		payment := map[string]any{"recipients": []any{map[string]any{"address": to, "amount_sat": 50_000}}, "fee_rate_sat_vb": 5}
		for name, answer := range map[string]map[string]any{
			"read": alice.api("GET", "/api/v1"+page, nil), "simulate": alice.api("POST", "/api/v1"+page+"/simulate", payment),
			"set": alice.api("PUT", "/api/v1"+page, map[string]any{"policy": alice.api("GET", "/api/v1"+page, nil)["policy"]}),
		} {
			if text := fmt.Sprint(answer["warnings"]); !strings.Contains(text, "code:splittable") || !strings.Contains(text, "rule:petty cash") {
				t.Errorf("%s: warnings %s", name, text)
			}
		}

		// Loosening waits for the other owner. A viewer sees the change, but cannot decide.
		p = alice.get(page+"/edit").submit(page+"/edit", "allow[0].max_payment_sat", "200000")
		p.want(http.StatusOK, "This loosens the policy", "Highest payment rule petty cash A payment is at most 60 000 sat. A payment is at most 200 000 sat.", "requires 2 approvals by owners")
		p.submit(page).want(http.StatusOK, "It takes effect when its conditions are met", "A payment is at most 60 000 sat.", "1 missing", "Requested by alice").lacks("Approve the change")
		carol.get(page).want(http.StatusOK, "Pending change", "1 missing").lacks("Approve the change", "Cancel the change")
		p = bob.get(page).want(http.StatusOK, "Pending change")
		for _, form := range p.all("form", nil) {
			if action := attr(form, "action"); strings.HasSuffix(action, "/approve") {
				p.submit(action).want(http.StatusOK, "The policy was changed", "A payment is at most 200 000 sat").lacks("Pending change")
				return
			}
		}
		t.Errorf("bob cannot approve: %s", p.text())
	}, onOwnNode)
}

// statusOfRefusal returns the status of a form that a policy refuses: simulations succeed.
func statusOfRefusal(action string) int {
	if action == "" {
		return http.StatusOK
	}
	return http.StatusForbidden
}

// TestPolicy_Approval is a payment that awaits approval: the approver finds it on the home page, a
// rejection needs a reason, and the approval shows the PSBT.
func TestPolicy_Approval(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		t.Helper()
		alice, bob := s.user(t, "alice", false), s.user(t, "bob", false)
		w := alice.funded("treasury")
		alice.pay(w.alias, alice.address(w.alias, ""), "0.5")
		alice.member(w.alias, bob, "signer")
		alice.api("PUT", "/api/v1/wallets/treasury/policy", map[string]any{"policy": json.RawMessage(
			`{"version": 1, "allow": [{"name": "large", "approvals": {"count": 1, "not_proposer": true, "above_sat": 50000}}]}`)})
		path := func() string { return "/wallets/treasury/proposals/" + alice.propose(w.alias)["id"].(string) }
		first := path()

		alice.get(first).want(http.StatusOK, "Awaiting approval", "A payment of more than 50 000 sat requires 1 approval", "1 missing", "These members can approve: bob.", "You proposed the payment, so your approval does not count.").lacks("Approve the payment", "names other approvers", "Download the PSBT file", "PSBT file</a>")
		carol := s.user(t, "carol", false)
		alice.member(w.alias, carol, "viewer")
		carol.get(first).want(http.StatusOK, "Your approval does not count here: the policy names other approvers.")
		alice.get("/").want(http.StatusOK, "Nothing waits for you")
		bob.get("/").want(http.StatusOK, "1 proposal waits for you", "awaits approval", "Approve")
		p := bob.get(first).want(http.StatusOK, "Next: approve or reject the payment")
		p.submit(first+"/reject").want(http.StatusBadRequest, "Is required")
		p.submit(first+"/approve").want(http.StatusOK, "the payment can be signed now", "Next: sign with your device", "Download the PSBT file", "Released for signing")
		alice.post(first + "/approve").want(http.StatusConflict)

		second := path()
		alice.post(second+"/approve").want(http.StatusForbidden, "does not count")
		bob.get(second).submit(second+"/reject", "reason", "paid <twice>").want(http.StatusOK, "The proposal is rejected", "Rejected", "paid <twice>").lacks("paid <twice>")
	}, onOwnNode)
}

// TestPolicy_Parts covers lists, the policies of members, tokens and the server, and documents that
// the form cannot express.
func TestPolicy_Parts(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		t.Helper()
		alice, bob, admin := s.user(t, "alice", false), s.user(t, "bob", false), s.admin(t)
		w := alice.vault("treasury")
		alice.member(w.alias, bob, "proposer")
		const lists, page = "/wallets/treasury/lists", "/wallets/treasury/policy"
		address := purseAddress(t, s.node)

		p := alice.get(lists + "/new")
		p.submit(lists+"/review", "name", "suppliers", "entries", "nothing").want(http.StatusBadRequest, "Address of entry 1")
		p.submit(lists+"/review", "name", "suppliers", "entries", address+" paper mill").want(http.StatusOK, "New:", "paper mill").
			submit(lists).want(http.StatusOK, "The list was changed", "suppliers", "paper mill")
		// Two owners edit the list: the second one reads it again.
		carol := s.user(t, "carol", false)
		alice.member(w.alias, carol, "owner")
		hers := carol.get(lists+"/suppliers").submit(lists+"/review", "entries", address+" glue").want(http.StatusOK, "glue")
		mine := alice.get(lists+"/suppliers").submit(lists+"/review", "entries", address+" paper mill 2")
		mine.submit(lists).want(http.StatusOK, "The list was changed")
		hers.submit(lists).want(http.StatusPreconditionFailed, "The list has changed since you read it", "glue")
		alice.get(lists+"/suppliers").want(http.StatusOK, "paper mill 2").lacks("glue")
		twice := alice.get(lists+"/new").submit(lists+"/review", "name", "suppliers", "entries", address)
		twice.submit(lists).want(http.StatusPreconditionFailed, "The list has changed since you read it")

		alice.get(lists+"/suppliers").submit(lists+"/review").want(http.StatusOK, "The list is the same as before. Nothing was changed.")

		bob.get(lists+"/suppliers").want(http.StatusOK, "paper mill").lacks("<textarea")

		document := `{"version": 1, "allow": [{"name": "a", "to": [{"list": "suppliers"}]}, {"name": "b", "max_recipients": 2}]}`
		p = alice.get(page + "/edit?mode=json")
		p.submit(page+"/edit", "document", `{"version": 1, "allow": [{"name": "a", "speed": 1}, {"to": 3}]}`).
			want(http.StatusBadRequest, "allow[0].speed", "allow[1].to", "allow[1].name: is required")
		p.submit(page+"/edit", "document", document).submit(page).want(http.StatusOK, "Payments to the list suppliers.", "A payment has at most 2 recipients.")
		alice.get(page+"/edit").want(http.StatusOK, "The form cannot express this policy", "max_recipients")
		alice.get(page+"/delete").want(http.StatusOK, "This loosens the policy at once").submit(page).want(http.StatusOK, "The policy was deleted", "No policy")

		// Of a member and of the server.
		const member = "/wallets/treasury/members/bob/policy"
		alice.get("/wallets/treasury/members").want(http.StatusOK, "Policy: bob")
		alice.get(member+"/edit?preset=petty-cash").submit(member+"/edit").submit(member).want(http.StatusOK, "Spending policy of bob", "Within 7 days: at most")
		bob.get(member).want(http.StatusOK, "Budgets", "0 sat of 1 000 000 sat used, 1 000 000 sat left", "Each rule still permits what is left. Open and paid proposals count for the rule that permitted them, by its name, also if the policy was changed or deleted since.")
		bob.get(member + "/edit").want(http.StatusForbidden)
		admin.get("/policy/edit?preset=petty-cash").submit("/policy/edit").submit("/policy").want(http.StatusOK, "Policy of the server", "Within 7 days")
		alice.get("/policy").want(http.StatusNotFound)

		// Of a token.
		p = alice.get("/tokens/new").submit("/tokens", "description", "shop", "policy", `{"version": 1, "allow": [{"max": 3}]}`)
		p.want(http.StatusBadRequest, "allow[0].max", "allow[0].name: is required")
		p.submit("/tokens", "policy", `{"version": 1, "allow": [{"name": "budget", "max_payment_sat": 4000}]}`).want(http.StatusOK)
		// By the fields of one rule: each problem at its field, and not both forms.
		p = alice.get("/tokens/new").submit("/tokens", "description", "script", "allow[0].windows[0].max_sat", "many", "to.reach", "only", "to.addresses", "nothing")
		p.want(http.StatusBadRequest, "Must be 1 to 64 characters long", "must be a valid Bitcoin address", "Must be a whole number of satoshis", "Is required")
		for _, name := range []string{"allow[0].name", "allow[0].windows[0].max_sat", "allow[0].windows[0].per"} {
			if input := p.all("input", func(n *html.Node) bool { return attr(n, "name") == name }); len(input) != 1 || attr(input[0], "aria-invalid") != "true" {
				t.Errorf("the input %s has no problem", name)
			}
		}
		rule := []string{"description", "script", "allow[0].name", "budget", "allow[0].windows[0].per", "24h", "allow[0].windows[0].max_sat", "30 000", "to.wallets", "treasury", "to.addresses", "", "to.reach", "only"}
		p.submit("/tokens", append(rule, "policy", `{"version": 1}`)...).want(http.StatusBadRequest, "Must be empty if the fields of the rule are filled in")
		p.submit("/tokens", append(rule, "policy", "")...).want(http.StatusOK)
		alice.get("/tokens").follow("script").want(http.StatusOK, "What this token can pay", "Payments to addresses of the wallet Treasury.", "Within 24 hours: at most 30 000 sat including fees.")

		alice.get("/tokens").follow("shop").want(http.StatusOK, "What this token can pay", "A payment is at most 4 000 sat.")
	}, onOwnNode)
}

// TestPolicy_More checks that the page of a wallet's policy names the first members and the first
// entries of a list, and the number of the others in the language of the user. Members with a policy
// come first.
func TestPolicy_More(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode)
	alice := s.user(t, "alice", false)
	w := alice.vault("treasury")
	const page, members = "/wallets/treasury/policy", 22
	for i := 1; i < members; i++ {
		alice.member(w.alias, s.user(t, fmt.Sprintf("member%02d", i), false), "proposer")
	}
	list := func(entries int) {
		t.Helper()
		all := make([]any, entries)
		for i := range all {
			all[i] = map[string]any{"address": purseAddress(t, s.node), "label": fmt.Sprintf("supplier %d", i)}
		}
		alice.api("PUT", "/api/v1/wallets/treasury/lists/suppliers", map[string]any{"entries": all})
	}
	list(5)
	alice.get(page).want(http.StatusOK, "supplier 4", "member18", "and 2 more").lacks("member20", "member21", "and 0 more", "and 1 more")
	alice.api("PUT", "/api/v1/wallets/treasury/members/member21/policy", map[string]any{"policy": json.RawMessage(`{"version": 1}`)})
	alice.get(page).want(http.StatusOK, "member21 Has a policy").lacks("member20")
	list(8)
	p := alice.get(page).want(http.StatusOK, "supplier 4", "and 3 more", "and 2 more").lacks("supplier 5")
	p.follow("and 2 more").want(http.StatusOK, "member20", "member21")
	p.follow("suppliers").want(http.StatusOK, "supplier 7")
	alice.post("/display", "lang", "de", "unit", "sat")
	alice.get(page).want(http.StatusOK, "und 3 weitere", "und 2 weitere")
}
