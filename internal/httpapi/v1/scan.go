package v1

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/fault"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// scan is a pending or running rescan.
type scan struct {
	FromHeight int     `json:"from_height" required:"true" description:"Height of the first block of the rescan."`
	Progress   float64 `json:"progress" required:"true" description:"Progress, from 0 to 1."`
	Addresses  uint32  `json:"addresses" required:"true" description:"The rescan covers addresses with an index below this, on both branches."`
	Ready      uint32  `json:"addresses_ready" required:"true" description:"Number of these addresses derived so far; the rescan starts once all are derived."`
}

func scanOf(v wallets.View) *scan {
	if !v.Scanning() {
		return nil
	}
	return &scan{v.ScanFrom, v.ScanProgress, max(v.ScanRange, v.RangeEnd), v.RangeEnd}
}

func statusOf(v wallets.View) string {
	if v.Scanning() {
		return "scanning"
	}
	return "ready"
}

type scanResponse struct {
	Status  string  `json:"status" required:"true" enum:"ready,scanning"`
	Scan    *scan   `json:"scan" required:"true" description:"The pending or running rescan; null while the status is ready."`
	Problem *string `json:"problem" required:"true" description:"Why the last rescan failed, or why the pending one cannot start yet; null without a problem."`
	AsOf    *asOf   `json:"as_of" required:"true"`
}

func scanResponseOf(v wallets.View) scanResponse {
	return scanResponse{statusOf(v), scanOf(v), optionalText(v.ScanProblem), asOfTip(v.Synced)}
}

type startScanRequest struct {
	walletRequest
	From      jsontext.Value `json:"from" oneof:"string,integer" required:"true" example:"\"2026-01-31\"" description:"Where the rescan starts: a block height, a date, or a time (RFC 3339)."`
	Addresses int            `json:"addresses" minimum:"1" maximum:"100000" description:"Also cover addresses with an index below this. Default: the addresses that the wallet watches, which reach 1000 beyond the last one revealed or used."`
}

// maxScanned is the maximum number of addresses that a rescan can cover: more than any
// wallet has revealed, and few enough for Bitcoin Core to process a block in time.
const maxScanned = 100_000

// StartScan serves POST /api/v1/wallets/{alias}/rescan.
func (a *API) StartScan(ctx context.Context, in startScanRequest) (scanResponse, error) {
	from, err := parseBirth("from", in.From)
	if err != nil {
		return scanResponse{}, err
	}
	if in.Addresses < 0 || in.Addresses > maxScanned {
		return scanResponse{}, fault.InvalidField("addresses", "must be 1 to %d", maxScanned)
	}
	v, err := a.o.Wallets.Rescan(ctx, caller(ctx), in.Alias, from, uint32(in.Addresses))
	return scanResponseOf(v), err
}

// GetScan serves GET /api/v1/wallets/{alias}/rescan.
func (a *API) GetScan(ctx context.Context, in walletRequest) (scanResponse, error) {
	v, err := a.view(ctx, in.Alias, fresh{})
	return scanResponseOf(v), err
}

// StopScan serves DELETE /api/v1/wallets/{alias}/rescan.
func (a *API) StopScan(ctx context.Context, in walletRequest) error {
	return a.o.Wallets.StopRescan(ctx, caller(ctx), in.Alias)
}
