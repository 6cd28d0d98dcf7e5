package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"github.com/specterd/specterd/internal/testenv/headless"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// chromium is a browser with one tab. At the end of the test, it reports violations of the
// content security policy and exceptions of scripts.
type chromium struct {
	t    *testing.T
	ctx  context.Context
	site *site

	mu       sync.Mutex
	messages []string // of the browser's console
}

// browserPatience is the maximum time that a test waits for a page.
const browserPatience = 2 * time.Minute

// chromium starts a browser.
func (s *site) chromium(t *testing.T, flags ...chromedp.ExecAllocatorOption) *chromium {
	t.Helper()
	b := &chromium{t: t, ctx: headless.Chromium(t, flags...), site: s}
	go b.collect()
	b.size(1280)
	t.Cleanup(b.check)
	return b
}

// do runs actions, and fails the test after browserPatience.
func (b *chromium) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("the browser, at %s: %v", b.address(), err)
	}
}

func (b *chromium) address() string {
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	at, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname + location.search"))
	if err != nil {
		return "an unknown page"
	}
	return at
}

// collect keeps the messages of the browser's console.
func (b *chromium) collect() {
	for e, err := range chromedp.Events(b.ctx, cdplog.EntryAdded) {
		if err != nil {
			return
		}
		b.mu.Lock()
		b.messages = append(b.messages, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		b.mu.Unlock()
	}
}

// check fails the test if the browser has reported a violation of the policy or an error.
func (b *chromium) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.messages {
		if strings.Contains(m, "Content Security Policy") || strings.Contains(m, "Uncaught") || strings.Contains(m, "net::ERR") {
			b.t.Errorf("the browser reports: %s", m)
		}
	}
}

// evaluate returns the value of an expression in the page.
func evaluate[T any](b *chromium, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("evaluate %s at %s: %v", expression, b.address(), err)
	}
	return v
}

// open shows a page of the site.
func (b *chromium) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.site.url + path))
}

// see waits until the page contains a text.
func (b *chromium) see(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("the page says %q", text), fmt.Sprintf(`%s.includes(%s)`, pageText, quoted(text)))
}

// until waits until the page is complete and an expression is true.
func (b *chromium) until(what, expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	for {
		found, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.readyState === "complete" && `+expression))
		if found {
			return
		}
		if ctx.Err() != nil {
			b.t.Fatalf("%s: not so that %s (%v): %s", b.address(), what, err, evaluate[string](b, pageText))
		}
		select { // a page that is being replaced has no text
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// pageText is the visible text of the page, without the marks that isolate text of users, and
// with ordinary spaces.
const pageText = `(document.body?.innerText ?? "").replace(/[\u2068\u2069]/g, "").replace(/[\u202f\u00a0]/g, " ")`

func quoted(text string) string { return string(testkit.Must(json.Marshal(text))) }

// press clicks a visible button, or else a link, with this text, as a person does.
func (b *chromium) press(text string) {
	b.t.Helper()
	b.see(text)
	found := evaluate[bool](b, fmt.Sprintf(`(() => {
		const seen = selector => [...document.querySelectorAll(selector)].filter(e => e.checkVisibility());
		const all = [...seen("main button, nav button, header button"), ...seen("main a, main summary, nav a")];
		const it = all.find(e => e.innerText.trim() === %[1]s) ?? all.find(e => e.innerText.includes(%[1]s));
		document.querySelector("[data-test-target]")?.removeAttribute("data-test-target");
		it?.setAttribute("data-test-target", "");
		return it !== undefined;
	})()`, quoted(text)))
	if !found {
		b.t.Fatalf("%s has no button or link %q: %s", b.address(), text, evaluate[string](b, pageText))
	}
	b.do(chromedp.Click("[data-test-target]"))
}

// fill types a text into an input by its id.
func (b *chromium) fill(id, text string) {
	b.t.Helper()
	input := fmt.Sprintf("[id=%q]", id)
	b.do(chromedp.WaitVisible(input))
	evaluate[bool](b, fmt.Sprintf(`(document.querySelector(%s).select(), true)`, quoted(input))) // what is typed replaces it
	b.do(chromedp.SendKeys(input, text))
	if value := evaluate[string](b, fmt.Sprintf(`document.querySelector(%s)?.value ?? %s`, quoted(input), quoted(text))); value != text {
		b.t.Fatalf("%s: the input %s has the value %q, not %q", b.address(), id, value, text)
	}
}

// signIn signs in at the page that the browser shows, which must be the page of sign-in.
func (b *chromium) signIn(name, password string) {
	b.t.Helper()
	b.see("Sign in")
	b.fill("user", name)
	b.fill("password", password)
	b.press("Sign in")
}

// mark marks the page that the browser shows, for untouched.
func (b *chromium) mark() { evaluate[bool](b, "window.untouched = true") }

// untouched reports whether the page is the one in which mark was called: it was not loaded again.
func (b *chromium) untouched() bool { return evaluate[bool](b, "window.untouched === true") }

// size sets the width of the page in CSS pixels.
func (b *chromium) size(width int64) {
	b.t.Helper()
	b.screen(width, 1)
}

// screen sets the width of the page in CSS pixels, and the number of pixels of the screen for each.
func (b *chromium) screen(width int64, pixels float64) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: pixels, Mobile: width < 600})
	testkit.Check(b.t, err)
}

// scheme sets the color scheme of the system, light or dark.
func (b *chromium) scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	testkit.Check(b.t, err)
}

// screenshot writes a picture of the whole page into .cache/screenshots.
func (b *chromium) screenshot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	testkit.Check(b.t, err)
	b.save(name, picture)
}

func (b *chromium) save(name string, picture []byte) {
	b.t.Helper()
	folder := filepath.Join("..", "..", ".cache", "screenshots")
	testkit.Check(b.t, os.MkdirAll(folder, 0o755))
	testkit.Check(b.t, os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644))
}

// view writes a picture of the visible part of the page into .cache/screenshots.
func (b *chromium) view(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	testkit.Check(b.t, err)
	b.save(name, picture)
}

// axeSource is the source of axe-core.
var axeSource = sync.OnceValues(func() (string, error) {
	path, err := exec.Command("../../scripts/axe.sh").Output()
	if err != nil {
		return "", fmt.Errorf("install axe-core: %w", err)
	}
	source, err := os.ReadFile(strings.TrimSpace(string(path)))
	return string(source), err
})

// violation is a rule of WCAG that a page violates.
type violation struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// axe returns the rules of WCAG 2.2 AA that the page violates.
func (b *chromium) axe() []violation {
	b.t.Helper()
	source, err := axeSource()
	testkit.Check(b.t, err)
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	_, err = chromedp.Run(ctx, chromedp.Evaluate[any](source+"; undefined"))
	testkit.Check(b.t, err)
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]violation](`axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
		.then(r => r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html.slice(0, 200))})))`, chromedp.EvalAwaitPromise))
	testkit.Check(b.t, err)
	return found
}

// version returns the name and version of the browser.
func (b *chromium) version() string {
	v, err := chromedp.CallBrowser(b.ctx, browser.GetVersion, cdp.Empty{})
	testkit.Check(b.t, err)
	return v.Product
}
