package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// withEstimates opens a server whose node reports fee estimates, from 20 sat/vB on for the fastest
// target downwards.
func withEstimates(t *testing.T) *site {
	t.Helper()
	n := testkit.Bitcoind(t)
	fund(t, n)
	relay := testkit.NewRelay(t, n)
	relay.Intercept(func(x *testkit.Exchange) {
		if !x.Calls("estimatesmartfee") {
			x.Forward()
			return
		}
		status, body := x.Ask()
		var replies []map[string]any
		if json.Unmarshal(body, &replies) != nil { // a single request
			var one map[string]any
			testkit.Check(t, json.Unmarshal(body, &one))
			one["result"] = map[string]any{"feerate": 0.0001, "blocks": 6}
			x.Answer(status, testkit.Must(json.Marshal(one)))
			return
		}
		rate := 20
		for _, r := range replies { // the node has no estimates, only errors
			if result, _ := r["result"].(map[string]any); result["errors"] != nil {
				r["result"] = map[string]any{"feerate": json.Number(fmt.Sprintf("0.000%02d", rate)), "blocks": 2}
				rate -= 2
			}
		}
		x.Answer(http.StatusOK, testkit.Must(json.Marshal(replies)))
	})
	through := testkit.Must(url.Parse(n.URL())) // with the credentials
	through.Host = fmt.Sprintf("127.0.0.1:%d", relay.Port())
	s := open(t, with("SPECTER_NODE_URL", through.String()), with("SPECTER_NODE_WALLET_FOLDER", n.WalletFolder()))
	s.node = n
	return s
}

// key presses a key while an element has the focus.
func (b *chromium) key(selector, key string) {
	b.t.Helper()
	b.do(chromedp.Focus(selector), chromedp.KeyEvent(key))
}

// TestBrowser_Send fills the form of a payment with a link, the slider, an exact fee rate and a
// wallet of the user.
func TestBrowser_Send(t *testing.T) {
	t.Parallel()
	s := withEstimates(t)
	alice := s.user(t, "alice", false)
	alice.funded("treasury")
	alice.vault("savings")
	to := purseAddress(t, s.node)
	b := s.chromium(t)
	b.open("/wallets/treasury/send")
	b.signIn("alice", alice.password)
	b.see("about 1 hour (6 blocks) · 16 sat/vB")
	b.inspect("/wallets/treasury/send")
	b.paste(address1, "bitcoin:"+to+"?amount=0.01&label=shop")
	b.see("1 UTXO is spent")
	for id, want := range map[string]string{address1: to, amount1: "1000000", label1: "shop"} {
		if got := evaluate[string](b, fmt.Sprintf("document.getElementById(%q).value", id)); got != want {
			t.Errorf("after the link, %s is %q and not %q", id, got, want)
		}
	}

	const slider = "[type=range]"
	chosen := `document.querySelector("[name=target_blocks]:checked").value`
	b.see("fee about")
	b.key(slider, kb.ArrowRight)
	b.see("about 30 minutes (3 blocks) · 18 sat/vB · fee about")
	b.see("10 sat/vB, ") // the preview, for any target
	b.key(slider, kb.Home)
	b.see("7 days (1008 blocks) · 8 sat/vB · fee about")
	if got := evaluate[string](b, chosen); got != "1008" {
		t.Errorf("the slider has chosen %s", got)
	}
	b.fill("fee_rate_sat_vb", "13.5")
	b.see("about 4 hours (24 blocks), by the estimates of the node · 13.5 sat/vB")
	if got := evaluate[string](b, chosen); got != "own" {
		t.Errorf("an exact fee rate has chosen %s", got)
	}
	b.see("13.5 sat/vB, ")
	const off = `document.querySelector("[type=range]").disabled && document.querySelector("[data-for-targets]").hidden`
	b.see("The exact fee rate applies.")
	if !evaluate[bool](b, off) {
		t.Error("the slider is in use with an exact fee rate")
	}
	b.inspectHere("payment-fee")
	b.fill("fee_rate_sat_vb", "3")
	b.see("slower than all estimates of the node · 3 sat/vB")
	evaluate[bool](b, `(document.getElementById("fee_rate_sat_vb").select(), document.execCommand("delete"))`)
	if evaluate[bool](b, off) {
		t.Error("without an exact fee rate, the slider is not in use")
	}
	b.key(slider, kb.End)
	b.see("about 20 minutes (2 blocks) · 20 sat/vB")
	if got := evaluate[string](b, `document.getElementById("fee_rate_sat_vb").value`) + evaluate[string](b, chosen); got != "2" {
		t.Errorf("after the slider, the fee rate and the target are %s", got)
	}

	evaluate[bool](b, fmt.Sprintf(`(document.getElementById(%q).select(), document.execCommand("delete"))`, address1))
	evaluate[bool](b, `(() => { const list = document.getElementById("recipients[0].wallet"); list.value = "savings"; list.dispatchEvent(new Event("input", {bubbles: true})); return true; })()`)
	b.see("A new address of your wallet Savings")
	b.inspectHere("payment-own-wallet")
	b.press("Create proposal")
	b.see("Belongs to your wallet Savings")
}

// TestBrowser_SendWithoutEstimates says with an exact fee rate that the time is unknown, and that the
// fee rate is optional beside the slider. Without scripts, a radio button requires it. Then a policy
// refuses the payment, while the user is typing and after the button. The next live preview takes the
// place of that refusal.
func TestBrowser_SendWithoutEstimates(t *testing.T) {
	t.Parallel()
	s, alice, _ := treasury(t)
	b := s.chromium(t)
	b.open("/wallets/treasury/send")
	b.signIn("alice", alice.password)
	b.see("Exact fee rate in sat/vB (optional, instead of a time)")
	b.fill("fee_rate_sat_vb", "5")
	b.see("an unknown time, because the node has no estimates · 5 sat/vB")
	b.fill("fee_rate_sat_vb", "2,5")
	b.see("because the node has no estimates · 2.5 sat/vB")
	const shown = `document.querySelector(".own-rate small").checkVisibility()`
	if !evaluate[bool](b, shown) || evaluate[bool](b, `(document.querySelector(".fees").classList.remove("sliding"), `+shown+`)`) {
		t.Error("the note is not only for the slider")
	}
	alice.api("PUT", "/api/v1/wallets/treasury/policy", map[string]any{"policy": map[string]any{
		"version": 1, "allow": []any{map[string]any{"name": "daily", "windows": []any{map[string]any{"per": "24h", "max_sat": 60000}}}},
	}})
	b.open("/wallets/treasury/send")
	b.paste(address1, purseAddress(t, s.node))
	b.paste(amount1, "100000")
	b.see("Within 24 hours, at most 60 000 sat including fees can be paid, and this payment alone needs")
	b.inspectHere("payment-refused-live")
	evaluate[bool](b, `(document.querySelector("#preview [value=preview]").click(), true)`)
	b.see("This payment is not possible yet: show why")
	b.inspectHere("payment-refused")
	b.paste(amount1, "50000")
	b.see("Create proposal")
	if evaluate[bool](b, `document.querySelector(".banner.bad") !== null`) {
		t.Error("the refusal of the button stays above a preview of a possible payment")
	}
	b.paste(amount1, "100000") // after a refusal of the button, the live preview has the only one
	evaluate[bool](b, `(document.querySelector("#preview [value=preview]").click(), true)`)
	b.see("This payment is not possible yet: show why")
	b.paste(amount1, "110000")
	b.until("the refusal of the live preview", `document.querySelectorAll(".banner.bad").length === 1 && document.querySelector("#preview .banner.bad") !== null`)
}

// paste puts a text into an input as pasting does.
func (b *chromium) paste(id, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(fmt.Sprintf("[id=%q]", id)))
	evaluate[bool](b, fmt.Sprintf(`(() => { const field = document.getElementById(%q); field.focus(); field.select(); return document.execCommand("insertText", false, %s); })()`, id, quoted(text)))
}

// TestBrowser_SendScan scans the code of a recipient with the camera, and then a photo.
func TestBrowser_SendScan(t *testing.T) {
	t.Parallel()
	s, alice, _ := treasury(t)
	camera := filepath.Join(t.TempDir(), "camera.y4m")
	first, second := purseAddress(t, s.node), purseAddress(t, s.node)
	film(t, camera, []string{"bitcoin:" + first + "?amount=0.01&label=shop"})
	b := s.withCamera(t, camera)
	b.open("/wallets/treasury/send")
	b.signIn("alice", alice.password)
	b.press("Scan a QR code")
	b.audit("payment-scan")
	b.press("Scan with the camera")
	b.see("1 UTXO is spent") // after the page was loaded again
	b.press("Scan a QR code")
	photo := filepath.Join(t.TempDir(), "photo.jpg")
	testkit.Check(t, os.WriteFile(photo, codePicture(t, second), 0o600))
	b.upload("photo", photo)
	b.see("Recipient 2: address")
	for id, want := range map[string]string{address1: first, amount1: "1000000", label1: "shop", "recipients[1].address": second} {
		if got := evaluate[string](b, fmt.Sprintf("document.getElementById(%q).value", id)); got != want {
			t.Errorf("%s is %q and not %q", id, got, want)
		}
	}
}
