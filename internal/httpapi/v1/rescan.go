package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func rescanOf(v wallets.View) *api.Rescan {
	if !v.Rescanning() {
		return nil
	}
	return &api.Rescan{FromHeight: v.RescanFrom, Progress: v.RescanProgress, Addresses: max(v.RescanRange, v.RangeEnd), Ready: v.RangeEnd}
}

func statusOf(v wallets.View) string {
	if v.Rescanning() {
		return "rescanning"
	}
	return "ready"
}

func rescanResponseOf(v wallets.View) api.RescanResponse {
	return api.RescanResponse{Status: statusOf(v), Rescan: rescanOf(v), Problem: text.Optional(v.RescanProblem), AsOf: asOfTip(v.Synced)}
}

type startRescanRequest struct {
	walletRequest
	api.StartRescanRequest
}

// maxRescanned is the maximum number of addresses on each branch that a request for a rescan
// can specify. It is far above the number of addresses that wallets usually reveal, and low
// enough for Bitcoin Core to process each block in time.
const maxRescanned = 100_000

// StartRescan serves POST /api/v1/wallets/{alias}/rescan.
func (a *API) StartRescan(ctx context.Context, in startRescanRequest) (api.RescanResponse, error) {
	from, err := parseBirthday("from", in.From)
	if err != nil {
		return api.RescanResponse{}, err
	}
	if in.Addresses < 0 || in.Addresses > maxRescanned {
		return api.RescanResponse{}, fault.InvalidField("addresses", "must be 1 to %d", maxRescanned)
	}
	v, err := a.o.Wallets.Rescan(ctx, access(ctx), from, uint32(in.Addresses))
	return rescanResponseOf(v), err
}

// GetRescan serves GET /api/v1/wallets/{alias}/rescan.
func (a *API) GetRescan(ctx context.Context, _ walletRequest) (api.RescanResponse, error) {
	v, err := a.view(ctx, fresh{})
	return rescanResponseOf(v), err
}

// StopRescan serves DELETE /api/v1/wallets/{alias}/rescan.
func (a *API) StopRescan(ctx context.Context, _ walletRequest) error {
	return a.o.Wallets.StopRescan(ctx, access(ctx))
}
