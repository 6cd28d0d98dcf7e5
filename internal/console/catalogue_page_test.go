package console_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/console"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestCatalogue_Choice shows which language a browser gets, and that the problems of a form are
// in it.
func TestCatalogue_Choice(t *testing.T) {
	t.Parallel()
	s := open(t)
	request := func(v *visitor, accept string) *document {
		r := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/login", nil))
		r.Header.Set("Accept-Language", accept)
		return v.do(r)
	}
	english, german := []string{"en", "Sign in"}, []string{"de", "Anmelden"}
	cases := map[string]struct {
		cookie, accept string
		want           []string
	}{
		"default":            {"", "", english},
		"Accept-Language":    {"", "de-AT,de;q=0.9,en;q=0.5", german},
		"unknown language":   {"", "fr, de;q=0.8", german},
		"no known language":  {"", "fr", english},
		"cookie":             {"de", "en", german},
		"cookie for English": {"en", "de", english},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := s.visitor(t)
			if c.cookie != "" {
				v = v.withCookies(map[string]string{"specterd-lang": c.cookie})
			}
			p := request(v, c.accept).want(200, c.want[1])
			if got := languageOf(p); got != c.want[0] || p.header.Get("Content-Language") != c.want[0] {
				t.Errorf("the page is in %s, with the header %s", got, p.header.Get("Content-Language"))
			}
		})
	}
	admin := s.admin(t)
	p := admin.get("/settings").submit("/display", "lang", "de").want(200, "Die Anzeige ist in diesem Browser gespeichert.", "Einstellungen")
	p.submit("/settings/password", "current", adminPassword, "password", "short").want(400, "Muss mindestens 8 Zeichen lang sein; besser sind 15 oder mehr")
}

func languageOf(p *document) string {
	return attr(p.all("html", func(*html.Node) bool { return true })[0], "lang")
}

// TestCatalogue_Pages requests every page in German, and checks that nothing is shown in English
// that the catalogue has in German.
func TestCatalogue_Pages(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for _, name := range []string{"owner", "viewer", "admin"} {
		v := m.callers[name]
		v.get("/settings").submit("/display", "lang", "de").want(200)
		for _, to := range console.Routes() {
			if to.Method != http.MethodGet || to.IsLive {
				continue
			}
			t.Run(name+" "+to.Path, func(t *testing.T) {
				own := *v
				own.t = t
				checkGerman(t, own.get(m.path(t, to)))
			})
		}
	}
}

func checkGerman(t *testing.T, p *document) {
	t.Helper()
	if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
		return
	}
	if got := languageOf(p); got != "de" {
		t.Errorf("the page is in %s", got)
	}
	check := func(text string) {
		text = strings.TrimSpace(text)
		if german := console.German(text); german != text {
			t.Errorf("%q is not in German: %q", text, german)
		}
	}
	for n := range p.root.Descendants() {
		switch {
		case n.Type == html.TextNode && (n.Parent.Parent == nil || n.Parent.Parent.Data == "code"): // a group of an address can be a word
		case n.Type == html.TextNode && !slices.Contains([]string{"bdi", "code", "pre", "script"}, n.Parent.Data):
			check(n.Data)
		case n.Type == html.ElementNode:
			for _, name := range []string{"aria-label", "placeholder", "title", "data-copy", "data-copied"} {
				check(attr(n, name))
			}
		}
	}
}
