package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/chromedp/chromedp"

	"github.com/specterd/specterd/internal/qrcodec"
	"github.com/specterd/specterd/internal/qrscan"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// device is a signing device of the story: its file for a vault, and its wallet on the node,
// which signs in its place.
type device struct{ file, signer string }

// devices returns the files of three Coldcards, and creates a wallet on the node for each.
func devices(t *testing.T, n *testkit.Node) []device {
	t.Helper()
	var public, private, origins []string
	for i := range 3 {
		_, key := testkit.Key(t, 7000+i)
		origin, text, _ := strings.Cut(key, "]")
		account := testkit.Must(testkit.Must(hdkeychain.NewKeyFromString(text)).Derive(hdkeychain.HardenedKeyStart + 2))
		private = append(private, origin+"/2h]"+account.String())
		public = append(public, testkit.Must(account.Neuter()).String())
		origins = append(origins, origin+"/2h]")
	}
	var out []device
	for i := range 3 {
		keys := make([]string, 3)
		for k := range 3 {
			if keys[k] = origins[k] + public[k]; k == i {
				keys[k] = private[k]
			}
		}
		descriptor := func(branch string) string {
			return "wsh(sortedmulti(2," + strings.Join(keys, "/"+branch+"/*,") + "/" + branch + "/*))"
		}
		signer := fmt.Sprintf("device %d", i)
		n.Signer(t, signer, descriptor("0"), descriptor("1"))
		fingerprint := strings.ToUpper(origins[i][1:9])
		content := testkit.Must(json.Marshal(map[string]string{"p2wsh_deriv": "m/48'/1'/0'/2'", "p2wsh": public[i], "account": "0", "xfp": fingerprint}))
		path := filepath.Join(t.TempDir(), "ccxp-"+fingerprint+".json")
		testkit.Check(t, os.WriteFile(path, content, 0o600))
		out = append(out, device{path, signer})
	}
	return out
}

// choose selects the radio button or check box with this label.
func (b *chromium) choose(label string) {
	b.t.Helper()
	b.see(label)
	found := evaluate[bool](b, fmt.Sprintf(`(() => {
		const it = [...document.querySelectorAll("main label")].find(e => e.checkVisibility() && e.innerText.trim().startsWith(%s));
		it?.querySelector("input").click();
		return it !== undefined;
	})()`, quoted(label)))
	if !found {
		b.t.Fatalf("%s has no choice %q", b.address(), label)
	}
}

// upload selects files in the input with this id.
func (b *chromium) upload(id string, paths ...string) {
	b.t.Helper()
	b.until("the page has an input "+id, fmt.Sprintf(`document.getElementById(%s) !== null`, quoted(id)))
	b.do(chromedp.SetUploadFiles("#"+id, paths))
}

// text returns the text of the first element of a selector.
func (b *chromium) text(selector string) string {
	return strings.TrimSpace(evaluate[string](b, fmt.Sprintf(`document.querySelector(%s)?.textContent ?? ""`, quoted(selector))))
}

// picture returns a picture of an element.
func (b *chromium) picture(selector string) []byte {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.Screenshot(selector))
	testkit.Check(b.t, err)
	return picture
}

// TestBrowser_Story is a payment of a vault of several people, from the first start of the server to
// the block: as people see it, in Chromium, with a real node.
func TestBrowser_Story(t *testing.T) {
	t.Parallel()
	s := open(t, onOwnNode, with("SPECTER_ADMIN_PASSWORD", ""))
	ds := devices(t, s.node)
	const passwordA, passwordB = "ada counts seven owls", "bert counts nine owls"
	a := s.chromium(t)

	// The first run sets the password of the admin, who creates two users.
	a.open("/")
	a.fill("password", adminPassword)
	a.press("Set password and sign in")
	a.see("Home")
	for name, password := range map[string]string{"ada": passwordA, "bert": passwordB} {
		a.open("/users")
		a.fill("name", name)
		a.fill("password", password)
		a.press("Create user")
		a.see(name)
	}
	a.press("Sign out")

	// Ada makes a vault from the files of three devices, and compares the first addresses.
	a.signIn("ada", passwordA)
	a.see("You have no wallet yet")
	a.press("New wallet")
	a.upload("file", ds[0].file, ds[1].file, ds[2].file)
	a.fill("signatures_required", "2")
	a.press("Continue")
	a.see("3 keys")
	a.fill("name", "Treasury")
	a.choose("No, it is new")
	a.press("Continue")
	a.see("Compare these addresses with your device")
	var first []string
	var listed struct{ Descriptors []struct{ Desc string } }
	testkit.Check(t, json.Unmarshal(s.node.WalletCLI(t, ds[0].signer, "listdescriptors"), &listed))
	testkit.Check(t, json.Unmarshal(s.node.CLI(t, "deriveaddresses", listed.Descriptors[0].Desc, []int{0, 2}), &first))
	if shown := a.text("ol .addr"); shown != first[0] {
		t.Fatalf("the page shows the first address %s; the device has %s", shown, first[0])
	}
	a.press("They match: create the wallet")
	a.see("Treasury")

	// Bert becomes a signer.
	a.press("Members")
	a.fill("user", "bert")
	a.choose("signer")
	a.press("Invite")
	a.see("1 pending invitation")
	b := s.chromium(t)
	b.size(390)
	b.open("/")
	b.signIn("bert", passwordB)
	b.see("invites you")
	b.press("Accept")
	b.see("Treasury")

	// An address with a label and a QR code is paid; the page shows the payment without a reload.
	a.press("Receive")
	a.fill("new-label", "Membership fees")
	a.press("Reveal address 0")
	a.see("Membership fees")
	address := a.text(".addr")
	if text := testkit.Value(qrscan.Text(a.picture("svg.qr")))(t); !strings.EqualFold(text, "bitcoin:"+address) {
		t.Errorf("the QR code has the text %s for the address %s", text, address)
	}
	a.press("Overview")
	a.see("can be spent now")
	a.mark()
	spend(t, s.node, address, "0.5")
	a.see("50 000 000")
	s.node.Mine(t, 1)
	a.see("1 of 6 confirmations")
	if !a.untouched() {
		t.Error("the overview was loaded again to show the payment")
	}

	// Ada composes a payment with a live preview, increases the fee, and proposes it.
	shop := purseAddress(t, s.node)
	a.press("Send")
	a.fill(address1, "bitcoin:"+shop+"?amount=0.1&label=Solar%20panels")
	a.fill("fee_rate_sat_vb", "2")
	a.see("Create proposal") // the preview
	a.see("10 000 000")
	a.fill("fee_rate_sat_vb", "5")
	a.see("5 sat/vB, ") // the preview, and not the slider
	a.press("Create proposal")
	a.see("Next: sign with your device")
	a.view("readme-proposal")
	link := a.text(".share")

	// Bert opens the link on a phone. The device reads the payment as BBQr and as UR.
	b.pressInMenu("Sign out")
	b.see("You are signed out.")
	b.open(strings.TrimPrefix(link, s.url))
	b.signIn("bert", passwordB)
	b.see("Next: sign with your device")
	packet := b.scanned("coldcard")
	if other := b.scanned("keystone"); string(other) != string(packet) {
		t.Error("BBQr and UR contain different payments")
	}
	signed := s.node.Sign(t, packet, ds[1].signer)

	// The signature comes back through the camera.
	camera := filepath.Join(t.TempDir(), "camera.y4m")
	film(t, camera, testkit.Must(qrcodec.EncodeBBQr(qrcodec.PSBT, signed, 300)))
	c := s.withCamera(t, camera)
	c.size(390)
	c.open(strings.TrimPrefix(link, s.url))
	c.signIn("bert", passwordB)
	c.see("Scan with the camera")
	c.view("readme-phone")
	c.press("Scan with the camera")
	c.see("1 more signature is required.")
	a.see("1 of 2 signatures") // without a reload

	// The second signature comes as a file; then the payment is broadcast and confirmed.
	second := filepath.Join(t.TempDir(), "signed.psbt")
	testkit.Check(t, os.WriteFile(second, s.node.Sign(t, packet, ds[0].signer), 0o600))
	a.open(strings.TrimPrefix(link, s.url))
	a.upload("file", second)
	a.press("Add signature")
	a.see("It can be broadcast now.")
	a.press("Broadcast")
	a.see("Waiting for a block")
	a.mark()
	s.node.Mine(t, 1)
	a.see("Nothing more is to do.")
	if !a.untouched() {
		t.Error("the proposal was loaded again to show the block")
	}
	a.open("/wallets/treasury")
	a.see("Solar panels")
	a.view("readme-overview")

	// The CSV of a filtered history equals the API's.
	ada := s.visitor(t)
	ada.signIn("ada", passwordA)
	page := ada.get("/wallets/treasury/history?q=Solar+panels").want(200, "Solar panels")
	csv := page.follow("CSV").body
	if want := ada.file("/api/v1/wallets/treasury/transactions?label=Solar+panels", "text/csv").body; csv != want {
		t.Errorf("the CSV of the page:\n%s\nof the API:\n%s", csv, want)
	}

	// A token from a preset works at once, and not any more once it is revoked.
	a.press("Access tokens")
	a.press("Create token")
	a.fill("description", "accounting")
	a.press("Create token")
	a.see("Copy the token now")
	token := a.text("#token")
	if got := s.status(t, "/api/v1/wallets/treasury", token); got != http.StatusOK {
		t.Errorf("the new token: %d", got)
	}
	a.press("Show this token")
	a.press("Revoke")
	a.see("revoked")
	if got := s.status(t, "/api/v1/wallets/treasury", token); got != http.StatusUnauthorized {
		t.Errorf("the revoked token: %d", got)
	}

	// Bert is disabled: his open page ends at the sign-in.
	admin := s.admin(t)
	admin.get("/users/bert").submit("/users/bert/status", "status", "disabled").want(200)
	c.see("Sign in")
}

// scanned returns the payment that a device of a preset reads from the codes of a proposal.
func (b *chromium) scanned(preset string) []byte {
	b.t.Helper()
	b.screen(390, 3) // as phones have
	defer b.size(390)
	path, _, _ := strings.Cut(b.address(), "?")
	b.open(path + "/qr?device=" + preset)
	var collector qrcodec.Collector
	for i := range evaluate[int](b, `document.querySelectorAll("svg.qr").length`) {
		evaluate[bool](b, fmt.Sprintf(`(document.querySelectorAll("svg.qr")[%d].id = "frame%[1]d") !== ""`, i))
		testkit.Check(b.t, collector.Add(testkit.Value(qrscan.Text(b.picture(fmt.Sprintf("#frame%d", i))))(b.t)))
	}
	content, ok := collector.Content()
	if !ok {
		b.t.Fatalf("the codes for %s are incomplete: %+v", preset, collector.Progress())
	}
	b.open(path)
	return content.Data
}

// pressInMenu presses a button of the menu, which a narrow window hides.
func (b *chromium) pressInMenu(text string) {
	b.t.Helper()
	b.press("Menu")
	b.press(text)
}
