package wallet

import (
	"context"
	"fmt"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
)

// SetMaxFeeRate sets the maximum fee rate of a wallet's proposals; 0 means the
// server's limit. It requires the role owner. The caller must check the rate against
// the server's limit.
func (s *Service) SetMaxFeeRate(ctx context.Context, access Access, rate btc.FeeRate) (View, error) {
	v, err := s.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return View{}, err
	}
	_, err = s.edit(ctx, v.ID, func(e *Edit) error {
		if e.MaxFeeRate != rate {
			e.Event = access.Caller().Event(s.now(), "wallet.max_fee_rate", v.ID, fmt.Sprintf("%s, before %s", maxFeeRateText(rate), maxFeeRateText(e.MaxFeeRate)))
		}
		e.MaxFeeRate = rate
		return nil
	})
	if err != nil {
		return View{}, err
	}
	return s.Get(ctx, access)
}

func maxFeeRateText(rate btc.FeeRate) string {
	if rate == 0 {
		return "the server's"
	}
	return rate.String() + " sat/vB"
}
