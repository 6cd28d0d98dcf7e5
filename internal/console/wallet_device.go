package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/walletfile"
)

// newDevice is the device of a key of a new wallet.
type newDevice struct {
	walletfile.NamedKey

	Field  string // of the form, with the name of the device
	Known  string // name of the device if it exists
	Same   int    // number of the earlier key of this device, from 1 on; 0 if there is none
	Number int    // of the key, from 1 on
}

// MayName reports whether the device is new, so that the form has a field for its name.
func (d newDevice) MayName() bool { return d.Known == "" && d.Same == 0 }

// NamesDevices reports whether a key is of a new device.
func (p newWalletPage) NamesDevices() bool { return slices.ContainsFunc(p.Devices, newDevice.MayName) }

func deviceField(i int) string { return fmt.Sprintf("device_names[%d]", i) }

// newDevices returns the devices of the keys, and fills in names that the form lacks, from the files.
func (c *call) newDevices(p newWalletPage) []newDevice {
	keys := p.About.Keys
	out := make([]newDevice, len(keys))
	for i, k := range keys {
		d := newDevice{NamedKey: k, Field: deviceField(i), Known: p.About.Devices[i], Number: i + 1}
		d.Same = 1 + slices.IndexFunc(keys[:i], func(other walletfile.NamedKey) bool { return other.Fingerprint == k.Fingerprint })
		out[i] = d
		if d.MayName() && !c.form.Has(d.Field) {
			c.form.Set(d.Field, wallet.FitName(k.Name))
		}
	}
	return out
}

// deviceNames returns the names of the devices of n keys in the form.
func (c *call) deviceNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strings.TrimSpace(c.form.Get(deviceField(i)))
	}
	return names
}
