package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestBrowser_Payment is a payment from the form to the broadcast, in Chromium: the preview
// appears while the user types; the codes for the device are animated; the first signature
// arrives through the camera, the second as a file.
func TestBrowser_Payment(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	camera := filepath.Join(t.TempDir(), "camera.y4m")
	film(t, camera, []string{"nothing yet"})
	b := s.withCamera(t, camera)
	b.open("/wallets/treasury/send")
	b.signIn("alice", alice.password)
	b.see("Recipients")
	to := purseAddress(t, s.node)
	b.fill(address1, to)
	b.see("is required") // a hint, while the user is typing
	marked := `[...document.querySelectorAll("#send [aria-invalid]")].map((e) => e.id + ": " + document.getElementById(e.getAttribute("aria-describedby")).textContent.trim()).join("|")`
	if got := evaluate[string](b, marked); got != "" {
		t.Errorf("an empty input is marked: %s", got)
	}
	b.fill(amount1, "1,5")
	b.see("Must not have a comma")
	if got := evaluate[string](b, marked); !strings.HasPrefix(got, amount1+": Must not have a comma") || strings.Contains(got, "|") {
		t.Errorf("the marked inputs are %q", got)
	}
	if got := evaluate[string](b, "document.activeElement.id"); got != amount1 {
		t.Errorf("the focus is at %q", got)
	}
	b.audit("payment-problem")
	b.fill(amount1, "150000")
	b.see("1 UTXO is spent")
	if got := evaluate[string](b, marked); got != "" {
		t.Errorf("a corrected input is marked: %s", got)
	}
	if n := s.count(t, "proposals"); n != 0 {
		t.Fatalf("the live preview has stored %d proposals", n)
	}
	b.audit("payment-preview")
	b.press("Create proposal")
	b.see("Next: sign with your device")
	page := b.address()
	page, _, _ = strings.Cut(page, "?")

	b.see("Part 2 of")
	b.press("Pause")
	b.see("Play")
	shown := evaluate[string](b, `document.querySelector("[data-label]").textContent`)
	b.press("Next part")
	if after := evaluate[string](b, `document.querySelector("[data-label]").textContent`); after == shown {
		t.Errorf("after Next part, the page still shows %s", after)
	}

	psbt := []byte(alice.get(page + "/psbt").body)
	film(t, camera, urTexts(t, s.node.Sign(t, psbt, w.signers[1])))
	b.press("Scan with the camera")
	b.see("The signature of this key is added")
	b.see("1 more signature is required")
	b.audit("payment-signed")

	signed := filepath.Join(t.TempDir(), "signed.psbt")
	testkit.Check(t, os.WriteFile(signed, s.node.Sign(t, psbt, w.signers[2]), 0o600))
	b.upload("file", signed)
	b.press("Add signature")
	b.see("It can be broadcast now")
	b.press("Broadcast")
	b.see("Waiting for a block")
	b.audit("payment-broadcast")
	s.node.Mine(t, 1)
	b.see("Nothing more is to do.") // without a reload
}

// TestBrowser_Photos takes the signature from photos of the codes.
func TestBrowser_Photos(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	made := alice.propose(w.alias)
	dir := t.TempDir()
	var photos []string
	for i, text := range urTexts(t, s.node.Sign(t, psbtOf(t, made), w.signers[0])) {
		photos = append(photos, filepath.Join(dir, fmt.Sprintf("photo %d.jpg", i)))
		testkit.Check(t, os.WriteFile(photos[i], codePicture(t, text), 0o600))
	}
	empty := filepath.Join(dir, "empty.jpg")
	testkit.Check(t, os.WriteFile(empty, asJPEG(image.NewGray(image.Rect(0, 0, 640, 360))), 0o600))
	b := s.chromium(t)
	b.open("/p/" + made["id"].(string))
	b.signIn("alice", alice.password)
	b.see("Next: sign with your device")
	b.upload("file", empty)
	b.press("Add signature")
	b.see("No QR code was found in this file")
	b.upload("file", photos...)
	b.press("Add signature")
	b.see("The signature of this key is added")
}

// TestBrowser_PaymentPages looks at the pages of payments.
func TestBrowser_PaymentPages(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	alice.pay(w.alias, alice.address(w.alias, ""), "0.5")
	first, second := alice.propose(w.alias), alice.propose(w.alias)
	const list = "/wallets/treasury/proposals"
	pending, page := pageOf(first), pageOf(second)
	alice.sign(second, w.signers[0], w.signers[1])
	b := s.chromium(t)
	b.open("/wallets/treasury/send")
	b.signIn("alice", alice.password)
	b.see("Recipients")
	for _, path := range []string{"/wallets/treasury/send", list, pending, pending + "/bump", pending + "/qr?device=coldcard", page} {
		b.inspect(path)
	}
	b.open(pending)
	b.see("Next: sign with your device")
	alice.sign(first, w.signers[0], w.signers[1])
	b.press("Show the new state")
	b.see("Next: broadcast the payment")
}

// recorder is a script that records a canvas, on which it draws the pictures one after the
// other, as a video, and chooses that video in the form. It draws them three times, because a
// busy browser does not record every frame.
const recorder = `(async () => {
	const canvas = document.createElement("canvas");
	[canvas.width, canvas.height] = [800, 800];
	const context = canvas.getContext("2d");
	const pictures = await Promise.all(%s.map(async (url) => createImageBitmap(new Blob([Uint8Array.from(atob(url), (c) => c.charCodeAt(0))], {type: "image/jpeg"}))));
	const recording = new MediaRecorder(canvas.captureStream(20), {mimeType: "video/webm", videoBitsPerSecond: 8e6});
	const parts = [];
	recording.addEventListener("dataavailable", (e) => { if (e.data.size > 0) parts.push(e.data); });
	recording.start(50);
	for (const picture of [...pictures, ...pictures, ...pictures]) {
		const before = parts.length;
		for (let i = 0; i < 8 || parts.length < before + 4; i++) { // a busy machine leaves out frames
			context.drawImage(picture, 0, 0, 800, 800);
			await new Promise((resolve) => { setTimeout(resolve, 50); });
		}
	}
	const stopped = new Promise((resolve) => { recording.addEventListener("stop", resolve); });
	recording.stop();
	await stopped;
	const chosen = new DataTransfer();
	chosen.items.add(new File(parts, "codes.webm", {type: "video/webm"}));
	document.getElementById("file").files = chosen.files;
	return true;
})()`

// TestBrowser_Video takes the signature from a recorded video.
func TestBrowser_Video(t *testing.T) {
	t.Parallel()
	s, alice, w := treasury(t)
	made := alice.propose(w.alias)
	var pictures [][]byte
	for _, text := range urTexts(t, s.node.Sign(t, psbtOf(t, made), w.signers[0])) {
		pictures = append(pictures, codePicture(t, text))
	}
	b := s.chromium(t)
	b.open("/p/" + made["id"].(string))
	b.signIn("alice", alice.password)
	b.see("Next: sign with your device")
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(recorder, testkit.Must(json.Marshal(pictures))), chromedp.EvalAwaitPromise))
	testkit.Check(t, err)
	b.press("Add signature")
	b.see("The signature of this key is added")
}
