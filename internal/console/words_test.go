package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/console"
)

// codeNames matches names of the API and of settings.
var codeNames = regexp.MustCompile(`[A-Za-z]+_[A-Za-z_]+|[a-z]\[\d+\]`)

// namesForPeople are words of pages with underscores that users must enter so.
var namesForPeople = []string{"family_vault", "amount_sat", "amount_btc"}

// visibleText returns the text of the main part without code, user input and identifiers.
func (d *document) visibleText() string {
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.ElementNode && slices.Contains([]string{"code", "pre", "bdi", "textarea", "script", "style"}, n.Data):
			return
		case n.Type == html.TextNode:
			b.WriteString(n.Data + " ")
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	for _, n := range d.all("main", nil) {
		walk(n)
	}
	return b.String()
}

// checkWords fails the test if the page shows names of the API.
func (d *document) checkWords(what string) {
	d.by.t.Helper()
	text := d.visibleText()
	for _, name := range codeNames.FindAllString(text, -1) {
		if !slices.Contains(namesForPeople, name) {
			at := strings.Index(text, name)
			d.by.t.Errorf("%s: %s shows the name %s: %q", what, d.at, name, text[max(0, at-80):min(len(text), at+80)])
		}
	}
}

// isEntry reports whether users enter a value in an element.
func isEntry(n *html.Node) bool {
	if n.Type != html.ElementNode {
		return false
	}
	kind := attr(n, "type")
	return n.Data == "textarea" || n.Data == "select" || n.Data == "input" && !slices.Contains([]string{"hidden", "checkbox", "search"}, kind)
}

// TestForms_Words sends all forms of the console with empty and with wrong values. No page may
// answer with names of the API.
func TestForms_Words(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	sent := map[string]bool{}
	for _, caller := range []string{"owner", "admin"} {
		for _, to := range console.Routes() {
			if to.Method != http.MethodGet || to.IsLive || to.IsPublic || to.IsForAdmins != (caller == "admin") {
				continue
			}
			t.Run(to.Path, func(t *testing.T) {
				v := *m.callers[caller]
				v.t = t
				page := v.get(m.path(t, to))
				if !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
					return
				}
				page.checkWords("GET")
				for _, form := range page.all("form", func(n *html.Node) bool { return attr(n, "method") == "post" }) {
					if action := attr(form, "action"); action != "/logout" && action != "/display" && !sent[action] {
						sent[action] = v.sendMistakes(action, form)
					}
				}
			})
		}
	}
	if len(sent) < 15 {
		t.Errorf("only %d forms were sent: %v", len(sent), sent)
	}
}

// sendMistakes sends a form with empty and with wrong values, with each of its buttons. It reports
// whether the form has fields.
func (v *visitor) sendMistakes(action string, form *html.Node) bool {
	var names []string
	buttons := []url.Values{{}}
	for n := range form.Descendants() {
		switch {
		case isEntry(n):
			names = append(names, attr(n, "name"))
		case n.Type == html.ElementNode && n.Data == "button" && attr(n, "name") != "":
			buttons = append(buttons, url.Values{attr(n, "name"): {attr(n, "value")}})
		}
	}
	if len(names) == 0 {
		return false
	}
	for _, button := range buttons {
		for _, wrong := range []string{"", "?", "-1", "own", "0,01", strings.Repeat("x", 300)} {
			values := fields(form)
			for _, name := range names {
				values.Set(name, wrong)
			}
			for name := range button {
				values.Set(name, button.Get(name))
			}
			var answer *document
			if attr(form, "enctype") == "multipart/form-data" {
				answer = v.upload(action, values)
			} else {
				answer = v.postForm(action, values)
			}
			what := "POST " + action + " " + button.Encode() + " with " + wrong[:min(len(wrong), 5)]
			answer.checkWords(what)
			answer.checkProblems(what)
		}
	}
	return true
}
