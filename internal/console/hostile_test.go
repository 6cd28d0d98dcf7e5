package console_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// hostileMark is in every hostile text, to find it in pages.
const hostileMark = "hØstile"

// hostileTexts returns 200 texts that try to become code, to change the direction or the width of
// the text around them, or to look like another text.
func hostileTexts() []string {
	parts := []string{
		`<script>window.hacked=1</script>`, `<img src=x onerror=window.hacked=1>`, `"><svg onload=window.hacked=1>`, `' onfocus='window.hacked=1' autofocus='`,
		`</title><script>window.hacked=1</script>`, `</textarea><script>window.hacked=1</script>`, `{{.User}}`, `{{template "nav" .}}`, `${window.hacked=1}`, `javascript:window.hacked=1`,
		`&lt;b&gt;`, `&#x3c;b&#x3e;`, `<!--`, `]]>`, `<bdi>`, `</bdi></td></table>`, `<base href=//evil.example>`, `<meta http-equiv=refresh content=0>`, `<style>*{display:none}</style>`,
		"\u202egnirts desrever", "\u2066isolated", "\u2067right to left", "\u2069\u2069 popped", "\u200b\u200d\ufeff", "شراء ١٢٣", "עברית 123", "\U0001F468\u200d\U0001F469\u200d\U0001F467 family",
		"Z\u0351\u036f\u0310a\u0489l\u034fg\u0301o", "ﷺ﷽", strings.Repeat("W", 40), strings.Repeat("\u0e49", 30), "%s%n%d%x", `\u003cscript\u003e`, "a\u2028b", "= 1 + 1", "+1", "-1", "@SUM(A1)",
		"\u2066\u2069\u2066\u2069", "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
	}
	var out []string
	for i := range 200 {
		out = append(out, fmt.Sprintf("%s%d %s", hostileMark, i, parts[i%len(parts)]))
	}
	return out
}

// TestHostileTexts stores hostile texts by the API as names, labels and descriptions, and
// requests the pages that show them: each is shown as text, isolated from the text around it,
// and adds no element to a page.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode)
	v := s.user(t, "alice", false)
	w := v.vault("treasury")
	address := v.address(w.alias, "first")
	txid := v.pay(w.alias, address, "0.5")
	v.propose(w.alias)
	pages := []string{
		"/", "/tokens", "/settings", "/wallets/treasury", "/wallets/treasury/receive", "/wallets/treasury/history", "/wallets/treasury/transactions/" + txid,
		"/wallets/treasury/utxos", "/wallets/treasury/send", "/wallets/treasury/proposals", "/wallets/treasury/members", "/wallets/treasury/settings",
	}
	shown := 0
	for i, text := range hostileTexts() {
		stored := v.store(w.alias, address, txid, text)
		if !stored {
			continue
		}
		for _, path := range []string{pages[i%len(pages)], pages[(i+5)%len(pages)]} {
			shown += v.get(path).want(200).checkHostile(t, text)
		}
	}
	if shown < 200 {
		t.Errorf("only %d hostile texts were shown", shown)
	}
}

// store stores a text wherever it is allowed: as the name of the wallet, and as labels. It
// reports whether it was allowed anywhere.
func (v *visitor) store(alias, address, txid, text string) bool {
	v.t.Helper()
	stored := false
	for path, body := range map[string]map[string]any{
		"/api/v1/wallets/" + alias:                             {"name": text},
		"/api/v1/wallets/" + alias + "/addresses/" + address:   {"label": text},
		"/api/v1/wallets/" + alias + "/transactions/" + txid:   {"label": text},
		"/api/v1/wallets/" + alias + "/outputs/" + txid + ":0": {"label": text},
	} {
		stored = v.try("PATCH", path, body) < 300 || stored
	}
	return v.try("POST", "/api/v1/tokens", map[string]any{"description": text, "scopes": []string{"wallets:read"}}) < 300 || stored
}

// checkHostile checks every place of a page that shows the text, and returns their number.
func (d *document) checkHostile(t *testing.T, text string) int {
	t.Helper()
	mark, _, _ := strings.Cut(text, " ")
	count := 0
	for n := range d.root.Descendants() {
		switch {
		case n.Type == html.TextNode && strings.Contains(n.Data, mark+" "):
			count++
			if !isIsolated(n, mark) {
				t.Errorf("%s: the text %q is not isolated: %s", d.at, text, render(n.Parent))
			}
		case n.Type == html.ElementNode && (n.Data == "script" || n.Data == "base" || n.Data == "style") && !strings.HasPrefix(attr(n, "src"), "/assets/"):
			t.Errorf("%s has an element %s for %q", d.at, n.Data, text)
		case n.Type == html.ElementNode:
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "autofocus" && strings.Contains(text, "autofocus") && n.Data != "input" {
					t.Errorf("%s: an attribute %s for %q", d.at, a.Key, text)
				}
			}
		}
	}
	return count
}

// isIsolated reports whether the direction of a text cannot change the text around it: it is in
// an element that isolates it, or between marks that do.
func isIsolated(n *html.Node, mark string) bool {
	before, _, _ := strings.Cut(n.Data, mark)
	if strings.HasSuffix(before, "\u2068") {
		return true
	}
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == "bdi" || attr(p, "dir") == "auto" || p.Data == "title" || p.Data == "code" || p.Data == "option" {
			return true
		}
	}
	return false
}

func render(n *html.Node) string {
	var b strings.Builder
	_ = html.Render(&b, n)
	return b.String()
}
