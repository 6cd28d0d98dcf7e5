package console_test

import (
	"encoding/json"
	"net/http"
	"testing"
)

// TestPolicy_ChangedBeforeBroadcast is a broadcast after the policy has changed: a policy that
// refuses the payment leaves the proposal as it is, and says which limit it exceeds; one that
// requires approvals sends it back to the approvers, and keeps the signatures.
func TestPolicy_ChangedBeforeBroadcast(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		t.Helper()
		alice, bob := s.user(t, "alice", false), s.user(t, "bob", false)
		w := alice.funded("treasury")
		alice.member(w.alias, bob, "signer")
		set := func(rule string) {
			t.Helper()
			alice.api("PUT", "/api/v1/wallets/treasury/policy", map[string]any{"policy": json.RawMessage(`{"version": 1, "allow": [` + rule + `]}`)})
		}
		made := alice.propose(w.alias)
		page := pageOf(made)
		alice.sign(made, w.signers[:2]...).want(http.StatusOK, "It can be broadcast now")

		set(`{"name": "small", "max_payment_sat": 5000}`)
		alice.get(page).submit(page+"/broadcast").
			want(http.StatusConflict, "The spending policies have changed since the proposal was approved.", "A payment is at most 5 000 sat; this one is 100 000 sat.", "Policy of the wallet, rule small", "Cancel")
		alice.get(page).want(http.StatusOK, "Broadcast").lacks("Awaiting approval", "waits for the approval")
		bob.get("/").want(http.StatusOK, "ready to broadcast")

		set(`{"name": "approved", "approvals": {"count": 1, "not_proposer": true}}`)
		alice.get(page).submit(page+"/broadcast").want(http.StatusConflict, "The spending policies have changed since the proposal was approved; the proposal awaits approval", "Awaiting approval", "1 missing").
			lacks("Approve the payment", "PSBT file")
		bob.get("/").want(http.StatusOK, "1 proposal waits for you", "awaits approval")
		bob.get(page).want(http.StatusOK, "Next: approve or reject the payment", "the spending policies have changed").submit(page+"/approve").
			want(http.StatusOK, "Your approval is recorded")
		alice.get(page).want(http.StatusOK, "The payment has enough signatures").lacks("Next: sign").submit(page+"/broadcast").want(http.StatusOK, "The payment was broadcast", "Waiting for a block")
	}, onOwnNode)
}

// TestProposal_Awaiting names the policy whose approvals a proposal lacks, in the language of the
// user.
func TestProposal_Awaiting(t *testing.T) {
	t.Parallel()
	_, alice, w := treasury(t)
	alice.api("PUT", "/api/v1/wallets/treasury/policy", map[string]any{"policy": json.RawMessage(`{"version": 1, "allow": [{"name": "large", "approvals": {"count": 1, "of": ["role:owner"]}}]}`)})
	psbt := pageOf(alice.propose(w.alias)) + "/psbt"
	for lang, says := range map[string]string{
		"en": `which lacks 1 approval of owners (rule "large" in the policy of the wallet)`,
		"de": `1 Zustimmung von Eigentümern (Regel "large" in den Ausgaberegeln der Wallet)`,
	} {
		alice.post("/display", "lang", lang)
		alice.get(psbt).want(http.StatusConflict, says)
	}
}
