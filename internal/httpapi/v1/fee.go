package v1

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
)

// feeRate is a fee rate. Its JSON encoding is a number of satoshis per virtual byte,
// without rounding.
type feeRate btc.FeeRate

// MarshalJSON implements json.Marshaler.
func (r feeRate) MarshalJSON() ([]byte, error) {
	return []byte(btc.FeeRate(r).String()), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *feeRate) UnmarshalJSON(text []byte) error {
	rate, err := btc.ParseFeeRate(string(text))
	if err != nil {
		return errFeeRate
	}
	*r = feeRate(rate)
	return nil
}

var errFeeRate = fault.New(fault.Invalid, btc.ErrFeeRate.Code, "must be a number of sat/vB above 0 and up to %s, with at most three decimals", btc.MaxFeeRate)

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (feeRate) JSONSchemaBytes() ([]byte, error) { return []byte(`{"type":"number"}`), nil }

type fees struct {
	Estimates      []feeEstimate `json:"estimates" required:"true" description:"Estimates by confirmation target, the fastest first."`
	MempoolMinimum feeRate       `json:"mempool_minimum_sat_vb" required:"true" description:"Minimum fee rate that the node's mempool accepts, in satoshis per virtual byte."`
	MaxFeeRate     feeRate       `json:"max_fee_rate_sat_vb" required:"true" description:"Maximum fee rate of proposals on this server, in satoshis per virtual byte; a wallet can have a lower one. Estimates above it are shown as the node reports them, and a proposal for such a target is refused with fee_estimate_too_high."`
	UpdatedAt      time.Time     `json:"updated_at" required:"true" description:"Time of the query to the node."`
}

type feeEstimate struct {
	Target  int      `json:"target_blocks" required:"true" description:"Confirmation target, in blocks."`
	FeeRate *feeRate `json:"fee_rate_sat_vb" required:"true" description:"Fee rate in satoshis per virtual byte, with at most three decimals; null if the node has too little data."`
	Source  string   `json:"fee_source" required:"true" enum:"estimate,fallback,minimum" description:"Where a proposal for this target takes its fee rate from: the node's estimate, its fallback fee (-fallbackfee, which it does not report) because it has no estimate, or the minimum of its mempool because the estimate is not above it. If the node has no fallback fee, such a proposal is refused with fee_unknown."`
}

// GetFees serves GET /api/v1/fees.
func (a *API) GetFees(context.Context, struct{}) (fees, error) {
	s := a.o.Node.Status()
	if f := s.Ready(); f != nil {
		return fees{}, f
	}
	out := fees{MempoolMinimum: feeRate(s.MempoolMinimum()), MaxFeeRate: feeRate(a.o.Proposals.MaxFeeRate()), UpdatedAt: s.Fees.At.UTC(), Estimates: make([]feeEstimate, len(s.Fees.PerKvB))}
	for i, perKvB := range s.Fees.PerKvB {
		out.Estimates[i].Target = nodestatus.FeeTargets[i]
		out.Estimates[i].Source = string(proposal.EstimateSource(btc.FeeRate(perKvB), btc.FeeRate(s.MempoolMinimum())))
		if perKvB > 0 {
			rate := feeRate(perKvB)
			out.Estimates[i].FeeRate = &rate
		}
	}
	return out, nil
}
