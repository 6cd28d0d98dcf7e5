package nodestatus

import (
	"encoding/json"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// FeeTargets are the confirmation targets, in blocks, for which estimates are
// requested. Core supports 2 to 1008.
var FeeTargets = []int{2, 3, 6, 12, 24, 144, 1008}

// feeInterval is how long estimates are valid; they change with each block.
const feeInterval = 30 * time.Second

// Fees are the node's estimates (estimatesmartfee, economical).
type Fees struct {
	At time.Time // zero before the first estimates
	// PerKvB are fees per 1000 virtual bytes, in the order of FeeTargets; 0 if the
	// node has no estimate.
	PerKvB []btc.Amount
}

// feesDue reports whether the estimates are missing or too old, and the node can be asked
// for new ones.
func (s Status) feesDue(now time.Time, may access) bool {
	return may.allows("estimatesmartfee") && !s.InitialBlockDownload && now.Sub(s.Fees.At) >= feeInterval
}

// feeRequests returns the calls for estimates.
func feeRequests() []rpcclient.Request {
	reqs := make([]rpcclient.Request, len(FeeTargets))
	for i, target := range FeeTargets {
		reqs[i] = rpcclient.Request{Method: "estimatesmartfee", Params: []any{target, "economical"}, Out: new(json.RawMessage)}
	}
	return reqs
}

// feesOf decodes the responses. Invalid estimates are treated as unknown: a node
// that cannot estimate fees is otherwise usable.
func feesOf(reqs []rpcclient.Request, now time.Time) Fees {
	fees := Fees{At: now, PerKvB: make([]btc.Amount, len(reqs))}
	for i, r := range reqs {
		var estimate struct{ FeeRate btc.JSONBTC }
		if raw := r.Out.(*json.RawMessage); r.Err == nil && json.Unmarshal(*raw, &estimate) == nil {
			fees.PerKvB[i] = max(0, btc.Amount(estimate.FeeRate))
		}
	}
	return fees
}

// MempoolMinimum returns the minimum fee per 1000 virtual bytes for the node's
// mempool; 0 if the node did not report it.
func (s Snapshot) MempoolMinimum() btc.Amount { return perKvB(s.MempoolMinFee) }

// RelayMinimum returns the minimum fee per 1000 virtual bytes that the node relays,
// even with an empty mempool; 0 if the node did not report it.
func (s Snapshot) RelayMinimum() btc.Amount { return perKvB(s.RelayFee) }

// IncrementalMinimum returns the fee per 1000 of its virtual bytes that a replacement
// must pay in addition to the fees of the replaced transactions (incrementalrelayfee); 0
// if the node did not report it.
func (s Snapshot) IncrementalMinimum() btc.Amount { return perKvB(s.IncrementalFee) }

func perKvB(fee json.Number) btc.Amount {
	sats, err := btc.ParseBTC(fee.String())
	if err != nil {
		return 0
	}
	return sats
}
