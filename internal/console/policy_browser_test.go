package console_test

import (
	"encoding/json"
	"testing"
)

// TestBrowser_Policy looks at the pages of policies, and approves a payment, whose PSBT then appears.
func TestBrowser_Policy(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	bob := s.user(t, "bob", false)
	alice.member(w.alias, bob, "signer")
	const page = "/wallets/treasury/policy"
	b := s.chromium(t)
	b.open("/login")
	b.signIn(alice.name, alice.password)
	b.see("Home")
	b.inspect(page)
	b.inspect(page + "/edit?preset=two-approvals")
	b.open(page + "/edit?preset=two-approvals")
	b.fill("allow[0].approvals.count", "1")
	b.fill("allow[0].approvals.above_sat", "50000")
	b.fill("change.approvals", "2")
	b.press("Check the change")
	b.see("This takes effect at once")
	b.inspectHere("policy review")
	b.press("Save")
	b.see("The policy was changed")
	b.inspect(page)
	b.inspect(page + "/simulate")
	alice.api("PUT", "/api/v1/wallets/treasury/lists/suppliers", map[string]any{"entries": json.RawMessage("[]")})
	b.inspect("/wallets/treasury/lists/suppliers")
	b.open("/tokens/new")
	b.press("Spending policy: what the token may pay")
	b.inspectHere("token policy")
	id := alice.propose(w.alias)["id"].(string)

	signer := s.chromium(t)
	signer.open("/login")
	signer.signIn(bob.name, bob.password)
	signer.see("1 proposal waits for you")
	signer.inspect("/wallets/treasury/proposals/" + id)
	signer.press("Approve the payment")
	signer.see("Next: sign with your device")
}
