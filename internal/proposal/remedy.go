package proposal

import (
	"context"
	"errors"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// Remedy returns the parameters of a payment that invalidates the signed transaction of a
// cancelled proposal, so that users who have a copy cannot send it: the payment sends one
// of the proposal's UTXOs to the wallet itself. It returns nil if the proposal never had
// enough signatures, or if none of its UTXOs can be spent now, for example because the
// proposal would have replaced a transaction that spends them.
func (s *Service) Remedy(ctx context.Context, p Proposal) *CreateParams {
	if p.Status != Cancelled || !p.IsSigned() {
		return nil
	}
	o, err := s.invalidation(ctx, p)
	if err != nil { // the cancellation succeeded and must not return an error
		s.log.WarnContext(ctx, "no remedy for a cancelled proposal", "proposal_id", p.ID, "error", err)
	}
	return o
}

// invalidation returns the parameters of a payment that sends the largest UTXO of a
// proposal to a change address; nil if none of its UTXOs is unspent in the index.
func (s *Service) invalidation(ctx context.Context, p Proposal) (*CreateParams, error) {
	var largest *Input
	for i, in := range p.Inputs {
		_, err := s.store.UTXO(ctx, p.WalletID, in.Outpoint)
		isSpent := errors.Is(err, wallet.ErrUTXONotFound)
		if err != nil && !isSpent {
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
	return &CreateParams{Recipients: []Recipient{{Address: to.Address}}, UTXOs: []btc.Outpoint{largest.Outpoint}, SendMax: true}, nil
}
