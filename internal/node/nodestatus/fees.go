package nodestatus

import (
	"encoding/json"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// FeeTargets are the numbers of blocks within which a payment is to be confirmed
// that estimates are there for. Core has none for fewer than two or more than 1008.
var FeeTargets = []int{2, 3, 6, 12, 24, 144, 1008}

// feeInterval is how long estimates are good; they change when a block comes.
const feeInterval = 30 * time.Second

// Fees are what the node estimated (estimatesmartfee, economical).
type Fees struct {
	At time.Time // zero before the first
	// PerKvB are fees per 1000 virtual bytes, as FeeTargets has the targets; 0
	// where the node does not know enough.
	PerKvB []btc.Amount
}

// feesDue reports whether it is time to ask for estimates again.
func (s Status) feesDue(now time.Time, may access) bool {
	return may.allows("estimatesmartfee") && !s.InitialBlockDownload && now.Sub(s.Fees.At) >= feeInterval
}

// feeRequests returns the calls that ask for estimates.
func feeRequests() []rpcclient.Request {
	reqs := make([]rpcclient.Request, len(FeeTargets))
	for i, target := range FeeTargets {
		reqs[i] = rpcclient.Request{Method: "estimatesmartfee", Params: []any{target, "economical"}, Out: new(json.RawMessage)}
	}
	return reqs
}

// feesOf reads the answers. What is no estimate is unknown: a node that cannot
// make any is a good node otherwise.
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

// MempoolMinimum returns the fee per 1000 virtual bytes below which the node does
// not let a transaction into its mempool; 0 where it did not say.
func (s Snapshot) MempoolMinimum() btc.Amount { return perKvB(s.MempoolMinFee) }

// RelayMinimum returns the fee per 1000 virtual bytes below which the node never
// relays a transaction, however empty its mempool is; 0 where it did not say.
func (s Snapshot) RelayMinimum() btc.Amount { return perKvB(s.RelayFee) }

// IncrementalMinimum returns by how much more per 1000 virtual bytes of its own a
// replacement has to pay than what it replaces (incrementalrelayfee); 0 where the
// node did not say.
func (s Snapshot) IncrementalMinimum() btc.Amount { return perKvB(s.IncrementalFee) }

func perKvB(fee json.Number) btc.Amount {
	sats, err := btc.ParseBTC(fee.String())
	if err != nil {
		return 0
	}
	return sats
}
