package proposal

import (
	"context"
	"errors"
	"fmt"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

// DefaultMaxFeeRate is the maximum fee rate of the server if SPECTER_MAX_FEE_RATE is not
// set: 100 sat/vB.
const DefaultMaxFeeRate btc.FeeRate = 100_000

// Errors for fees above the maximum fee rate. The detail max_fee_rate_sat_vb is the
// maximum.
var (
	// ErrFeeTooHigh is returned if a request specifies a fee above the maximum, or
	// results in one.
	ErrFeeTooHigh = fault.New(fault.Invalid, "fee_too_high", "the fee would be too high")
	// ErrEstimateTooHigh is returned if the node's estimate is above the maximum.
	ErrEstimateTooHigh = fault.New(fault.Conflict, "fee_estimate_too_high", "the Bitcoin node estimates too high a fee rate")
	// ErrMinimumTooHigh is returned if the lowest fee rate that the node accepts is above
	// the maximum.
	ErrMinimumTooHigh = fault.New(fault.Conflict, "fee_minimum_too_high", "the Bitcoin node requires too high a fee rate")
)

const feeRateField = "fee_rate_sat_vb"

// feeLimit is the maximum fee rate of a wallet's proposals.
type feeLimit struct {
	rate   btc.FeeRate
	server btc.FeeRate // the maximum of the server, which rate never exceeds
}

// feeLimit returns the limit of a wallet: its own, or the server's if that is lower.
func (s *Service) feeLimit(w wallet.Wallet) feeLimit {
	l := feeLimit{rate: s.o.MaxFeeRate, server: s.o.MaxFeeRate}
	if w.MaxFeeRate > 0 {
		l.rate = min(l.rate, w.MaxFeeRate)
	}
	return l
}

// MaxFeeRate returns the maximum fee rate of the server.
func (s *Service) MaxFeeRate() btc.FeeRate { return s.o.MaxFeeRate }

// CheckMaxFeeRate returns a fault about a field unless a wallet can have this maximum fee
// rate; 0 means the server's maximum.
func (s *Service) CheckMaxFeeRate(field string, rate btc.FeeRate) error {
	if rate > s.o.MaxFeeRate {
		return fault.InvalidField(field, "must be at most %s, the maximum of the server (SPECTER_MAX_FEE_RATE)", s.o.MaxFeeRate)
	}
	return nil
}

// String describes the maximum and who can raise it.
func (l feeLimit) String() string {
	if l.rate < l.server {
		return fmt.Sprintf("the wallet's maximum of %s sat/vB (max_fee_rate_sat_vb, which an owner can raise up to %s)", l.rate, l.server)
	}
	return fmt.Sprintf("the server's maximum of %s sat/vB (SPECTER_MAX_FEE_RATE, which the operator can raise)", l.rate)
}

// most returns the highest allowed fee of a payment of this size. It includes the
// tolerance for the estimate of the size, so that a payment at the maximum fee rate is
// possible.
func (l feeLimit) most(p *Proposal) btc.Amount {
	_, most := feeRange(l.rate, p.VSize, len(p.Inputs))
	return most
}

// about returns a copy of the fault f for the field fee_rate_sat_vb, with the given
// message and the maximum fee rate as a detail.
func (l feeLimit) about(f *fault.Error, format string, args ...any) *fault.Error {
	return f.WithField(feeRateField, format, args...).WithDetail("max_fee_rate_sat_vb", l.rate.String())
}

func (l feeLimit) minimumTooHigh(least btc.FeeRate, why string) *fault.Error {
	return l.about(ErrMinimumTooHigh, "must be at least %s sat/vB %s, and that exceeds %s", least, why, l).
		WithDetail("min_fee_rate_sat_vb", least.String())
}

// checkRequested returns a fault if a requested fee rate is above the maximum, or if the
// maximum is below relayed, the lowest fee rate that the node relays.
func (l feeLimit) checkRequested(rate, relayed btc.FeeRate) error {
	switch {
	case relayed > l.rate:
		return l.minimumTooHigh(relayed, "for the Bitcoin node to relay it")
	case rate > l.rate:
		return l.about(ErrFeeTooHigh, "must not exceed %s", l)
	}
	return nil
}

// checkEstimate returns a fault if the node's estimate, or the minimum of its mempool, is
// above the maximum. The estimate is not lowered to the maximum: with a lower fee rate,
// the payment would not be confirmed within the requested number of blocks.
func (l feeLimit) checkEstimate(estimate, minimum btc.FeeRate) error {
	switch {
	case minimum > l.rate:
		return l.minimumTooHigh(minimum, "for the mempool of the Bitcoin node")
	case estimate > l.rate:
		return l.about(ErrEstimateTooHigh, "must be given: the Bitcoin node estimates %s sat/vB, which exceeds %s", estimate, l)
	}
	return nil
}

// checkFee returns a fault if the fee is above the maximum fee rate, or above the
// request's max_fee_sat, which can only lower the limit.
func (d draft) checkFee(p *Proposal) error {
	most := d.limit.most(p)
	if d.MaxFee > 0 && d.MaxFee < min(most, p.Fee) {
		return tooHigh(p, d.MaxFee, "max_fee_sat")
	}
	switch {
	case p.Fee > most && d.FeeRate == 0:
		return d.limit.about(ErrEstimateTooHigh, "must be given: the Bitcoin node has no estimate, and with its fallback fee (-fallbackfee) "+
			"the fee would be %d sat for %d vB, which exceeds %s: at most %d sat are allowed, %s", p.Fee, p.VSize, d.limit, most, tolerance).
			WithDetail("fee_sat", fmt.Sprint(int64(p.Fee))).WithDetail("max_fee_sat", fmt.Sprint(int64(most)))
	case p.Fee > most:
		return tooHigh(p, most, d.limit.String()).WithDetail("max_fee_rate_sat_vb", d.limit.rate.String())
	}
	return nil
}

// tolerance is the part of error messages that explains why the highest fee is not the
// product of rate and size; see most.
const tolerance = "including a tolerance of a few vB because the size is an estimate"

// isOverMaximum reports whether an error is about the maximum fee rate of the wallet or
// the server. The fault for the node's own limit (-maxtxfee) has the same code, but not
// this detail.
func isOverMaximum(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Details["max_fee_rate_sat_vb"] != ""
}

func tooHigh(p *Proposal, most btc.Amount, limit string) *fault.Error {
	allowed := fmt.Sprintf("at most %d sat are allowed", most)
	if limit != "max_fee_sat" {
		allowed += ", " + tolerance
	}
	return ErrFeeTooHigh.WithMessage("the fee would be %d sat for %d vB, which exceeds %s: %s; ask for a lower fee rate, or spend other UTXOs", p.Fee, p.VSize, limit, allowed).
		WithDetail("fee_sat", fmt.Sprint(int64(p.Fee))).WithDetail("max_fee_sat", fmt.Sprint(int64(most)))
}

// withDeficit adds to ErrFeeTooHigh the part of the fee that is for unconfirmed ancestors. Other errors
// are returned unchanged.
func (s *Service) withDeficit(ctx context.Context, d draft, p *Proposal, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(f, ErrFeeTooHigh) || p.ExcessFee == 0 {
		return err
	}
	deficit, lookupErr := s.deficit(ctx, d.view.NodeWallet(), p, d.FeeRate)
	if lookupErr != nil {
		return lookupErr
	}
	if deficit == 0 {
		return err
	}
	return f.WithMessage("%s. Up to %d sat of the fee are for unconfirmed transactions with lower fee rates, which the payment depends on: wait for their confirmation, or spend confirmed UTXOs",
		f.Message, min(deficit, p.ExcessFee))
}

// setExcess fills in the fee rate if it is unknown. Otherwise it fills in the part of the
// fee beyond the fee rate, unless the tolerance for the estimate of the size explains it.
func (p *Proposal) setExcess() {
	if p.FeeRate == 0 {
		p.FeeRate = btc.FeeRate(int64(p.Fee) * 1000 / int64(p.VSize))
		return
	}
	if excess := p.Fee - p.FeeRate.Fee(p.VSize); excess > p.FeeRate.Fee(p.VSize)/sizeTolerance {
		p.ExcessFee = excess
	}
}
