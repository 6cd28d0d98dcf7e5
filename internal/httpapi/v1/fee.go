package v1

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node"
)

// feeRate is a fee in satoshis per 1000 virtual bytes, and in JSON a number of
// satoshis per virtual byte, exactly.
type feeRate btc.Amount

// MarshalJSON implements json.Marshaler.
func (r feeRate) MarshalJSON() ([]byte, error) {
	text := strconv.FormatInt(int64(r)/1000, 10)
	if rest := int64(r) % 1000; rest != 0 {
		text += strings.TrimRight("."+strconv.FormatInt(1000+rest, 10)[1:], "0")
	}
	return []byte(text), nil
}

// JSONSchemaBytes is for the API's description.
func (feeRate) JSONSchemaBytes() ([]byte, error) { return []byte(`{"type":"number"}`), nil }

type fees struct {
	Estimates      []feeEstimate `json:"estimates" required:"true" description:"From the fastest on."`
	MempoolMinimum feeRate       `json:"mempool_minimum_sat_vb" required:"true" description:"What pays less is not let into the node's mempool."`
	UpdatedAt      time.Time     `json:"updated_at" required:"true" description:"When the node was asked."`
}

type feeEstimate struct {
	Target  int      `json:"target_blocks" required:"true" description:"Within how many blocks a payment is to be confirmed."`
	FeeRate *feeRate `json:"fee_rate_sat_vb" required:"true" description:"In satoshis per virtual byte, with three decimals at most; null where the node does not know enough."`
}

// GetFees serves GET /api/v1/fees.
func (a *API) GetFees(context.Context, struct{}) (fees, error) {
	s := a.o.Node.Status()
	if f := s.Ready(); f != nil {
		return fees{}, f
	}
	out := fees{MempoolMinimum: feeRate(s.MempoolMinimum()), UpdatedAt: s.Fees.At.UTC(), Estimates: make([]feeEstimate, len(s.Fees.PerKvB))}
	for i, perKvB := range s.Fees.PerKvB {
		out.Estimates[i].Target = node.FeeTargets[i]
		if perKvB > 0 {
			rate := feeRate(perKvB)
			out.Estimates[i].FeeRate = &rate
		}
	}
	return out, nil
}
