package console_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// keys presses keys at the element that has the focus.
func (b *chromium) keys(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// mouse presses or releases the left button of the mouse in the middle of an element.
func (b *chromium) mouse(kind input.DispatchMouseEventType, selector string) {
	b.t.Helper()
	at := evaluate[[]float64](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"}); const box = e.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()`, selector))
	_, err := chromedp.Call(b.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: at[0], Y: at[1], Button: input.MouseButtonLeft, ClickCount: 1})
	testkit.Check(b.t, err)
}

// focused describes the element that has the focus.
const focused = `(() => { const e = document.activeElement; return [e.localName, e.id || e.getAttribute("href") || e.value || e.getAttribute("role") || e.textContent.trim()].join(" "); })()`

// holdRequests makes the scripts of the page wait with their requests until release is called.
const holdRequests = `(() => {
	const ask = window.fetch;
	window.responses = 0;
	window.fetch = async (...request) => {
		await new Promise((resolve) => { window.release = resolve; });
		const answer = await ask(...request);
		const text = answer.text.bind(answer);
		answer.text = async () => {
			const all = await text();
			setTimeout(() => { window.responses++; }); // after the script has used it
			return all;
		};
		return answer;
	};
	return true;
})()`

// TestBrowser_FocusPreview moves the focus with the keyboard, and types on, while a live preview
// arrives. Both stay, also if the element with the focus is not in the new preview.
func TestBrowser_FocusPreview(t *testing.T) {
	t.Parallel()
	s, alice, _ := treasury(t)
	b := s.chromium(t)
	b.open("/wallets/treasury/send")
	b.signIn(alice.name, alice.password)
	b.paste(address1, purseAddress(t, s.node))
	b.paste(amount1, "100000")
	b.see("Update the preview")
	evaluate[bool](b, holdRequests)
	arrive := func(change, name string, keys ...string) string {
		t.Helper()
		evaluate[bool](b, `(window.before = document.getElementById("preview"), window.release = null, true)`)
		b.paste(change, name)
		b.until("the preview is requested", "window.release !== null")
		for _, key := range keys {
			b.keys(key)
		}
		evaluate[bool](b, "(window.released = window.release, window.release(), true)")
		b.until("the preview has arrived", `document.getElementById("preview") !== window.before`)
		return evaluate[string](b, focused)
	}
	tabs := []string{kb.Tab, kb.Tab, kb.Tab, kb.Tab}
	if got := arrive("fee_rate_sat_vb", "7", tabs...); got != "button preview" {
		t.Fatalf("after the preview, the focus is at %q", got)
	}
	b.see("7 sat/vB, ")
	if got := arrive(label1, "rent", kb.ArrowLeft, "a", "u", "n"); got != "input "+label1 {
		t.Errorf("after the preview, the focus is at %q", got)
	}
	const caret = `(() => { const e = document.activeElement; return e.value + " " + e.selectionStart; })()`
	if got := evaluate[string](b, caret); got != "renaunt 6" {
		t.Errorf("the field has %q", got)
	}
	b.until("what was typed last is requested", "window.release !== window.released")
	evaluate[bool](b, "(window.release(), true)")
	b.see("renaunt")

	// The response arrives while the mouse presses the button. The click counts.
	evaluate[bool](b, `(window.before = document.getElementById("preview"), window.clicks = window.responses = 0, window.release = null, addEventListener("submit", (event) => { event.preventDefault(); window.clicks++; }), true)`)
	b.paste(label1, "lease")
	b.until("the preview is requested", "window.release !== null")
	b.mouse(input.DispatchMouseEventTypeMousePressed, "#preview [value=preview]")
	evaluate[bool](b, "(window.release(), true)")
	b.until("the response has arrived", "window.responses > 0")
	b.mouse(input.DispatchMouseEventTypeMouseReleased, "#preview [value=preview]")
	b.until("the preview has arrived", `document.getElementById("preview") !== window.before`)
	if n := evaluate[int](b, "window.clicks"); n != 1 {
		t.Errorf("%d clicks", n)
	}

	// The button that creates the proposal is not in the preview of a payment that is not possible.
	evaluate[bool](b, `(window.before = document.getElementById("preview"), window.release = null, true)`)
	b.paste(amount1, "100000000")
	b.until("the preview is requested", "window.release !== null")
	evaluate[bool](b, `(() => { const create = document.querySelector("#preview [value=create]"); create.disabled = false; create.focus(); return true; })()`)
	evaluate[bool](b, "(window.release(), true)")
	b.see("Insufficient funds")
	if got := evaluate[string](b, focused); got != "section preview" {
		t.Errorf("without the button, the focus is at %q", got)
	}
	b.keys(kb.Tab)
	if got := evaluate[string](b, focused); got != "button preview" {
		t.Errorf("the next element is %q", got)
	}
}

// TestBrowser_FocusKeep replaces a part of a page in which the user has typed, chosen and opened
// something.
func TestBrowser_FocusKeep(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.chromium(t)
	b.open("/login")
	b.signIn("admin", adminPassword)
	b.see("You have no wallet yet")
	source := regexp.MustCompile(`/assets/focus\.[0-9a-f]+\.js`).FindString(s.admin(t).get(evaluate[string](b, `document.querySelector("[src*='/live.']").getAttribute("src")`)).body)
	got := testkit.Must(chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(`(async () => {
		const { keep } = await import(%q);
		const text = '<div id="part"><details><summary>More</summary><input name="a" value="old"><input type="checkbox" name="b" value="1"><input type="checkbox" name="b" value="2"><select name="c"><option>x<option>y</select></details><button>Go</button></div>';
		document.getElementById("content").innerHTML = text;
		const part = () => document.getElementById("part");
		const replace = () => { part().outerHTML = text; };
		const [details, a, b1, b2, c] = part().querySelectorAll("details, input, select");
		details.open = true;
		a.value = "typing";
		b2.checked = true;
		c.value = "y";
		a.focus();
		a.setSelectionRange(2, 4);
		keep(replace);
		const [open, n, m1, m2, o] = part().querySelectorAll("details, input, select");
		const said = [a.isConnected, open.open, document.activeElement === n, n.value, n.selectionStart, n.selectionEnd, m1.checked, m2.checked, o.value];
		keep(() => { part().innerHTML = "<p>nothing</p>"; });
		said.push(document.activeElement === part());
		document.activeElement.blur();
		keep(replace);
		said.push(document.activeElement === document.body, part().hasAttribute("tabindex"));
		return said.join(" ");
	})()`, source), chromedp.EvalAwaitPromise)))
	if want := "false true true typing 2 4 false true y true true false"; got != want {
		t.Errorf("after the replacement: %s, not %s", got, want)
	}
}

// replacements returns the first and the last element of each live part, as the id of the part and
// the number of the element.
const replacements = `(() => {
	const parts = [...document.querySelectorAll("main [data-live], #nav-wallets, #nav-node")];
	return parts.flatMap((part) => {
		const all = [...part.querySelectorAll("a[href], button, summary")].filter((e) => e.checkVisibility() && e.closest("[data-live]") === part);
		return [...new Set([all[0], all.at(-1)])].filter(Boolean).map((e) => part.id + " " + all.indexOf(e));
	});
})()`

// TestBrowser_FocusLive focuses elements of all live parts of the pages, and lets an event replace
// the part: the new element has the focus, and open details stay open.
func TestBrowser_FocusLive(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	bob := s.user(t, "bob", false)
	alice.pay(w.alias, alice.address(w.alias, "Invoice"), "0.5")
	txid := alice.pay(w.alias, alice.address(w.alias, "Another"), "0.1")
	alice.api("PUT", "/api/v1/wallets/treasury/policy", map[string]any{"policy": json.RawMessage(`{"version": 1, "allow": [{"name": "daily", "windows": [{"per": "24h", "max_count": 9}]}]}`)})
	made, ready := alice.propose(w.alias), alice.propose(w.alias)
	alice.sign(ready, w.signers[0], w.signers[1])
	bob.vault("savings")
	bob.member("savings", alice, "viewer")
	bob.vault("petty")
	bob.api("POST", "/api/v1/wallets/petty/invitations", map[string]any{"user": "alice", "role": "viewer"})
	alice.get("/webhooks/new").submit("/webhooks", "description", "shop", "url", "http://127.0.0.1:9/")
	b := s.chromium(t)
	b.open("/login")
	b.signIn(alice.name, alice.password)
	b.see("2 proposals wait for you")
	paths := []string{
		"/", "/wallets/treasury", "/wallets/treasury/proposals", pageOf(made), pageOf(ready), "/wallets/treasury/transactions/" + txid,
		"/wallets/treasury/history", "/wallets/treasury/receive", "/wallets/treasury/policy", "/wallets/treasury/settings", "/node", "/webhooks",
	}
	checked, name := map[string]int{}, 0
	for _, path := range paths {
		b.open(path)
		b.until("the page is complete", `document.querySelector("main h1") !== null`)
		for _, element := range evaluate[[]string](b, replacements) {
			id, at, _ := strings.Cut(element, " ")
			if strings.HasPrefix(id, "nav-") && path != "/" {
				continue // on all pages
			}
			before := evaluate[string](b, fmt.Sprintf(`(() => {
				const part = document.getElementById(%q);
				for (const e of part.querySelectorAll("details")) e.open = true;
				const e = [...part.querySelectorAll("a[href], button, summary")].filter((e) => e.checkVisibility())[%s];
				part.dataset.test = "before";
				e.focus();
				return [e.localName, e.getAttribute("href"), e.textContent.trim()].join(" ");
			})()`, id, at))
			name++
			alice.api("PATCH", "/api/v1/wallets/treasury", map[string]any{"name": fmt.Sprintf("Treasury %d", name)})
			b.until("the part is replaced", fmt.Sprintf(`document.getElementById(%q)?.dataset.test === undefined`, id))
			after := evaluate[string](b, `(() => { const e = document.activeElement; return [e.localName, e.getAttribute("href"), e.textContent.trim()].join(" "); })()`)
			named := regexp.MustCompile(`Treasury( \d+)?`) // the event
			if named.ReplaceAllString(after, "") != named.ReplaceAllString(before, "") {
				t.Errorf("%s, %s: the focus was at %q, and is at %q", path, element, before, after)
			}
			if evaluate[bool](b, fmt.Sprintf(`document.getElementById(%q).querySelector("details:not([open])") !== null`, id)) {
				t.Errorf("%s, %s: details are closed", path, element)
			}
			checked[id]++
		}
	}
	t.Logf("%d parts: %v", len(checked), checked)
	if len(checked) < 13 {
		t.Errorf("only %d parts have elements", len(checked))
	}
}

// TestBrowser_FocusRefusal sends forms that are refused. The first wrong field has the focus, or the
// message if no field is wrong, or the field for the password.
func TestBrowser_FocusRefusal(t *testing.T) {
	t.Parallel()
	s, alice, _ := treasury(t)
	b := s.chromium(t)
	b.open("/wallets/treasury/send")
	b.signIn(alice.name, "wrong")
	b.see("The user name or the password is wrong")
	if got := evaluate[string](b, focused); got != "input password" {
		t.Errorf("after a wrong password, the focus is at %q", got)
	}
	b.signIn(alice.name, alice.password)
	b.see("Recipients")
	send := func(amount string) string {
		t.Helper()
		b.paste(address1, purseAddress(t, s.node))
		b.paste(amount1, amount)
		b.mark()
		evaluate[bool](b, `(document.querySelector("#preview [value=preview]").focus(), true)`)
		b.keys(kb.Enter)
		b.until("the form was sent", "window.untouched !== true")
		b.until("the focus is set", "document.activeElement !== document.body")
		return evaluate[string](b, focused)
	}
	if got := send("1,5"); got != "input "+amount1 {
		t.Errorf("after a wrong amount, the focus is at %q", got)
	}
	if got := send("100000000"); got != "div alert" {
		t.Errorf("without a wrong field, the focus is at %q", got)
	}
	b.inspectHere("payment-refused-focus")
	b.open("/tokens/new?preset=own") // its first field has autofocus
	b.fill("description", "shop")
	b.press("Create token")
	b.see("Nothing was stored")
	if got := evaluate[string](b, focused); strings.Contains(got, "description") || strings.HasPrefix(got, "body") {
		t.Errorf("after a token without rights, the focus is at %q", got)
	}
}
