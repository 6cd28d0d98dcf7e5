package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func deviceOf(d wallets.Device) api.Device { return api.Device(d) }

// ListDevices serves GET /api/v1/devices.
func (a *API) ListDevices(ctx context.Context, _ struct{}) (api.List[api.Device], error) {
	devices, err := a.o.Wallets.Devices(ctx, caller(ctx))
	if err != nil {
		return api.List[api.Device]{}, err
	}
	return newList(devices, len(devices), deviceOf, nil), nil // few enough for one page
}

type changeDeviceRequest struct {
	Device string `path:"device" json:"-" description:"Alias of the device."`
	api.ChangeDeviceRequest
}

// ChangeDevice serves PATCH /api/v1/devices/{device}.
func (a *API) ChangeDevice(ctx context.Context, in changeDeviceRequest) (api.Device, error) {
	d, err := a.o.Wallets.RenameDevice(ctx, caller(ctx), in.Device, in.Name)
	return deviceOf(d), err
}
