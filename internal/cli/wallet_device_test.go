package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestWalletDeviceCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, postgres bool) {
		s, keys := newShell(t, postgres)
		s.serve(t)
		s.createVault(t, keys, 1)
		first := fmt.Sprint(field(field(s.get(t, "/api/v1/devices"), "items").([]any)[0], "alias"))
		if out := s.run(t, "wallet", "device", "list"); !strings.Contains(out, first) {
			t.Errorf("the list lacks %s:\n%s", first, out)
		}
		if got := s.complete(t, "wallet", "device", "rename", ""); len(got) == 0 {
			t.Error("no device is completed")
		}
		if out := s.run(t, "wallet", "device", "rename", first, "Ann's Coldcard"); !strings.Contains(out, "with the alias anns_coldcard") {
			t.Errorf("renamed: %s", out)
		}
		if out := s.run(t, "wallet", "show", "vault"); !strings.Contains(out, "anns_coldcard") {
			t.Errorf("the wallet does not name the device:\n%s", out)
		}

		ben := filepath.Join(t.TempDir(), "ben.jade.txt")
		testkit.Check(t, os.WriteFile(ben, []byte("[b8688df1/48h/1h/0h/2h]tpubDEfobrrtptRTbKf4gysDhoabneABDTAcdj3Vbn4XwPsLE2pmqpizSPRG6zHsbAMuiSgWmWPsYCLHTKTPpyrGJ5rAoTpKoQNZcxodiPf2tSJ\n"), 0o600))
		cleo := filepath.Join(t.TempDir(), "cleo.txt")
		testkit.Check(t, os.WriteFile(cleo, []byte("[28645006/48h/1h/0h/2h]tpubDEwqCvJxKwKWX9xvRe48uofWJn1Y89Jn8UeH1Efrjb1UEVjUDy3URYTiqWaVCW7WdvHrL8XrSihHEhTwv5H3VDJoakjuCHiAnr6xcF2Xm4s\n"), 0o600))
		s.run(t, "wallet", "create", "--name", "Files", "--birthday", "now", "--file", ben, "--file", cleo, "--signatures-required", "2")
		if out := s.run(t, "wallet", "device", "list"); !strings.Contains(out, "ben.jade") || !strings.Contains(out, "cleo") {
			t.Errorf("the devices are not named like their files:\n%s", out)
		}
		s.refuse(t, "device not found among your devices", "wallet", "device", "rename", first, "x")
		s.refuse(t, "must be 1 to 64 characters", "wallet", "device", "rename", "anns_coldcard", "")
	})
}
