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
		keys = append(keys, strings.TrimSpace(string(regtestFile(t, name).content)))
	}
	b.do(chromedp.SendKeys("#text", strings.Join(keys, "\n")))
	b.press("Continue")
	b.see("must be a number from 1 to the number of keys, 3")
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

// inspectHere looks at the page that a form has led to, like inspect.
func (b *chromium) inspectHere(name string) {
	b.t.Helper()
	for _, width := range []int64{1280, 390} {
		for _, theme := range []string{"light", "dark"} {
			b.size(width)
			b.scheme(theme)
			for _, v := range b.axe() {
				b.t.Errorf("%s, %d px, %s: %s (%s): %s", name, width, theme, v.Help, v.ID, strings.Join(v.Nodes, " | "))
			}
			if b.scrollsSideways() {
				b.t.Errorf("%s is wider than %d px", name, width)
			}
			b.screenshot(screenshotName(name, width, theme))
		}
	}
	b.size(1280)
}
