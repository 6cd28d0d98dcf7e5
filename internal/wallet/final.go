package wallet

import (
	"context"
	"fmt"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// The number of confirmations from which on a transaction is final: the default of
// new wallets, and the maximum.
const (
	DefaultFinalAfter = 6
	MaxFinalAfter     = 1000
)

// SetFinalAfter sets the number of confirmations from which on a wallet's transactions are
// final, which has an event. Transactions that are final already stay so. It requires the
// role owner.
func (s *Service) SetFinalAfter(ctx context.Context, access Access, confirmations int) (View, error) {
	v, err := s.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return View{}, err
	}
	if confirmations < 1 || confirmations > MaxFinalAfter {
		return View{}, fault.InvalidField("final_after", "must be 1 to %d", MaxFinalAfter)
	}
	_, err = s.edit(ctx, v.ID, func(e *Edit) error {
		if e.FinalAfter != confirmations {
			e.Event = access.Caller().Event(s.now(), "wallet.final_after", v.ID, fmt.Sprintf("%d, before %d", confirmations, e.FinalAfter))
		}
		e.FinalAfter = confirmations
		return nil
	})
	if err != nil {
		return View{}, err
	}
	return s.Get(ctx, access)
}
