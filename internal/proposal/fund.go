package proposal

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

// sizeTolerance is the inverse of the tolerance for estimates of the size: Core's
// estimate, which assumes the longest possible signatures, may exceed ours by
// 1/sizeTolerance.
const sizeTolerance = 50

// fund makes Core create the PSBT of a draft, and checks it. If the node would not accept
// the payment at broadcast, it returns an error, with the lowest fee rate that works if
// the fee rate is the reason.
func (s *Service) fund(ctx context.Context, d draft) (Proposal, error) {
	f, err := s.fundOnce(ctx, d)
	if err == nil {
		err = s.acceptable(ctx, d, &f)
	}
	switch {
	case err == nil:
		return f.Proposal, nil
	case errors.Is(err, ErrFeeRateTooLow) && f.VSize > 0:
		err = s.lowestRate(ctx, d, f, err)
	}
	return Proposal{}, d.atRecipient(err)
}

// fundOnce asks Core for the payment. If the fee cannot be explained, it asks once more:
// an ancestor may have been confirmed after Core added its deficit to the fee, but before
// the fee was checked.
func (s *Service) fundOnce(ctx context.Context, d draft) (funded, error) {
	f, err := s.fundWith(ctx, d)
	if errors.Is(err, errFeeUnexplained) {
		return s.fundWith(ctx, d)
	}
	return f, err
}

func (s *Service) fundWith(ctx context.Context, d draft) (funded, error) {
	f, err := s.funding(ctx, d)
	if err != nil {
		return funded{}, err
	}
	p := d.proposal(s.now(), s.o.Lifetime, f)
	probe, err := s.ask(ctx, &p, d, f)
	if errors.Is(err, errOverpaid) {
		// Use the same UTXOs, and leave the remainder as the fee.
		f.Inputs, f.AddInputs, f.SubtractFrom = outpointsOf(p.Inputs), false, nil
		probe, err = s.ask(ctx, &p, d, f)
	}
	if err != nil {
		return funded{}, err
	}
	p.setExcess()
	return funded{Proposal: p, probe: probe}, s.withDeficit(ctx, d, &p, d.checkFee(&p))
}

// ask makes Core create a PSBT and fills the proposal with it; see take.
func (s *Service) ask(ctx context.Context, p *Proposal, d draft, f Funding) (probe []byte, err error) {
	keys := soon(func() (*keyring, error) { return newKeyring(d.view.Wallet) }) // while Core selects UTXOs
	made, err := s.node.Fund(ctx, d.view.NodeWallet(), f)
	if err != nil {
		return nil, err
	}
	k, err := keys()
	if err != nil {
		return nil, err
	}
	return s.take(ctx, p, d, f, made, k)
}

// soon calls do in another goroutine, and returns a function that waits for its results. If do
// panics, so does wait.
func soon[T any](do func() (T, error)) (wait func() (T, error)) {
	wait = sync.OnceValues(do)
	go func() {
		defer func() { _ = recover() }()
		_, _ = wait()
	}()
	return wait
}

// funding returns the parameters of Core's funding call for a draft.
func (s *Service) funding(ctx context.Context, d draft) (Funding, error) {
	change, err := s.changeAddress(ctx, d)
	if err != nil {
		return Funding{}, err
	}
	f := Funding{
		Inputs: d.inputs, AddInputs: d.addInputs, ChangeAddress: change.Address, LockTime: uint32(d.height), //nolint:gosec // a height
		Replaceable: !d.NotReplaceable, FeeRate: d.FeeRate, TargetBlocks: d.TargetBlocks, SubtractFrom: d.SubtractFrom,
	}
	if d.replaced != nil {
		f.MinConf = 1 // change of the replaced transaction must not be spent
	}
	if f.Outputs, err = s.outputs(ctx, d); err != nil {
		return f, err
	}
	if d.SendMax && f.SubtractFrom == nil {
		f.SubtractFrom = []int{slices.IndexFunc(d.Recipients, func(r Recipient) bool { return r.isRest() })}
	}
	return f, nil
}

// proposal returns the proposal of a draft without the fields that Core decides.
func (d draft) proposal(now time.Time, lifetime time.Duration, f Funding) Proposal {
	p := Proposal{
		WalletID: d.view.ID, Status: Created, StatusAt: now, CreatedAt: now, ExpiresAt: now.Add(lifetime),
		Terms: Terms{
			FeeRate: d.FeeRate, FeeSource: d.feeSource, TargetBlocks: d.TargetBlocks, Replaceable: f.Replaceable,
			SendMax: d.SendMax, SubtractFrom: f.SubtractFrom,
		},
	}
	if !d.ExpiresAt.IsZero() {
		p.ExpiresAt = d.ExpiresAt.Truncate(time.Microsecond)
	}
	if d.replaced != nil {
		p.Replaces, p.ReplacesID = d.replaced.txid, d.replaced.proposalID
	}
	return p
}

// changeAddress returns the address for change, which is never the address of a recipient.
// The address is not marked as revealed: another proposal can get it unless this proposal
// is stored and is open or broadcast.
func (s *Service) changeAddress(ctx context.Context, d draft) (wallet.Address, error) {
	recipients := make([]string, len(d.Recipients))
	for i, r := range d.Recipients {
		recipients[i] = r.Address
	}
	index, err := s.store.FreeChange(ctx, d.view.ID, recipients)
	if errors.Is(err, wallet.ErrAddressNotFound) {
		return wallet.Address{}, fault.New(fault.Conflict, "too_many_proposals", "open proposals have all change addresses that Bitcoin Core watches; cancel some first")
	}
	if err != nil {
		return wallet.Address{}, err
	}
	return s.store.AddressAt(ctx, d.view.ID, wallet.Place{Branch: wallet.ChangeBranch, Index: index})
}

// outputs returns the outputs for the recipients. With SendMax, the recipient without an
// amount gets the remainder of the inputs, from which the fee is subtracted. If nothing
// remains, it returns ErrInsufficientFunds.
func (s *Service) outputs(ctx context.Context, d draft) ([]FundingOutput, error) {
	outputs := make([]FundingOutput, len(d.Recipients))
	var sum btc.Amount
	for i, r := range d.Recipients {
		outputs[i] = FundingOutput{Address: r.Address, Amount: r.Amount, Data: r.Data}
		sum += r.Amount
	}
	if !d.SendMax {
		return outputs, nil
	}
	utxos, err := s.store.OwnUTXOs(ctx, d.view.ID, d.inputs)
	if err != nil {
		return nil, err
	}
	var total btc.Amount
	for _, c := range utxos {
		total += c.Amount
	}
	if total <= sum {
		return nil, ErrInsufficientFunds
	}
	for i := range outputs {
		if d.Recipients[i].isRest() {
			outputs[i].Amount = total - sum
		}
	}
	return outputs, nil
}
