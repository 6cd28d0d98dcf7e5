package v1

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/fault"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// rescan is a pending or running rescan.
type rescan struct {
	FromHeight int     `json:"from_height" required:"true" description:"Height of the first block of the rescan."`
	Progress   float64 `json:"progress" required:"true" description:"Progress, from 0 to 1."`
	Addresses  uint32  `json:"addresses" required:"true" description:"The rescan covers addresses with an index below this, on both branches."`
	Ready      uint32  `json:"addresses_ready" required:"true" description:"Number of these addresses derived so far; the rescan starts once all are derived."`
}

func rescanOf(v wallets.View) *rescan {
	if !v.Rescanning() {
		return nil
	}
	return &rescan{v.RescanFrom, v.RescanProgress, max(v.RescanRange, v.RangeEnd), v.RangeEnd}
}

func statusOf(v wallets.View) string {
	if v.Rescanning() {
		return "rescanning"
	}
	return "ready"
}

type rescanResponse struct {
	Status  string  `json:"status" required:"true" enum:"ready,rescanning"`
	Rescan  *rescan `json:"rescan" required:"true" description:"The pending or running rescan; null while the status is ready."`
	Problem *string `json:"problem" required:"true" description:"Why the last rescan failed, or why the pending one cannot start yet; null without a problem."`
	AsOf    *asOf   `json:"as_of" required:"true"`
}

func rescanResponseOf(v wallets.View) rescanResponse {
	return rescanResponse{statusOf(v), rescanOf(v), optionalText(v.RescanProblem), asOfTip(v.Synced)}
}

type startRescanRequest struct {
	walletRequest
	From      jsontext.Value `json:"from" oneof:"string,integer" required:"true" example:"\"2026-01-31\"" description:"Where the rescan starts: a block height, a date, or a time (RFC 3339)."`
	Addresses int            `json:"addresses" minimum:"1" maximum:"100000" description:"Also cover addresses with an index below this. Default: the addresses that the wallet watches, which reach 1000 beyond the last one revealed or used."`
}

// maxRescanned is the maximum number of addresses on each branch that a request for a rescan
// can specify. It is far above the number of addresses that wallets usually reveal, and low
// enough for Bitcoin Core to process each block in time.
const maxRescanned = 100_000

// StartRescan serves POST /api/v1/wallets/{alias}/rescan.
func (a *API) StartRescan(ctx context.Context, in startRescanRequest) (rescanResponse, error) {
	from, err := parseBirthday("from", in.From)
	if err != nil {
		return rescanResponse{}, err
	}
	if in.Addresses < 0 || in.Addresses > maxRescanned {
		return rescanResponse{}, fault.InvalidField("addresses", "must be 1 to %d", maxRescanned)
	}
	v, err := a.o.Wallets.Rescan(ctx, access(ctx), from, uint32(in.Addresses))
	return rescanResponseOf(v), err
}

// GetRescan serves GET /api/v1/wallets/{alias}/rescan.
func (a *API) GetRescan(ctx context.Context, _ walletRequest) (rescanResponse, error) {
	v, err := a.view(ctx, fresh{})
	return rescanResponseOf(v), err
}

// StopRescan serves DELETE /api/v1/wallets/{alias}/rescan.
func (a *API) StopRescan(ctx context.Context, _ walletRequest) error {
	return a.o.Wallets.StopRescan(ctx, access(ctx))
}
