package console_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// document is a page as a browser has it.
type document struct {
	by     *visitor
	at     *url.URL // after redirects
	status int
	header http.Header
	body   string
	root   *html.Node
}

func (v *visitor) do(r *http.Request) *document {
	v.t.Helper()
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := v.client.Do(r)
	if err != nil {
		v.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer func() { _ = answer.Body.Close() }()
	body := string(testkit.Must(io.ReadAll(answer.Body)))
	d := &document{by: v, at: answer.Request.URL, status: answer.StatusCode, header: answer.Header, body: body}
	d.root = testkit.Must(html.Parse(strings.NewReader(body)))
	if strings.HasPrefix(d.header.Get("Content-Type"), "text/html") && strings.Contains(body, "%!") {
		v.t.Errorf("%s %s: a message has the wrong arguments: %s", r.Method, r.URL, d.text())
	}
	return d
}

func (v *visitor) postForm(path string, values url.Values) *document {
	v.t.Helper()
	r := testkit.Must(http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.site.url+path, strings.NewReader(values.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

// file is a file in a form.
type file struct {
	field, name string
	content     []byte
}

// upload sends a form with files.
func (v *visitor) upload(path string, values url.Values, files ...file) *document {
	v.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, all := range values {
		for _, value := range all {
			testkit.Check(v.t, w.WriteField(name, value))
		}
	}
	for _, f := range files {
		part := testkit.Must(w.CreateFormFile(f.field, f.name))
		_ = testkit.Must(part.Write(f.content))
	}
	testkit.Check(v.t, w.Close())
	r := testkit.Must(http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.site.url+path, &body))
	r.Header.Set("Content-Type", w.FormDataContentType())
	return v.do(r)
}

func (d *document) path() string { return d.at.EscapedPath() }

// all returns the elements with this tag for which the function returns true; nil for all.
func (d *document) all(tag string, is func(*html.Node) bool) []*html.Node {
	var out []*html.Node
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && (tag == "" || n.Data == tag) && (is == nil || is(n)) {
			out = append(out, n)
		}
	}
	return out
}

// attr returns the value of an attribute.
func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// textOf returns the text of an element, with single spaces.
func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		switch {
		case c.Type == html.TextNode && c.Parent.Data != "script" && c.Parent.Data != "style":
			b.WriteString(c.Data)
		case c.Type == html.ElementNode && c.Data != "span" && c.Data != "bdi":
			b.WriteString(" ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// text returns the text of the part main, without the marks that isolate text of users.
func (d *document) text() string {
	for _, n := range d.all("main", nil) {
		return strings.NewReplacer("\u2068", "", "\u2069", "", "\u202f", " ").Replace(textOf(n))
	}
	return textOf(d.root)
}

// want fails the test unless the page has this status and its text contains all parts.
func (d *document) want(status int, parts ...string) *document {
	d.by.t.Helper()
	if d.status != status {
		d.by.t.Fatalf("%s: status %d, not %d: %s", d.at, d.status, status, d.text())
	}
	for _, part := range parts {
		if !strings.Contains(d.text(), part) {
			d.by.t.Errorf("%s does not say %q: %s", d.at, part, d.text())
		}
	}
	return d
}

// lacks fails the test if the source of the page contains one of the texts.
func (d *document) lacks(parts ...string) *document {
	d.by.t.Helper()
	for _, part := range parts {
		if strings.Contains(d.body, part) {
			d.by.t.Errorf("%s contains %q", d.at, part)
		}
	}
	return d
}

// follow requests the target of the first link with this text.
func (d *document) follow(text string) *document {
	d.by.t.Helper()
	links := d.all("a", func(n *html.Node) bool { return strings.Contains(textOf(n), text) })
	if len(links) == 0 {
		d.by.t.Fatalf("%s has no link %q: %s", d.at, text, d.text())
	}
	target := testkit.Must(d.at.Parse(attr(links[0], "href")))
	return d.by.get(target.RequestURI())
}

// countRows follows the pages of a list, checks the size of each, and returns the number of rows
// and the last page.
func (d *document) countRows() (rows int, last *document) {
	d.by.t.Helper()
	for {
		rows += len(d.all("th", func(n *html.Node) bool { return attr(n, "scope") == "row" }))
		if len(d.body) > 60_000 {
			d.by.t.Errorf("%s has %d bytes", d.at, len(d.body))
		}
		if !strings.Contains(d.body, "Next page") {
			return rows, d
		}
		d = d.follow("Next page")
	}
}

// forms returns the forms with this action.
func (d *document) forms(action string) []*html.Node {
	return d.all("form", func(n *html.Node) bool { return attr(n, "action") == action })
}

// fields returns the values that a browser sends for a form without changes, but not the values of
// buttons.
func fields(form *html.Node) url.Values {
	values := url.Values{}
	root, id := form, attr(form, "id")
	for root.Parent != nil {
		root = root.Parent
	}
	for n := range root.Descendants() {
		name, owner := attr(n, "name"), attr(n, "form")
		belongs := owner == "" && isBelow(n, form) || owner != "" && owner == id
		if n.Type != html.ElementNode || name == "" || hasAttr(n, "disabled") || !belongs {
			continue
		}
		switch n.Data {
		case "input":
			if kind := attr(n, "type"); (kind == "checkbox" || kind == "radio") && !hasAttr(n, "checked") || kind == "file" {
				continue
			}
			values.Add(name, attr(n, "value"))
		case "textarea":
			values.Add(name, textOf(n))
		case "select":
			values.Add(name, selected(n))
		}
	}
	return values
}

func isBelow(n, above *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == above {
			return true
		}
	}
	return false
}

func selected(n *html.Node) string {
	first, found := "", false
	for o := range n.Descendants() {
		if o.Type != html.ElementNode || o.Data != "option" {
			continue
		}
		value := attr(o, "value")
		if !hasAttr(o, "value") {
			value = textOf(o)
		}
		if hasAttr(o, "selected") {
			return value
		}
		if !found {
			first, found = value, true
		}
	}
	return first
}

// submit sends the first form with this action after changing some fields: pairs of a name
// and a value.
func (d *document) submit(action string, changes ...string) *document {
	d.by.t.Helper()
	forms := d.forms(action)
	if len(forms) == 0 {
		d.by.t.Fatalf("%s has no form %s: %s", d.at, action, d.text())
	}
	values := fields(forms[0])
	for name, value := range pairs(changes) {
		values[name] = value
	}
	return d.by.postForm(action, values)
}
