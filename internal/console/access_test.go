package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// child creates a token with another token, and returns its text.
func (s *site) child(t *testing.T, token, body string) string {
	t.Helper()
	got := s.request(t, http.MethodPost, "/api/v1/tokens", "Bearer "+token, json.RawMessage(body))
	found := regexp.MustCompile(`"token":"([^"]*)"`).FindStringSubmatch(got.body)
	if got.status != http.StatusCreated || found == nil {
		t.Fatalf("creating a token with a token: %d %s", got.status, got.body)
	}
	return found[1]
}

// TestAccess_HostileTexts shows that names and descriptions are text on the pages of access, and
// never markup.
func TestAccess_HostileTexts(t *testing.T) {
	t.Parallel()
	s := open(t, with("SPECTER_WEBHOOK_HOSTS", "127.0.0.1:1"))
	admin := s.admin(t)
	for _, text := range []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `{{.User}} %s %d`, "שלום עולם", strings.Repeat("x", 64), `' onclick='alert(1)`} {
		admin.get("/users").submit("/users", "name", text, "password", "seven grey donkeys walk").want(200, text)
		admin.get("/tokens/new").submit("/tokens", "description", text).want(200, text)
		admin.get("/webhooks/new").submit("/webhooks", "description", text, "url", "http://127.0.0.1:1/"+url.PathEscape(text)).want(200, text)
	}
	for _, path := range []string{"/users", "/tokens", "/webhooks", "/audit", "/audit?user=" + url.QueryEscape(`"><script>alert(1)</script>`)} {
		p := admin.get(path).want(200)
		p.lacks("<script>alert", "<img src=x", "' onclick='")
		if n := len(p.all("script", func(n *html.Node) bool { return n.FirstChild != nil })); n > 0 {
			t.Errorf("%s has %d scripts with a text", path, n)
		}
	}
	for _, link := range []string{"/users", "/tokens", "/webhooks"} {
		admin.get(link).follow(`<script>alert(1)</script>`).want(200, `<script>alert(1)</script>`).lacks("<script>alert")
	}
}
