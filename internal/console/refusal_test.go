package console_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// TestSend_Refusal sends a payment above everything that a policy permits within a day. The form
// says the same in the live preview and after the button: waiting does not help, which amount is
// permitted, and where the policy is.
func TestSend_Refusal(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	admin := s.admin(t)
	alice.member(w.alias, admin, "owner")
	limit := func(maximum string) map[string]any {
		return map[string]any{"policy": json.RawMessage(`{"version": 1, "allow": [{"name": "daily", "windows": [{"per": "24h", "max_sat": ` + maximum + `}]}]}`)}
	}
	alice.api("PUT", "/api/v1/wallets/treasury/policy", limit("60000"))
	admin.call("PUT", "/api/v1/policy", basic(admin.name, admin.password), limit("50000"))

	const send = "/wallets/treasury/send"
	to := purseAddress(t, s.node)
	try := func(v *visitor, action string) *document {
		return v.get(send).submit(send, address1, to, amount1, "100000", "fee_rate_sat_vb", "5", "target_blocks", "own", "action", action)
	}
	tests := []struct {
		name   string
		lang   string
		by     *visitor
		server string // the path of the policy of the server for this user
		says   []string
	}{
		{"English", "en", alice, "", []string{
			"Within 24 hours, at most 60 000 sat including fees can be paid, and this payment alone needs 100 960 sat with its fee. Waiting does not help. Policy of the wallet, rule daily.",
			"Within 24 hours, at most 50 000 sat including fees can be paid, and this payment alone needs 100 960 sat with its fee. Waiting does not help. Policy of the server, rule daily.",
		}},
		{"German", "de", alice, "", []string{"Warten hilft nicht. Ausgaberegeln der Wallet, Regel daily."}},
		{"admin", "en", admin, "/policy", []string{"Policy of the server, rule daily."}},
	}
	for _, test := range tests {
		test.by.post("/display", "lang", test.lang)
		banners := map[string]string{}
		for action, status := range map[string]int{"typing": http.StatusOK, "preview": http.StatusForbidden, "create": http.StatusForbidden} {
			t.Run(test.name+" "+action, func(t *testing.T) {
				p := try(test.by, action).want(status, test.says...)
				found := p.all("div", func(n *html.Node) bool { return attr(n, "class") == "banner bad" })
				if len(found) != 1 {
					t.Fatalf("%d banners: %s", len(found), p.text())
				}
				if banners[""] == "" {
					banners[""] = textOf(found[0])
				}
				if textOf(found[0]) != banners[""] {
					t.Errorf("the banner says %s, and another one %s", textOf(found[0]), banners[""])
				}
				var paths []string
				for _, a := range p.all("a", func(n *html.Node) bool { return isBelow(n, found[0]) }) {
					paths = append(paths, attr(a, "href"))
				}
				if got, want := strings.Join(paths, " "), strings.TrimSpace(test.server+" /wallets/treasury/policy"); got != want {
					t.Errorf("links %q, not %q", got, want)
				}
			})
		}
	}
}

// TestSend_Refusal_PermittedAt exceeds the windows of a wallet and of the server: the form and a
// simulation name one time, at which the longer window frees.
func TestSend_Refusal_PermittedAt(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	admin := s.admin(t)
	alice.member(w.alias, admin, "owner")
	alice.pay(w.alias, alice.address(w.alias, ""), "0.5")
	limit := func(per string) map[string]any {
		return map[string]any{"policy": json.RawMessage(`{"version": 1, "allow": [{"name": "one", "windows": [{"per": "` + per + `", "max_count": 1}]}]}`)}
	}
	alice.api("PUT", "/api/v1/wallets/treasury/policy", limit("24h"))
	admin.call("PUT", "/api/v1/policy", basic(admin.name, admin.password), limit("7d"))
	to := purseAddress(t, s.node)
	alice.api("POST", "/api/v1/wallets/treasury/proposals", map[string]any{"recipients": []any{map[string]any{"address": to, "amount_sat": 50_000}}, "fee_rate_sat_vb": 5})
	day := time.Now().UTC().Add(7 * 24 * time.Hour).Format("2 Jan 2006 ")
	for path, fields := range map[string][]string{
		"/wallets/treasury/send":            {"target_blocks", "own", "action", "preview"},
		"/wallets/treasury/policy/simulate": nil,
	} {
		t.Run(path, func(t *testing.T) {
			p := alice.get(path).submit(path, append([]string{address1, to, amount1, "50000", "fee_rate_sat_vb", "5"}, fields...)...)
			if text := p.text(); strings.Count(text, "Possible again from") != 1 || !strings.Contains(text, "Possible again from "+day) || strings.Count(text, "the maximum number of payments is 1") != 2 {
				t.Errorf("want %s once: %s", day, text)
			}
		})
	}
}
