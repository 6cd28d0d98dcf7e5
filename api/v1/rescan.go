package v1

// Rescan is a pending or running rescan.
type Rescan struct {
	FromHeight int     `json:"from_height" required:"true" description:"Height of the first block of the rescan."`
	Progress   float64 `json:"progress" required:"true" description:"Progress, from 0 to 1."`
	Addresses  uint32  `json:"addresses" required:"true" description:"The rescan covers addresses with an index below this, on both branches."`
	Ready      uint32  `json:"addresses_ready" required:"true" description:"Number of these addresses derived so far; the rescan starts once all are derived."`
}

// RescanResponse is the status of a rescan.
type RescanResponse struct {
	Status  string  `json:"status" required:"true" enum:"ready,rescanning"`
	Rescan  *Rescan `json:"rescan" required:"true" description:"The pending or running rescan; null while the status is ready."`
	Problem *string `json:"problem" required:"true" description:"Why the last rescan failed, or why the pending one cannot start yet; null without a problem."`
	AsOf    *AsOf   `json:"as_of" required:"true"`
}

// StartRescanRequest has the start and the extent of a rescan.
type StartRescanRequest struct {
	From      Start `json:"from" oneof:"string,integer" required:"true" example:"\"2026-01-31\"" description:"Where the rescan starts: a block height, a date, or a time (RFC 3339)."`
	Addresses int   `json:"addresses,omitzero" minimum:"1" maximum:"100000" description:"Also cover addresses with an index below this. Default: the addresses that the wallet watches, which reach 1000 beyond the last one revealed or used."`
}
