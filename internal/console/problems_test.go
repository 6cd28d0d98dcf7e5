package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/console"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// isSentence reports whether a text starts with a capital, or with no letter, and ends as a sentence.
func isSentence(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(text)
	return !unicode.IsLower(first) && strings.ContainsRune(".:!?…", last)
}

// ofPart matches the part of a name of an input that says which of several it is.
var ofPart = regexp.MustCompile(` of (recipient|entry|key) \d+$`)

// checkProblems fails the test unless a page with the problems of a form names the inputs as their
// labels do, leads to them, and states each problem once: at its input if there is one.
func (d *document) checkProblems(what string) {
	d.by.t.Helper()
	for _, banner := range d.all("", isAlert) {
		for n := range banner.Descendants() {
			switch {
			case n.Type != html.ElementNode:
			case n.Data == "strong", n.Data == "li" && len(linksIn(n)) == 0:
				if text := textOf(n); !isSentence(text) {
					d.by.t.Errorf("%s: %q is not a sentence", what, text)
				}
			case n.Data == "a" && strings.HasPrefix(attr(n, "href"), "#"):
				d.checkNamed(what, banner, testkit.Must(url.PathUnescape(attr(n, "href")[1:])), textOf(n))
			}
		}
	}
}

func linksIn(n *html.Node) (links []*html.Node) {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && c.Data == "a" {
			links = append(links, c)
		}
	}
	return links
}

// checkNamed checks a link of a banner to an input.
func (d *document) checkNamed(what string, banner *html.Node, id, name string) {
	d.by.t.Helper()
	if len(d.all("", func(n *html.Node) bool { return attr(n, "id") == id })) != 1 {
		d.by.t.Errorf("%s: the link %q leads to no input %s", what, name, id)
	}
	label := d.labelOf(id)
	switch plain := ofPart.ReplaceAllString(name, ""); {
	case label == "": // such as a list of radio buttons
	case plain == name && label != name, !strings.Contains(strings.ToLower(label), strings.ToLower(plain)):
		d.by.t.Errorf("%s: the banner has the name %q of the input %q", what, name, label)
	}
	problems := d.all("", func(n *html.Node) bool { return attr(n, "id") == id+"-problem" })
	if len(problems) != 1 {
		d.by.t.Errorf("%s: %d problems are at the input %s", what, len(problems), id)
		return
	}
	text := textOf(problems[0])
	if problems[0].Data == "p" && !isSentence(text) && !strings.Contains(text, "].") {
		d.by.t.Errorf("%s: %q is not a sentence", what, text)
	}
	if strings.Contains(textOf(banner), text) {
		d.by.t.Errorf("%s: the banner repeats %q", what, text)
	}
}

// labelOf returns the label of an input, or the legend of a list of inputs, without notes.
func (d *document) labelOf(id string) string {
	labels := d.all("", func(n *html.Node) bool {
		return n.Data == "label" && attr(n, "for") == id || n.Data == "legend" && attr(n.Parent, "id") == id
	})
	if len(labels) == 0 {
		return ""
	}
	text := textOf(labels[0])
	for c := range labels[0].Descendants() {
		if c.Type == html.ElementNode && (c.Data == "small" || attr(c, "class") == "muted") {
			text = strings.TrimSpace(strings.Replace(text, textOf(c), "", 1))
		}
	}
	return text
}

// TestProof_Purposes checks that each action that requires the password again says what for.
func TestProof_Purposes(t *testing.T) {
	t.Parallel()
	inHandler := []string{"/tokens", "/tokens/{id}/rotate"} // which require it for some rights
	for _, to := range console.Routes() {
		needs := to.NeedsProof || to.Method == http.MethodPost && slices.Contains(inHandler, to.Path)
		if needs != (to.Purpose != "") {
			t.Errorf("%s %s has the purpose %q", to.Method, to.Path, to.Purpose)
		}
	}
}
