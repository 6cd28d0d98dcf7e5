package console_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestBrowser_Live shows that an open page ends at the page of sign-in when the user is disabled,
// whether its stream is open by then or not.
func TestBrowser_Live(t *testing.T) {
	t.Parallel()
	s := open(t)
	alice := s.user(t, "alice", false)
	b := s.chromium(t)
	b.open("/")
	b.signIn("alice", alice.password)
	b.see("You have no wallet yet")
	s.sql(t, "UPDATE users SET disabled_at = 1 WHERE name = 'alice'")
	b.see("Sign in")
	// The end of the stream and a refresh both lead here; the first one of them says why.
	if at := b.address(); at != "/login?next=%2F" && at != "/login?done=session-over&next=%2F" {
		t.Errorf("the page of a disabled user leads to %s", at)
	}
}

// TestBrowser_Changed shows a proposal on an open page while other members work on it. The content
// becomes the new one, unless a code is shown or a refused form has what the user typed.
func TestBrowser_Changed(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	bob := s.user(t, "bob", false)
	alice.member(w.alias, bob, "signer")
	alice.api("PUT", "/api/v1/wallets/treasury/policy", map[string]any{"policy": json.RawMessage(
		`{"version": 1, "allow": [{"name": "large", "approvals": {"count": 1, "not_proposer": true}}]}`)})
	made := alice.propose(w.alias)
	b := s.chromium(t)
	b.open(pageOf(made) + "?done=proposal-created")
	b.signIn(alice.name, alice.password)
	b.see("Awaiting approval")
	b.see("The proposal is created")
	b.mark()

	made = bob.api("POST", "/api/v1"+pageOf(made)+"/approve", map[string]any{})
	b.see("Next: sign with your device")
	b.see("Part 2 of") // the script shows the codes of the new content
	b.see("This page shows the new state now.")

	bob.sign(made, w.signers[0])
	b.see("This page has changed.")
	b.see("1 signature is missing.")
	b.see("1 of 2 signatures")
	if !b.untouched() {
		t.Error("the page was loaded again")
	}
	b.inspectHere("proposal changed")
	b.press("Show the new state")
	b.see("1 signature is missing.")
	if text := evaluate[string](b, pageText); strings.Contains(text, "This page has changed.") {
		t.Errorf("the new page has changed: %s", text)
	}

	b.press("Paste the signed PSBT")
	b.fill("psbt", "nothing")
	b.press("Add signature")
	b.see("This is neither a PSBT nor a signed transaction")
	if at := b.address(); at != pageOf(made)+"/signatures" {
		t.Fatalf("the refused form is at %s", at)
	}
	bob.sign(made, w.signers[1])
	b.see("This page has changed.")
	b.see("Signatures completed") // the activity
	b.press("Show the new state")
	b.see("Next: broadcast the payment")
	if at := b.address(); at != pageOf(made) {
		t.Errorf("the new state is at %s", at)
	}
}

// TestBrowser_Proof shows that a form with the password, which begins another session, is not
// interrupted by the end of the session and the stream that the page was shown with.
func TestBrowser_Proof(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	b := s.chromium(t)
	b.open("/")
	b.signIn(alice.name, alice.password)
	b.see("Treasury")
	made := alice.propose(w.alias)
	alice.sign(made, w.signers[0])
	alice.sign(made, w.signers[1])
	b.open(pageOf(made))
	b.see("Next: broadcast the payment")
	s.sql(t, "UPDATE sessions SET proved_at = 1")
	b.press("Broadcast")
	b.see("Enter your password again")
	b.fill("password", alice.password)

	// While the response takes long, the session has ended, and the stream ends with the next event.
	evaluate[bool](b, `(window.hold = event => event.preventDefault(), addEventListener("submit", hold), true)`)
	b.press("Continue")
	s.sql(t, "UPDATE sessions SET access_version = access_version + 1")
	alice.api("PATCH", "/api/v1/wallets/treasury", map[string]any{"name": "Savings"})
	b.until("the stream has ended", `document.getElementById("live-state")?.hidden === false`)
	if at := b.address(); at != pageOf(made)+"/broadcast" {
		t.Fatalf("the page leads to %s while the form is sent", at)
	}

	s.sql(t, "UPDATE sessions SET access_version = access_version - 1")
	evaluate[bool](b, `(removeEventListener("submit", hold), true)`)
	b.press("Continue")
	b.see("The payment was broadcast")
}
