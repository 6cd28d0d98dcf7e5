package proposal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// When a proposal is created, specterd checks whether the node will accept the payment at
// broadcast: the node tests the transaction with placeholders for its signatures. This way
// the node's rules need not be duplicated here, and a fee that is too low is refused
// before users sign.

// funded is a payment that Core created, with the data that the node needs to test it.
type funded struct {
	Proposal

	probe     []byte // the transaction, with placeholders for its signatures
	evictions evictions
}

// acceptable returns nil if the node will accept the payment once it is signed, and
// otherwise ErrFeeRateTooLow or an error of Node.Check. It also fills in the ancestors and, if
// the draft replaces a payment, the evictions, and returns an error if they cannot be
// determined.
func (s *Service) acceptable(ctx context.Context, d draft, f *funded) error {
	inputs := f.Inputs
	ancestors := soon(func() (Ancestors, error) { return s.findAncestors(ctx, d.view.NodeWallet(), inputs) })
	if d.replaced != nil {
		var err error
		if f.evictions, err = s.evictedBy(ctx, d.view.Wallet, outpointsOf(f.Inputs), d.replaced.txid); err != nil {
			return err
		}
		f.Evicts = f.evictions.list
		if f.Fee < f.evictions.least(f.VSize, s.node.IncrementalFee(d.view.NodeWallet())) {
			return ErrFeeRateTooLow
		}
	}
	err := s.node.Check(ctx, d.view.NodeWallet(), f.probe)
	if err == nil {
		f.Ancestors, err = ancestors()
	}
	return err
}

// dataReasons are the reasons with which nodes reject a standard payment because of its data
// (IsStandardTx in Core's src/policy/policy.cpp): versions before 30 return the first.
var dataReasons = []string{"scriptpubkey", "datacarrier"}

// atRecipient returns ErrDataRefused if the node rejects the data of the payment, and adds
// the affected recipient to ErrAmountTooSmall, because the node does not report it: the
// recipient whose amount is the smallest in relation to the dust limit of
// its output type. Other errors are returned unchanged.
func (d draft) atRecipient(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if at := slices.IndexFunc(d.Recipients, func(r Recipient) bool { return r.Data != nil }); ok && at >= 0 && slices.Contains(dataReasons, f.Details["reject_reason"]) {
		return d.Recipients[at].about(ErrDataRefused, at, fieldData).WithCause(err)
	}
	if !ok || !errors.Is(f, ErrAmountTooSmall) {
		return err
	}
	smallest, ratio, least := -1, 0.0, btc.Amount(0)
	for i, r := range d.Recipients {
		script, err := btc.ScriptOf(r.Address, d.network)
		if err != nil || r.Amount == 0 { // an amount of 0 means the remainder
			continue
		}
		limit := btc.DustLimit(script)
		if own := float64(r.Amount) / float64(limit); smallest < 0 || own < ratio {
			smallest, ratio, least = i, own, limit
		}
	}
	if smallest < 0 {
		return err
	}
	text := "must be higher: this is dust, which the Bitcoin node does not relay"
	switch {
	case len(d.SubtractFrom) > 0:
		text = "must be higher: it does not cover the fee that is subtracted from it"
	case ratio < 1:
		text = fmt.Sprintf("must be at least %d sat for an address of this type: a lower amount is dust, which the Bitcoin node does not relay", int64(least))
	}
	return d.Recipients[smallest].about(f.WithField(fieldAmount, "%s", text), smallest, fieldAmount).WithCause(err)
}

const (
	// rateTries is the maximum number of attempts to find a fee rate that the node
	// accepts. The first attempt succeeds unless Core selects other UTXOs for it.
	rateTries = 8
	// refineTries is the maximum number of attempts to find a lower fee rate that the
	// node also accepts.
	refineTries = 12
)

// lowestRate searches for the lowest fee rate at which the node would accept a refused
// payment. It returns ErrFeeRateTooLow with that fee rate, or ErrMinimumTooHigh if the
// fee rate exceeds the maximum.
func (s *Service) lowestRate(ctx context.Context, d draft, f funded, cause error) error {
	step := s.node.IncrementalFee(d.view.NodeWallet())
	d.TargetBlocks, d.MaxFee = 0, 0
	refused := f.FeeRate
	for range rateTries {
		least := max(f.evictions.least(f.VSize, step), f.Fee+1)
		if least > d.limit.most(&f.Proposal) { // such a fee may overflow rateFor
			return d.limit.minimumTooHigh(btc.FeeRate(int64(least)/int64(f.VSize)*1000), f.why()).WithCause(cause)
		}
		rate := f.rateFor(least)
		if rate > d.limit.rate {
			return d.limit.minimumTooHigh(rate, f.why()).WithCause(cause)
		}
		tried, err := s.tryRate(ctx, d, rate)
		switch {
		case err == nil:
			rate, tried = s.refine(ctx, d, refused, tried)
			return tooLow(rate, tried.Fee, f).WithCause(cause)
		case errors.Is(err, ErrFeeRateTooLow):
			f, refused = tried, rate
		case isOverMaximum(err):
			return d.limit.minimumTooHigh(rate, f.why()).WithCause(err)
		case fault.KindOf(err) == fault.Conflict || fault.KindOf(err) == fault.Invalid: // for example, insufficient funds at that fee rate
			return tooLow(rate, least, f).WithCause(err)
		default:
			return err
		}
	}
	return ErrFeeRateTooLow.WithCause(cause)
}

// tryRate makes Core fund the payment at another fee rate, and checks whether the node
// would accept the result.
func (s *Service) tryRate(ctx context.Context, d draft, rate btc.FeeRate) (funded, error) {
	d.FeeRate = rate
	f, err := s.fundOnce(ctx, d)
	if err == nil {
		err = s.acceptable(ctx, d, &f)
	}
	return f, err
}

// refine searches between a refused and an accepted fee rate for the lowest accepted fee
// rate, and returns it with its payment. Without this search, the result would depend on
// the fee rates that were tried before.
func (s *Service) refine(ctx context.Context, d draft, refused btc.FeeRate, accepted funded) (btc.FeeRate, funded) {
	works := accepted.FeeRate
	for try := 0; try < refineTries && works-refused > 1; try++ {
		rate := works - 1 // the node usually refuses this rate, which ends the search
		if try > 0 {
			rate = refused + (works-refused)/2
		}
		tried, err := s.tryRate(ctx, d, rate)
		switch {
		case err == nil:
			works, accepted = rate, tried
		case errors.Is(err, ErrFeeRateTooLow):
			refused = rate
		default: // the accepted fee rate is good enough
			return works, accepted
		}
	}
	return works, accepted
}

// rateFor returns the fee rate at which Core would create the payment with this fee,
// which must be higher than the current fee. Core's estimate of the size may differ from
// ours by a few bytes.
func (f *funded) rateFor(fee btc.Amount) btc.FeeRate {
	if len(f.SubtractFrom) > 0 || changePosition(f.Outputs) >= 0 {
		// The largest size at which the current fee rate, with the fee rounded up,
		// results in the current fee.
		size := int64(f.Fee) * 1000 / int64(f.FeeRate)
		return btc.FeeRate((int64(fee)-1)*1000/size + 1)
	}
	if f.ExcessFee > 0 {
		return f.FeeRate + btc.FeeRate((int64(fee-f.Fee)*1000+int64(f.VSize)-1)/int64(f.VSize))
	}
	return btc.FeeRate((int64(f.FeeRate)*int64(fee) + int64(f.Fee) - 1) / int64(f.Fee))
}

// why returns the reason why the node requires a minimum fee rate, as part of an error
// message.
func (f *funded) why() string {
	if f.evictions.minFee > 0 {
		return fmt.Sprintf("to replace transactions that pay %d sat", f.evictions.minFee)
	}
	return "for the Bitcoin node to accept it"
}

func tooLow(rate btc.FeeRate, fee btc.Amount, f funded) *fault.Error {
	text := fmt.Sprintf("must be at least %s sat/vB, which is a fee of %d sat", rate, fee)
	if f.evictions.minFee > 0 {
		text = fmt.Sprintf("must be at least %s sat/vB, which is a fee of %d sat; the transactions that it replaces pay %d sat", rate, fee, f.evictions.minFee)
	}
	return ErrFeeRateTooLow.WithField("fee_rate_sat_vb", "%s", text).
		WithDetail("min_fee_rate_sat_vb", rate.String()).WithDetail("min_fee_sat", fmt.Sprint(int64(fee)))
}
