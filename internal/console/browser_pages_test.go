package console_test

import (
	"fmt"
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

// inspect looks at a page in both themes and at the widths of a desktop and a phone, and writes
// screenshots. At all widths and in all languages, it checks the layout.
func (b *chromium) inspect(path string) {
	b.t.Helper()
	b.inspectEach(path, func() { b.open(path) })
	for _, lang := range []string{"de", "en"} {
		evaluate[bool](b, fmt.Sprintf(`(document.cookie = "specterd-lang=%s; path=/") !== ""`, lang))
		b.checkLayout(path+" ("+lang+")", func() { b.open(path) })
	}
}

// inspectHere looks at the page that a form has led to, like inspect.
func (b *chromium) inspectHere(name string) {
	b.t.Helper()
	b.inspectEach(name, func() {})
	b.checkLayout(name, func() {})
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
		}
	}
}

// checkLayout calls open at the widths of a desktop, a tablet and a phone, and checks that
// nothing is cut off.
func (b *chromium) checkLayout(name string, open func()) {
	b.t.Helper()
	for _, width := range []int64{390, 768, 1280} {
		b.size(width)
		open()
		for _, problem := range evaluate[[]string](b, cutOff) {
			b.t.Errorf("%s at %d px: %s", name, width, problem)
		}
	}
}

// cutOff is a script that returns the elements of the page that are cut off, overlap their
// frame, or are hidden until the reader scrolls sideways, the badges that are broken into
// several lines, the times in more than three lines of a table, identifiers that do not look like
// the link that they are in, and the texts that touch the heading above them. Identifiers are shortened intentionally.
const cutOff = `(() => {
	const problems = [];
	const say = (e, text) => problems.push("<" + e.tagName.toLowerCase() + " class=\"" + e.className + "\"> " + text + ": " + (e.textContent || e.value || "").trim().replace(/\s+/g, " ").slice(0, 80));
	if (document.documentElement.scrollWidth > document.documentElement.clientWidth) problems.push("the page is wider than the window");
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility() || e.closest("svg, .vh, .id, .side bdi, thead:not(.roles thead)")) continue;
		const box = e.getBoundingClientRect();
		if (box.width === 0 || box.height === 0) continue;
		const style = getComputedStyle(e);
		if (style.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1 && !e.matches("input, select, textarea")) say(e, "has hidden content");
		if (e.matches(".badge, .count") && box.height > 1.9 * parseFloat(style.fontSize)) say(e, "has several lines");
		if (e.matches(".head :is(h1, .h1) + p, h2 + .big") && box.top < e.previousElementSibling.getBoundingClientRect().bottom + 3) say(e, "touches its heading");
		if (e.matches("td:not(.w)") && e.querySelector("time")) { // .w has long texts
			const content = document.createRange();
			content.selectNodeContents(e);
			const lines = Math.round(content.getBoundingClientRect().height / parseFloat(style.lineHeight));
			if (lines > 3) say(e, "has a time in " + lines + " lines");
		}
		const id = e.matches("a") && e.querySelector(".id");
		if (id && getComputedStyle(id).textDecorationLine !== style.textDecorationLine) say(e, "has an identifier that does not look like the link");
		const frame = e.parentElement.closest("td, th, li, .panel, .banner, main, nav");
		const right = frame?.getBoundingClientRect().right ?? innerWidth;
		if (box.right > right + 1) say(e, "is wider than its frame by " + Math.round(box.right - right) + " px");
	}
	return problems;
})()`

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
