package console_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestBrowser_Setup creates a vault in Chromium with the keyboard and pasted keys, and looks at
// each step, and at the pages of members and settings.
func TestBrowser_Setup(t *testing.T) {
	t.Parallel()
	s := open(t, onNode(minedNode(t)))
	b := s.chromium(t)
	b.open("/login")
	b.signIn("admin", adminPassword)
	b.see("Home")
	b.inspect(newWalletPath)
	var keys []string
	for _, name := range []string{"key-multisig.txt", "key-jade.txt", "key-spare.txt"} {
		keys = append(keys, textOfFile(t, name))
	}
	b.do(chromedp.SendKeys("#text", strings.Join(keys, "\n")))
	b.press("Continue")
	b.see("Must be a number from 1 to the number of keys, 3")
	b.inspectHere("new-wallet-problem")
	b.fill("signatures_required", "2")
	b.press("Continue")
	b.see("2 of 3 signatures")
	b.fill("name", "Family vault")
	b.do(chromedp.Click("[name=since][value=now]"))
	b.inspectHere("new-wallet-check")
	b.press("Continue")
	b.see("Compare these addresses")
	b.inspectHere("new-wallet-compare")
	b.press("They match: create the wallet")
	testkit.Eventually(t, "the wallet was created", func() bool { return strings.Contains(b.address(), "done=wallet-created") })
	admin := s.admin(t)
	admin.member("family_vault", s.user(t, "ben", false), "signer")
	admin.api("POST", "/api/v1/wallets/family_vault/invitations", map[string]any{"user": "cleo", "role": "viewer"})
	for _, path := range []string{"/members", "/settings", "/settings/sheet"} {
		b.inspect("/wallets/family_vault" + path)
	}
	b.inspect("/find?q=nothing")
}
