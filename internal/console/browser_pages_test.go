package console_test

import (
	"regexp"
	"strings"
	"testing"
)

// shownPages are the pages that the browser tests look at; {alias} is the wallet of the test.
var shownPages = []string{"/login", "/", "/nope"}

// TestBrowser_Pages looks at every page in Chromium, in both themes and at the widths of a desktop and
// a phone: no violations of WCAG 2.2 AA or of the content security policy, nothing wider than
// the window. It writes a screenshot of each into .cache/screenshots.
func TestBrowser_Pages(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.chromium(t)
	for i, path := range shownPages {
		if i == 1 {
			b.open("/login")
			b.signIn("admin", adminPassword)
			b.see("Home")
		}
		b.inspect(path)
	}
	t.Logf("%d pages in %s", len(shownPages), b.version())
}

// inspect looks at a page in both themes and at both widths, and writes screenshots.
func (b *chromium) inspect(path string) {
	b.t.Helper()
	b.inspectEach(path, func() { b.open(path) })
}

// inspectHere looks at the page that a form has led to, like inspect.
func (b *chromium) inspectHere(name string) {
	b.t.Helper()
	b.inspectEach(name, func() {})
	b.size(1280)
}

// inspectEach calls open in both themes and at both widths, and looks at the page.
func (b *chromium) inspectEach(name string, open func()) {
	b.t.Helper()
	for _, width := range []int64{1280, 390} {
		for _, theme := range []string{"light", "dark"} {
			b.size(width)
			b.scheme(theme)
			open()
			b.audit(screenshotName(name, width, theme))
			if b.scrollsSideways() {
				b.t.Errorf("%s is wider than %d px", name, width)
			}
		}
	}
}

// audit checks the accessibility of the page as it is, and writes a screenshot.
func (b *chromium) audit(name string) {
	b.t.Helper()
	for _, v := range b.axe() {
		b.t.Errorf("%s: %s (%s): %s", name, v.Help, v.ID, strings.Join(v.Nodes, " | "))
	}
	b.screenshot(name)
}

var anyID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|msg_[A-Za-z0-9_-]+`)

func screenshotName(path string, width int64, theme string) string {
	name := anyID.ReplaceAllString(strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(strings.Trim(path, "/")), "id")
	if name == "" {
		name = "home"
	}
	if width < 600 {
		return name + "-phone-" + theme
	}
	return name + "-" + theme
}
