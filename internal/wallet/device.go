package wallet

import (
	"cmp"
	"context"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// Device is a signing device of a user, as in Specter Desktop.
type Device struct {
	Alias string // unique among the user's devices
	Name  string
	Type  string // as in Specter, such as "trezor"; "other" if only keys are known
}

// Devices returns the caller's devices in the order of their names. For a token
// that is limited to some wallets, these are the devices with a key in one of them.
func (s *Service) Devices(ctx context.Context, who *auth.Principal) ([]Device, error) {
	devices, err := s.store.DevicesOfUser(ctx, who.UserID)
	if err != nil || who.Wallets == nil {
		return devices, err
	}
	views, err := s.List(ctx, who, "", 0)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(devices, func(d Device) bool {
		return !slices.ContainsFunc(views, func(v View) bool { return v.hasKeyOn(d.Alias) })
	}), nil
}

var (
	// ErrDeviceNotFound is returned if none of the caller's devices has the alias.
	ErrDeviceNotFound = fault.New(fault.NotFound, "device_not_found", "device not found among your devices; the keys of a wallet name theirs")
	errDeviceLimit    = fault.New(fault.Forbidden, "token_limited_to_wallets",
		"a token that is limited to some wallets cannot rename devices, which other wallets may have; use a token without that limit, or your password")
)

// RenameDevice changes the name of one of the caller's devices, and its alias, which follows from
// the name. All members of the wallets with a key of the device see both.
func (s *Service) RenameDevice(ctx context.Context, who *auth.Principal, alias, name string) (Device, error) {
	if who.Wallets != nil {
		return Device{}, errDeviceLimit
	}
	if err := checkName(name); err != nil {
		return Device{}, err
	}
	return s.store.RenameDevice(ctx, who, alias, cmp.Or(btc.Alias(name), alias), name, who.Event(s.now(), "device.rename", "", ""))
}

func (w *Wallet) hasKeyOn(device string) bool {
	return slices.ContainsFunc(w.Keys, func(k Key) bool { return k.Device == device })
}
