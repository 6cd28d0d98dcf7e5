package console_test

import (
	"image"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/walletexport"
)

// accept accepts the only invitation of a visitor.
func (v *visitor) accept() {
	v.t.Helper()
	found := v.api("GET", "/api/v1/invitations", nil)["items"].([]any)
	if len(found) != 1 {
		v.t.Fatalf("%d invitations", len(found))
	}
	v.api("POST", "/api/v1/invitations/"+found[0].(map[string]any)["id"].(string)+"/accept", map[string]any{})
}

const settingsPath = "/wallets/vault/settings"

// labelLine is a label in the format of BIP-329.
const labelLine = `{"type": "tx", "ref": "f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd", "label": "a label"}`

// TestWalletSettings_Export compares the exports with the API's.
func TestWalletSettings_Export(t *testing.T) {
	t.Parallel()
	n := minedNode(t)
	onEachEngine(t, func(t *testing.T, s *site) {
		v := s.user(t, "olga", false)
		v.createVault("Vault")
		testkit.Eventually(t, "the wallet is synced", func() bool { return v.api("GET", "/api/v1/wallets/vault", nil)["as_of"] != nil })
		v.upload(settingsPath+"/labels", nil, file{"labels", "labels.jsonl", []byte(labelLine)}).want(200, "1 label was imported")
		page := v.get(settingsPath).want(200, "3 keys", "73c5da0a")
		for _, format := range walletexport.Formats {
			t.Run(string(format), func(t *testing.T) {
				buttons := page.all("button", func(n *html.Node) bool { return attr(n, "value") == string(format) })
				if len(buttons) != 1 {
					t.Errorf("%d buttons", len(buttons))
				}
				got := v.post(settingsPath+"/export", "format", string(format))
				want := v.file("/api/v1/wallets/vault/export?format=" + string(format))
				if got.status != 200 || got.body != want.body || got.body == "" {
					t.Errorf("%d, got\n%s, want\n%s", got.status, got.body, want.body)
				}
				for _, name := range []string{"Content-Type", "Content-Disposition"} {
					if got.header.Get(name) != want.header.Get(name) {
						t.Errorf("%s is %q, want %q", name, got.header.Get(name), want.header.Get(name))
					}
				}
			})
		}
		v.post(settingsPath+"/export", "format", "x").want(400, "must be specter, account-map")

		single := v.get(newWalletPath).send([]file{regtestFile(t, "descriptor.txt")}, "step", "check").send(nil, "name", "Single", "since", "now", "step", "create")
		if single.path() != "/wallets/single" {
			t.Fatalf("%s", single.text())
		}
		v.get("/wallets/single/settings").want(200, "Not for this wallet: the format is for multisig wallets with sorted keys")
		v.post("/wallets/single/settings/export", "format", "coldcard").want(409, "the format is for multisig wallets")
		s.late.Add(int64(11 * time.Minute))
		asked := v.get(settingsPath).want(200, "You entered it more than 10 minutes ago")
		v.post(settingsPath+"/export", "format", "descriptor").want(403, "Enter your password again").lacks("tpub")
		asked.submit(settingsPath+"/export", "format", "descriptor").want(403, "Enter your password again").lacks("tpub")
		if got := asked.submit(settingsPath+"/export", "format", "descriptor", "_password", v.password); got.status != 200 || !strings.HasPrefix(got.body, "wsh(sortedmulti(2,") {
			t.Errorf("%d %s", got.status, got.body)
		}
	}, onNode(n))
}

// TestWalletSettings_Change changes names, limits and labels, as an owner and in other roles.
func TestWalletSettings_Change(t *testing.T) {
	t.Parallel()
	s, v, ben := vaultWith(t, "viewer")

	p := v.get(settingsPath)
	p.submit(settingsPath+"/name", "name", "A <b>vault</b> ünd more").want(200, "The name was changed").lacks("<b>vault")
	p.submit(settingsPath+"/name", "name", strings.Repeat("x", 65)).want(400, "Must not be longer than 64 characters")
	p.submit(settingsPath+"/limits", "max_fee_rate_sat_vb", "12.5", "final_after", "3").want(200, "The limits were changed")
	p = v.get(settingsPath).want(200)
	if got := fields(p.forms(settingsPath + "/limits")[0]).Encode(); got != "final_after=3&max_fee_rate_sat_vb=12.5" {
		t.Errorf("the limits are %s", got)
	}
	p.submit(settingsPath+"/limits", "max_fee_rate_sat_vb", "1,5", "final_after", "0").want(400, "Must be a number of sat/vB", "Must be 1 to 1000")
	p.submit(settingsPath+"/limits", "max_fee_rate_sat_vb", "100000", "final_after", "5").want(400, "the maximum of the server")
	p.submit(settingsPath+"/limits", "max_fee_rate_sat_vb", "", "final_after", "1001").want(400, "Must be 1 to 1000")
	if got := fields(v.get(settingsPath).forms(settingsPath + "/limits")[0]).Encode(); got != "final_after=3&max_fee_rate_sat_vb=12.5" {
		t.Errorf("after refused forms, the limits are %s", got)
	}

	shown := ben.get(settingsPath).want(200, "Only owners change it", "12.5 sat/vB", "This requires the role proposer")
	if got := shown.actionsOf(); got != "/wallets/vault/settings/sheet /wallets/vault/settings/alias /wallets/vault/settings/export" {
		t.Errorf("a viewer has the forms %s", got)
	}
	for path, values := range map[string][]string{
		"/name": {"name", "x"}, "/limits": {"final_after", "1"}, "/labels": nil, "/rescan": {"since", "height", "height", "0"}, "/rescan/abort": nil, "/delete": {"confirm", "Vault"},
	} {
		ben.post(settingsPath+path, values...).want(403, "is required")
	}
	renamed := ben.get(settingsPath).submit(settingsPath+"/alias", "alias", "olgas_vault").want(200, "The alias was changed")
	if renamed.path() != "/wallets/olgas_vault/settings" {
		t.Errorf("the page is at %s", renamed.path())
	}
	renamed.submit("/wallets/olgas_vault/settings/alias", "alias", "No!").want(400, "Must consist of lower-case letters")
	v.get(settingsPath).want(200)
	s.user(t, "eve", false).get(settingsPath).want(404)

	v.upload(settingsPath+"/labels", nil, file{"labels", "l", []byte("{\"type\": \"tx\"}\n" + labelLine + "\n{\"type\": \"z\", \"ref\": \"x\"}")}).
		want(200, "1 label was imported", "Line 1: ", "Line 3: ")
	v.upload(settingsPath+"/labels", nil).want(400, "Is required: choose a file")
	v.upload(settingsPath+"/labels", nil, file{"labels", "l", nil}).want(400, "Is empty")
}

// TestWalletSettings_Rescan finds a payment that is older than the birthday.
func TestWalletSettings_Rescan(t *testing.T) {
	t.Parallel()
	n := minedNode(t)
	s := open(t, onNode(n))
	v := s.user(t, "olga", false)
	address := v.compareVault("Vault").want(200).addressesOf()[0]
	n.CLI(t, "generatetoaddress", 1, address)
	n.Mine(t, 3)
	testkit.Eventually(t, "the server knows block 5", func() bool { return strings.Contains(v.get("/").body, "regtest, block <span class=\"num\">5<") })
	v.createVault("Vault")

	p := v.get(settingsPath).want(200, "No rescan is running")
	p.submit(settingsPath+"/rescan", "since", "height", "height", "99999", "addresses", "x").want(400, "Must be a number from 1 to 100000")
	p.submit(settingsPath+"/rescan", "since", "height", "height", "99999").want(400, "the height of the chain")
	p.submit(settingsPath+"/rescan").want(400, "Is required: choose one of the answers")
	p.submit(settingsPath+"/rescan", "since", "date", "date", "").want(400, "enter the date or the block height")
	p.submit(settingsPath+"/rescan", "since", "height", "height", "0").want(200, "The rescan was requested")
	testkit.Eventually(t, "the rescan ends", func() bool {
		return strings.Contains(v.get(settingsPath).text(), "No rescan is running. The history begins at block 0")
	})
	v.get("/").want(200, "5 000 000 000 sat")

	v.post(settingsPath+"/rescan", "since", "height", "height", "1").want(200, "The rescan was requested")
	v.post(settingsPath+"/rescan/abort").want(200, "The rescan was aborted", "No rescan is running")
	n.Stop(t)
	s.sql(t, "UPDATE wallets SET rescan_from = 0")
	p = v.get(settingsPath).want(200, "Abort the rescan", "0 %, from block 0")
	v.post(settingsPath+"/rescan", "since", "height", "height", "0").want(409, "A rescan of this wallet is already queued or running")
	p.submit(settingsPath+"/rescan/abort").want(503, "the Bitcoin node")
}

// TestWalletSettings_Sheet prints a backup from which the wallet can be created again, and then
// deletes the wallet.
func TestWalletSettings_Sheet(t *testing.T) {
	t.Parallel()
	n := minedNode(t)
	s := open(t, onNode(n))
	v := s.user(t, "olga", false)
	v.createVault("Vault")
	sheet := v.get(settingsPath).submit(settingsPath+"/sheet").want(200, "Backup sheet of the wallet Vault", "the seed words of 2 of the 3 devices")
	codes := sheet.all("svg", func(n *html.Node) bool { return attr(n, "class") == "qr" })
	if sheet.path() != settingsPath+"/sheet" || len(codes) != 1 {
		t.Fatalf("%s has %d QR codes", sheet.at, len(codes))
	}
	if got := codesOf(t, sheet); len(got) != 1 || got[0] != sheet.descriptorOf() {
		t.Errorf("the QR code contains %q", got)
	}
	if got, want := sheet.addressesOf(), v.compareVault("x").want(409).descriptorOf(); len(got) != 6 || sheet.descriptorOf() != want {
		t.Errorf("%d addresses, descriptor %s, want %s", len(got), sheet.descriptorOf(), want)
	}
	s.late.Add(int64(11 * time.Minute))
	v.get(settingsPath+"/sheet").want(403, "Enter your password again").lacks("tpub").submit(settingsPath+"/sheet", "_password", v.password).want(200, "Backup sheet")

	p := v.get(settingsPath)
	p.submit(settingsPath+"/delete", "confirm", "vault").want(400, "Must be the name of the wallet; nothing was deleted")
	s.late.Add(int64(11 * time.Minute))
	asked := v.post(settingsPath+"/delete", "confirm", "Vault").want(403, "Enter your password again")
	if p := asked.submit(settingsPath+"/delete", "_password", v.password).want(200, "The wallet was deleted"); p.path() != "/" {
		t.Errorf("the user is at %s", p.path())
	}
	v.get(settingsPath).want(404)
	photo := file{"file", "photo.jpg", asJPEG(drawn(t, codes[0]))}
	again := v.get(newWalletPath).send([]file{photo}, "step", "check").want(200, "2 of 3 signatures", "photo.jpg (output descriptor)").send(nil, "name", "Again", "since", "now", "step", "compare")
	if got, want := strings.Join(again.addressesOf(), " "), strings.Join(sheet.addressesOf(), " "); got != want {
		t.Errorf("the addresses are %s, want %s", got, want)
	}
	blank := file{"file", "blank.jpg", asJPEG(image.NewGray(image.Rect(0, 0, 300, 300)))}
	v.get(newWalletPath).send([]file{blank}, "step", "check").want(400, "blank.jpg: no QR code was found in the picture")
}
