package v1

import (
	"context"
	"strconv"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
)

// feeRateOf returns a fee rate in satoshis per virtual byte. The nearest float64 has the same
// three decimals in JSON.
func feeRateOf(r btc.FeeRate) api.FeeRate { return api.FeeRate(float64(r) / 1000) }

// parseFeeRate converts the fee rate of a request, in satoshis per virtual byte. Errors name
// field, the field of the request.
func parseFeeRate(field string, rate api.FeeRate) (btc.FeeRate, error) {
	r, err := btc.ParseFeeRate(strconv.FormatFloat(float64(rate), 'f', -1, 64))
	if err != nil {
		return 0, fault.InvalidField(field, "must be %s", route.FeeRateText)
	}
	return r, nil
}

// GetFees serves GET /api/v1/fees.
func (a *API) GetFees(context.Context, struct{}) (api.Fees, error) {
	s := a.o.Node.Status()
	if f := s.Ready(); f != nil {
		return api.Fees{}, f
	}
	out := api.Fees{MempoolMinimum: feeRateOf(btc.FeeRate(s.MempoolMinimum())), MaxFeeRate: feeRateOf(a.o.Proposals.MaxFeeRate()), UpdatedAt: s.Fees.At.UTC(), Estimates: make([]api.FeeEstimate, len(s.Fees.PerKvB))}
	for i, perKvB := range s.Fees.PerKvB {
		out.Estimates[i].Target = nodestatus.FeeTargets[i]
		out.Estimates[i].Source = string(proposal.EstimateSource(btc.FeeRate(perKvB), btc.FeeRate(s.MempoolMinimum())))
		if perKvB > 0 {
			rate := feeRateOf(btc.FeeRate(perKvB))
			out.Estimates[i].FeeRate = &rate
		}
	}
	return out, nil
}
