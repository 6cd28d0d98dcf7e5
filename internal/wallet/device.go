package wallet

import (
	"context"
	"slices"

	"github.com/specterd/specterd/internal/auth"
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

func (w *Wallet) hasKeyOn(device string) bool {
	return slices.ContainsFunc(w.Keys, func(k Key) bool { return k.Device == device })
}
