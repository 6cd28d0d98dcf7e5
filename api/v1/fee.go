package v1

import (
	"time"
)

// Fees contains the fee rate estimates of the Bitcoin node.
type Fees struct {
	Estimates      []FeeEstimate `json:"estimates" required:"true" description:"Estimates by confirmation target, the fastest first."`
	MempoolMinimum FeeRate       `json:"mempool_minimum_sat_vb" required:"true" description:"Minimum fee rate that the node's mempool accepts, in satoshis per virtual byte."`
	MaxFeeRate     FeeRate       `json:"max_fee_rate_sat_vb" required:"true" description:"Maximum fee rate of proposals on this server, in satoshis per virtual byte; a wallet can have a lower one. Estimates above it are shown as the node reports them, and a proposal for such a target is refused with fee_estimate_too_high."`
	UpdatedAt      time.Time     `json:"updated_at" required:"true" description:"Time of the query to the node."`
}

// FeeEstimate is the estimated fee rate for confirmation within a number of blocks.
type FeeEstimate struct {
	Target  int      `json:"target_blocks" required:"true" description:"Confirmation target, in blocks."`
	FeeRate *FeeRate `json:"fee_rate_sat_vb" required:"true" description:"Fee rate in satoshis per virtual byte, with at most three decimals; null if the node has too little data."`
	Source  string   `json:"fee_source" required:"true" enum:"estimate,fallback,minimum" description:"Where a proposal for this target takes its fee rate from: the node's estimate, its fallback fee (-fallbackfee, which it does not report) because it has no estimate, or the minimum of its mempool because the estimate is not above it. If the node has no fallback fee, such a proposal is refused with fee_unknown."`
}
