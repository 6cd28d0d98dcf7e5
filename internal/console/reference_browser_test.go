package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// referencePages returns the paths of the pages of the API reference.
func referencePages(t *testing.T, s *site) []string {
	t.Helper()
	home := s.request(t, http.MethodGet, "/api/", "", nil)
	var paths []string
	for _, link := range regexp.MustCompile(` href="(/api/reference/[a-z0-9]+)[#"]`).FindAllStringSubmatch(home.body, -1) {
		if !slices.Contains(paths, link[1]) {
			paths = append(paths, link[1])
		}
	}
	if len(paths) < 20 {
		t.Fatalf("only %d pages: %v", len(paths), paths)
	}
	return append(paths, "/api/")
}

// TestBrowser_Reference looks at the pages of the API reference: no violations of WCAG 2.2 AA or of the
// content security policy in both themes and at the widths of a desktop and a phone, nothing that
// is cut off, and no requests to other hosts.
func TestBrowser_Reference(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.chromium(t)
	for _, path := range referencePages(t, s) {
		for _, width := range []int64{1280, 390} {
			b.size(width)
			for _, theme := range []string{"light", "dark"} {
				b.scheme(theme)
				b.open(path)
				for _, v := range b.axe() {
					t.Errorf("%s, %d px, %s: %s (%s): %s", path, width, theme, v.Help, v.ID, strings.Join(v.Nodes, " | "))
				}
			}
			if evaluate[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
				t.Errorf("%s at %d px is wider than the window", path, width)
			}
		}
		for _, url := range evaluate[[]string](b, `performance.getEntriesByType("resource").map(e => e.name).filter(n => new URL(n).origin !== location.origin)`) {
			t.Errorf("%s loads %s", path, url)
		}
	}
}

// ask types a question into the search, and returns the links of the results.
func (b *chromium) ask(question string) []string {
	b.t.Helper()
	b.fill("q", question)
	b.do(chromedp.WaitVisible("#hits ul"))
	return evaluate[[]string](b, `[...document.querySelectorAll("#hits a")].map(a => a.pathname + a.hash)`)
}

// TestBrowser_ReferenceSearch asks questions of a new user. The answer is among the first three results
// and on the page to which it leads.
func TestBrowser_ReferenceSearch(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.chromium(t)
	for _, x := range []struct{ question, link, answer string }{
		{"freeze a UTXO", "/api/reference/utxos#op-freezeUTXO", "/api/v1/wallets/{alias}/utxos/{outpoint}/freeze"},
		{"which scope for a broadcast", "/api/reference/scopes#scope-proposals-broadcast", "Broadcast complete proposals"},
		{"what does 409 wrong_state mean", "/api/reference/errors#code-invalid_status", "not possible in the current status of the proposal"},
		{"how do I resume events", "/api/reference/guide#events-guide", "open it again with the stored id"},
		{"send transaction", "/api/reference/proposals#op-broadcastProposal", "/broadcast"},
		{"coins", "/api/reference/utxos#op-listUTXOs", "List UTXOs"},
		{"insufficient_scope", "/api/reference/errors#code-insufficient_scope", "required_scope"},
		{"min_height", "/api/reference/guide#freshness", "10 seconds"},
		{"idempotency key", "/api/reference/guide#idempotency", "executes it once"},
		{"freezing utxos", "/api/reference/utxos#op-freezeUTXO", "Freeze UTXO"},
		{"rate limit", "/api/reference/guide#limits", "Retry-After"},
	} {
		t.Run(x.question, func(*testing.T) {
			b.open("/api/")
			links := b.ask(x.question)
			at := slices.Index(links, x.link)
			if at < 0 || at > 2 {
				t.Fatalf("%q: %s is result %d of %v", x.question, x.link, at+1, links)
			}
			b.do(chromedp.Click(fmt.Sprintf("#hits li:nth-child(%d) a", at+1)))
			b.see(x.answer)
			if got := evaluate[string](b, "location.pathname + location.hash"); got != x.link {
				t.Errorf("%q leads to %s", x.question, got)
			}
		})
	}
	b.open("/api/")
	b.fill("q", "qwertz")
	b.see("No results")
	b.open("/api/reference/guide")
	b.open("/api/#op-freezeUTXO") // a link to the single page that the reference was before
	b.see("txid:vout")
	if got := evaluate[string](b, "location.pathname + location.hash"); got != "/api/reference/utxos#op-freezeUTXO" {
		t.Errorf("an old link leads to %s", got)
	}
}

// TestBrowser_ReferenceTry sends a request with a token, which the page forgets when it is left.
func TestBrowser_ReferenceTry(t *testing.T) {
	t.Parallel()
	s := open(t)
	alice := s.user(t, "alice", false)
	token := strings.TrimPrefix(alice.bearer(), "Bearer ")
	b := s.chromium(t)
	b.open("/api/reference/users")
	start := func() {
		b.do(chromedp.Click("#op-getSelf .try-open"), chromedp.WaitVisible("#op-getSelf .token"))
	}
	start()
	b.do(chromedp.Click("#op-getSelf .try [type=submit]"))
	b.see("Enter a token.")
	b.do(chromedp.SendKeys("#op-getSelf .token", token), chromedp.Click("#op-getSelf .try [type=submit]"))
	b.see("200 OK")
	b.see(`"name": "alice"`)
	for _, v := range b.axe() {
		t.Errorf("with a form: %s (%s): %s", v.Help, v.ID, strings.Join(v.Nodes, " | "))
	}
	stored := evaluate[string](b, `JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, history.state, document.documentElement.outerHTML])`)
	if strings.Contains(stored, token) {
		t.Error("the token is stored, or in the page's text or address")
	}
	b.do(chromedp.Click("#op-listUsers .try-open"), chromedp.WaitVisible("#op-listUsers .token"), chromedp.Click("#op-listUsers .try [type=submit]"))
	b.see("403 Forbidden")
	b.do(chromedp.Reload())
	b.see("Get own user")
	start()
	if value := evaluate[string](b, `document.querySelector("#op-getSelf .token").value`); value != "" {
		t.Errorf("after a reload, the token is %q", value)
	}
	b.do(chromedp.Click("#op-getSelf .try [type=submit]"))
	b.see("Enter a token.")
}

// TestBrowser_ReferenceLanguages chooses a language, which applies to all examples of the pages.
func TestBrowser_ReferenceLanguages(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.chromium(t)
	b.open("/api/reference/utxos")
	b.see(`curl -X PUT "$URL`)
	b.do(chromedp.Click("label[for=python-listUTXOs]"))
	b.see("client.utxos.freeze(")
	b.open("/api/reference/fees")
	b.see("client.fees.get()")

	t.Run("without scripts", func(t *testing.T) {
		_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		testkit.Check(t, err)
		b.open("/api/reference/utxos")
		b.see(`curl -X PUT "$URL`)
		b.do(chromedp.Click("label[for=python-freezeUTXO]"))
		b.see("client.utxos.freeze(")
		text := evaluate[string](b, pageText)
		for _, button := range []string{"Try it", "Copy", "Search the API"} {
			if strings.Contains(text, button) {
				t.Errorf("the page has %q, which requires scripts", button)
			}
		}
	})
}
