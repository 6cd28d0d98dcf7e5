package walletexport_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletexport"
)

func walletOf(t *testing.T, descriptor string) walletexport.Wallet {
	t.Helper()
	policy, err := btc.FromDescriptors(descriptor, "", btc.Regtest)
	if err != nil {
		t.Fatal(err)
	}
	w := walletexport.Wallet{Network: btc.Regtest, Labels: func(func(btc.Label, error) bool) {}}
	w.Name, w.Script, w.SignaturesRequired, w.RangeEnd = "Ünser", policy.Script, policy.SignaturesRequired, 1500
	w.Receive, w.Change = policy.Receive.String(), policy.Change.String()
	for _, k := range policy.Keys {
		w.Keys = append(w.Keys, wallet.Key{Key: k})
	}
	return w
}

// TestBranches checks that the formats of Specter Desktop and account maps refuse branches
// other than /0/* and /1/*. TestWrite_Unsuitable covers other formats.
func TestBranches(t *testing.T) {
	t.Parallel()
	one, _ := testkit.Key(t, 0)
	two, _ := testkit.Key(t, 1)
	for descriptor, ok := range map[string]bool{
		"wpkh(" + one + "/<0;1>/*)":                                   true,
		"wpkh(" + one + "/0/<0;1>/*)":                                 true,
		"wsh(sortedmulti(1," + one + "/<0;1>/*," + two + "/<0;1>/*))": true,
		"wpkh(" + one + "/<1;0>/*)":                                   false,
		"wpkh(" + one + "/<2;3>/*)":                                   false,
		"wpkh(" + one + "/<0;1>/0/*)":                                 false,
		"wsh(sortedmulti(1," + one + "/<0;1>/*," + two + "/<2;3>/*))": false,
	} {
		t.Run(descriptor, func(t *testing.T) {
			w := walletOf(t, descriptor)
			for _, form := range []walletexport.Format{walletexport.Specter, walletexport.AccountMap, walletexport.Labels, walletexport.Core, walletexport.Descriptor} {
				var out bytes.Buffer
				err := w.Write(&out, form)
				fits := ok || form != walletexport.Specter && form != walletexport.AccountMap
				if fits != (err == nil) || !fits && (!errors.Is(err, walletexport.ErrBranches) || out.Len() > 0) {
					t.Errorf("format %s, %s: %v, %s", form, descriptor, err, out.Bytes())
				}
			}
		})
	}
}

// TestDevices checks the names of the user's own device, of a device of another member, and
// of a deleted device.
func TestDevices(t *testing.T) {
	t.Parallel()
	var keys []string
	for n := range 3 {
		key, _ := testkit.Key(t, n)
		keys = append(keys, key+"/<0;1>/*")
	}
	w := walletOf(t, "wsh(sortedmulti(2,"+strings.Join(keys, ",")+"))")
	w.Keys[0].Device, w.Keys[1].Device = "mine", "theirs"
	w.Devices = []wallet.Device{{Alias: "other", Name: "Other", Type: "jade"}, {Alias: "mine", Name: "Mein Gerät", Type: "trezor"}}
	deleted := w.Keys[2].Fingerprint
	var out bytes.Buffer
	if err := w.Write(&out, walletexport.AccountMap); err != nil {
		t.Fatal(err)
	}
	var m struct {
		Devices []struct{ Type, Label string }
	}
	if err := json.Unmarshal(out.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(m.Devices), "[{trezor Mein Gerät} {other theirs} {other "+deleted+"}]"; got != want {
		t.Errorf("the devices are %s, want %s", got, want)
	}
	out.Reset()
	if err := w.Write(&out, walletexport.Specter); err != nil {
		t.Fatal(err)
	}
	var f struct{ Devices []string }
	if err := json.Unmarshal(out.Bytes(), &f); err != nil || strings.Join(f.Devices, " ") != "mine theirs "+deleted {
		t.Errorf("the devices are %q: %v", f.Devices, err)
	}
}

// TestBirthTime checks the start of the rescan in Bitcoin Core's format.
func TestBirthTime(t *testing.T) {
	t.Parallel()
	key, _ := testkit.Key(t, 0)
	w := walletOf(t, "wpkh("+key+"/<0;1>/*)")
	for created, want := range map[time.Time]string{{}: `"timestamp": 0`, time.Unix(1_700_000_000, 0): `"timestamp": 1700000000`} {
		w.Born = created
		var out bytes.Buffer
		if err := w.Write(&out, walletexport.Core); err != nil || strings.Count(out.String(), want+"\n") != 2 {
			t.Errorf("%v: %v\n%s", created, err, out.String())
		}
	}
}

// TestLabels_Error checks that an error while reading labels is returned.
func TestLabels_Error(t *testing.T) {
	t.Parallel()
	key, _ := testkit.Key(t, 0)
	w := walletOf(t, "wpkh("+key+"/<0;1>/*)")
	broken := errors.New("read failed")
	w.Labels = func(yield func(btc.Label, error) bool) { yield(btc.Label{}, broken) }
	if err := w.Write(new(bytes.Buffer), walletexport.Labels); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
