package cli

import (
	"fmt"
	"strings"
	"testing"
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
		s.refuse(t, "device not found among your devices", "wallet", "device", "rename", first, "x")
		s.refuse(t, "must be 1 to 64 characters", "wallet", "device", "rename", "anns_coldcard", "")
	})
}
