package console_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestDevices renames a device of a wallet: all members see the new name, and only the user whose
// device it is may rename it.
func TestDevices(t *testing.T) {
	t.Parallel()
	n := minedNode(t)
	onEachEngine(t, func(t *testing.T, s *site) {
		olga, ben := s.user(t, "olga", false), s.user(t, "ben", false)
		olga.createVault("Vault")
		olga.member("vault", ben, "owner")
		page := olga.get(settingsPath).want(200, "Name a device", "key-jade")
		options := page.all("option", func(n *html.Node) bool { return attr(n, "value") == "key_jade" })
		if len(options) != 1 {
			t.Fatalf("%d options for the device", len(options))
		}
		const path, name = settingsPath + "/device", "Bens Jade, at home"
		live := attr(ben.get(settingsPath).all("body", nil)[0], "data-live-url")
		page.submit(path, "device", "key_jade", "device_name", name).want(200, "The device has its new name", name)
		ben.liveAt(live).await("event: change")
		ben.get(settingsPath).want(200, name, "The member who created the wallet names its devices").lacks("Name a device")
		key := ben.api("GET", "/api/v1/wallets/vault", nil)["keys"].([]any)[1].(map[string]any)
		if key["device"] != "bens_jade_at_home" {
			t.Errorf("the API names the device %v", key["device"])
		}
		olga.post(path, "device", "key_spare", "device_name", name).want(200)
		olga.get(settingsPath).want(200, "28645006: "+name)
		if s.count(t, "audit WHERE action = 'device.rename'") != 2 {
			t.Error("the audit log does not have the two changes")
		}
		if s.count(t, "events WHERE kind = 'device.renamed'") != 2 {
			t.Error("the event log does not have the two changes")
		}
		for field, c := range map[string][]string{
			"an empty name":         {"bens_jade_at_home", " ", "Must be 1 to 64 characters long"},
			"a long name":           {"bens_jade_at_home", strings.Repeat("x", 65), "Must not be longer than 64 characters"},
			"an unknown device":     {"unknown", "x", "choose one of your devices"},
			"a control character":   {"bens_jade_at_home", "a\x07b", "Must not contain"},
			"the alias of a wallet": {"vault", "x", "choose one of your devices"},
		} {
			t.Run(field, func(*testing.T) { olga.post(path, "device", c[0], "device_name", c[1]).want(400, c[2]) })
		}
		ben.post(path, "device", "bens_jade_at_home", "device_name", "mine").want(400, "choose one of your devices")
		ben.get(settingsPath).want(200, name).lacks("mine")
	}, onNode(n))
}

// TestBrowser_Device shows the new name of a device on the open page of another member.
func TestBrowser_Device(t *testing.T) {
	t.Parallel()
	s, olga, ben := vaultWith(t, "viewer")
	testkit.Eventually(t, "the wallet is synced", func() bool { return s.count(t, "events WHERE kind = 'wallet.synced'") > 0 })
	b := s.chromium(t)
	b.open("/login?next=" + settingsPath)
	b.signIn("ben", ben.password)
	b.see("key-jade")
	olga.post(settingsPath+"/device", "device", "key_jade", "device_name", "Jade at home").want(200)
	b.see("Jade at home")
}

// TestDevices_New names the devices of a new wallet in the form that creates it: with the names in
// the files, or of the files, until the user changes them.
func TestDevices_New(t *testing.T) {
	t.Parallel()
	n := minedNode(t)
	onEachEngine(t, func(t *testing.T, s *site) {
		v := s.user(t, "olga", false)
		check := v.get(newWalletPath).send(vaultFilesOf(t), "signatures_required", "2", "step", "check").want(200, "Give each device a name")
		for field, name := range map[string]string{"device_names[0]": "coldcard", "device_names[1]": "key-jade", "device_names[2]": "key-spare"} {
			if got := fields(check.forms(newWalletPath)[0]).Get(field); got != name {
				t.Errorf("the field %s suggests %q, not %q", field, got, name)
			}
		}
		for name, c := range map[string][]string{
			"a long name":         {strings.Repeat("x", 65), "Must not be longer than 64 characters"},
			"a control character": {"a\x07b", "Must not contain"},
		} {
			t.Run(name, func(*testing.T) {
				for _, step := range []string{"compare", "create"} {
					p := check.send(nil, "name", "", "since", "now", "device_names[1]", c[0], "step", step)
					p.want(400, "Name of the device of key 2", c[1], "Must be 1 to 64 characters long")
					if got := fields(p.forms(newWalletPath)[0]).Get("device_names[0]"); got != "coldcard" {
						t.Errorf("the form has lost a name: %q", got)
					}
				}
			})
		}
		compare := check.send(nil, "name", "Vault", "since", "now", "device_names[1]", " Bens Jade ", "device_names[2]", "", "step", "compare").want(200)
		compare.send(nil, "step", "check").want(200, "Name and history").send(nil, "step", "compare").send(nil, "step", "create").want(200)
		var names []string
		for _, key := range v.api("GET", "/api/v1/wallets/vault", nil)["keys"].([]any) {
			names = append(names, key.(map[string]any)["device"].(string))
		}
		if want := []string{"coldcard", "bens_jade", "28645006"}; !slices.Equal(names, want) {
			t.Errorf("the devices are named %q, not %q", names, want)
		}
		v.get(settingsPath).want(200, "Bens Jade", "no name")
		two := []file{regtestFile(t, "key-jade.txt"), {"file", "ben.txt", regtestFile(t, "signer.bsms").content}}
		known := v.get(newWalletPath).send(two, "signatures_required", "1", "step", "check").want(200, "Bens Jade your device")
		if got := fields(known.forms(newWalletPath)[0]); got.Has("device_names[0]") {
			t.Errorf("the form renames a known device: %v", got)
		}
	}, onNode(n))
}
