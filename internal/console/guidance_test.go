package console_test

import (
	"strings"
	"testing"
)

// TestGuidance_Invited opens links of a wallet as a user who is invited to it, and as one who is
// not: only the first sees the invitation, and the text of the page does not depend on
// whether the wallet of the link exists.
func TestGuidance_Invited(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	olga, ben, cleo := s.user(t, "olga", false), s.user(t, "ben", false), s.user(t, "cleo", false)
	olga.createVault("Vault")
	olga.get("/wallets/vault/members").submit("/wallets/vault/members", "user", "ben", "role", "signer").want(200)
	const first = "Accept your invitation first"
	for _, path := range []string{"/wallets/vault", "/wallets/none/send", "/wallets/vault/proposals/1", "/p/0199a6f4-5f55-7b2c-8f38-2f3a6f1d0000"} {
		t.Run(path, func(*testing.T) {
			ben.get(path).want(404, first, "Vault").follow("Invitation to the wallet").want(200)
			cleo.get(path).want(404).lacks(first, "Vault", "invitation")
		})
	}
	ben.get("/users").want(404).lacks(first)
	ben.accept()
	missing := ben.get("/wallets/none").want(404).lacks(first)
	if !strings.Contains(missing.body, `href="/wallets/vault"`) {
		t.Error("the page of an error does not list the wallets of the user")
	}
	olga.get("/wallets/vault").want(200, "Before the first payment", "the seed words alone do not restore a vault", "Invite members")
	ben.get("/wallets/vault").want(200).lacks("Before the first payment")
	olga.get("/wallets/vault/history?q=roof").want(200, "The search finds only complete labels")
	olga.get("/wallets/vault/history?min=x").want(400, "Amount from").follow("Clear").want(200)
}

// TestGuidance_SessionEnded sends requests without a session. The page of sign-in says why it
// appears, and leads back to the page.
func TestGuidance_SessionEnded(t *testing.T) {
	t.Parallel()
	s := open(t)
	for path, c := range map[string]struct{ method, next, says string }{
		"/settings":                         {"GET", "/settings", "Your session has ended. Sign in to continue where you were."},
		"/wallets/vault/send":               {"POST", "/wallets/vault/send", "Your session ended before the form arrived."},
		"/wallets/vault/proposals/1/cancel": {"POST", "/wallets/vault/proposals/1", "Nothing was changed."},
		"/wallets/vault/members/ben/remove": {"POST", "/wallets/vault/members", "fill in the form again"},
		"/invitations/1/accept":             {"POST", "/invitations/1", "Nothing was changed."},
		"/settings/password":                {"POST", "/settings", "Nothing was changed."},
		"/wallets/a%2Fb/settings/rescan":    {"POST", "/wallets/a%2Fb/settings", "Nothing was changed."},
		"/policy/changes/1/cancel":          {"POST", "/policy", "Nothing was changed."},
	} {
		t.Run(path, func(t *testing.T) {
			own := s.visitor(t).withCookies(map[string]string{"specterd": "ended"})
			request := own.get
			if c.method == "POST" {
				request = func(path string) *document { return own.post(path) }
			}
			page := request(path).want(200, c.says)
			if next := fields(page.forms("/login")[0]).Get("next"); page.path() != "/login" || next != c.next {
				t.Errorf("%s leads to %s, and then to %s, not %s", path, page.at, next, c.next)
			}
		})
	}
}
