package v1

import (
	"context"

	wallets "github.com/specterd/specterd/internal/wallet"
)

type device struct {
	Alias string `json:"alias" required:"true" example:"anns_coldcard" description:"Name of the device in paths, unique among your devices; keys of wallets name their device by it."`
	Name  string `json:"name" required:"true" example:"Ann's Coldcard" description:"Name of the device for people."`
	Type  string `json:"type" required:"true" example:"other" description:"Type of the device as in Specter Desktop, such as coldcard; other if only keys are known."`
}

// ShowDevice returns a device as the API shows it.
func ShowDevice(d wallets.Device) any { return deviceOf(d) }

func deviceOf(d wallets.Device) device { return device(d) }

// ListDevices serves GET /api/v1/devices.
func (a *API) ListDevices(ctx context.Context, _ struct{}) (list[device], error) {
	devices, err := a.o.Wallets.Devices(ctx, caller(ctx))
	if err != nil {
		return list[device]{}, err
	}
	return newList(devices, len(devices), deviceOf, nil), nil // few enough for one page
}

type changeDeviceRequest struct {
	Device string `path:"device" json:"-" description:"Alias of the device."`
	Name   string `json:"name" required:"true" example:"Coldcard of Ann" description:"New name, 1 to 64 characters. The alias changes with it: the name in lower case, with _ for spaces, and with a number if another of your devices has it."`
}

// ChangeDevice serves PATCH /api/v1/devices/{device}.
func (a *API) ChangeDevice(ctx context.Context, in changeDeviceRequest) (device, error) {
	d, err := a.o.Wallets.RenameDevice(ctx, caller(ctx), in.Device, in.Name)
	return deviceOf(d), err
}
