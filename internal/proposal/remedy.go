package proposal

import (
	"context"
	"errors"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// Remedy says that the signed transaction of a cancelled proposal can still be sent by
// those who have it, and how to prevent that.
type Remedy struct {
	Warning string
	// Order spends one of its UTXOs to the wallet itself. It is nil if none of them can be
	// spent now, such as those of a transaction that the proposal would have replaced.
	Order *Order
}

const stillValid = "the proposal had enough signatures: anyone who has the signed transaction can still send it, until another transaction that spends one of its UTXOs is confirmed"

// Remedy returns the remedy for a cancelled proposal; nil if it never had enough
// signatures.
func (s *Service) Remedy(ctx context.Context, p Proposal) *Remedy {
	if p.Status != Cancelled || !p.IsSigned() {
		return nil
	}
	o, err := s.invalidation(ctx, p)
	if err != nil { // what was done is not followed by an error
		s.log.WarnContext(ctx, "no remedy for a cancelled proposal", "proposal_id", p.ID, "error", err)
	}
	return &Remedy{Warning: stillValid, Order: o}
}

// invalidation returns an order that spends the largest UTXO of a proposal to a change
// address; nil if the index has none of them unspent.
func (s *Service) invalidation(ctx context.Context, p Proposal) (*Order, error) {
	var largest *Input
	for i, in := range p.Inputs {
		_, err := s.store.Coin(ctx, p.WalletID, in.Outpoint)
		// After it was abandoned, the index has them as soon as the node has.
		isSpent := errors.Is(err, wallet.ErrCoinNotFound) && !p.wasSent()
		if err != nil && !errors.Is(err, wallet.ErrCoinNotFound) {
			return nil, err
		}
		if !isSpent && (largest == nil || in.Amount > largest.Amount) {
			largest = &p.Inputs[i]
		}
	}
	if largest == nil {
		return nil, nil
	}
	to, err := s.changeAddress(ctx, draft{view: wallet.View{Wallet: wallet.Wallet{ID: p.WalletID}}})
	if err != nil {
		return nil, err
	}
	return &Order{Recipients: []Recipient{{Address: to.Address}}, Coins: []btc.Outpoint{largest.Outpoint}, SendMax: true}, nil
}
