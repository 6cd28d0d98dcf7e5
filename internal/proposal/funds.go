package proposal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/wallet"
)

// funds are the amounts of a wallet's UTXOs by what prevents a payment from spending them.
type funds struct {
	available, reserved, frozen, locked, unconfirmed, immature btc.Amount

	by map[string]btc.Amount // reserved, by the id of the proposal
	// usable is the part of the available and the reserved UTXOs that a payment can use, after the
	// fee for each of them.
	usable btc.Amount
}

// fundsOf adds up the UTXOs of a wallet, or only the named ones if there are any. A payment pays a
// fee for each input.
func (s *Service) fundsOf(ctx context.Context, walletID string, named []btc.Outpoint, inputFee btc.Amount) (funds, error) {
	f := funds{by: map[string]btc.Amount{}}
	for c, err := range s.eachUTXO(ctx, walletID) {
		if err != nil {
			return f, err
		}
		if len(named) > 0 && !slices.Contains(named, c.Outpoint) {
			continue
		}
		switch {
		case c.Frozen:
			f.frozen += c.Amount
		case c.Reserved:
			f.reserved += c.Amount
			f.by[c.ReservedBy] += c.Amount
			f.usable += max(0, c.Amount-inputFee)
		case c.Locked:
			f.locked += c.Amount
		case c.Immature:
			f.immature += c.Amount
		case !c.Trusted && len(named) == 0:
			f.unconfirmed += c.Amount
		default:
			f.available += c.Amount
			f.usable += max(0, c.Amount-inputFee)
		}
	}
	return f, nil
}

// String returns the amounts, without amounts of 0.
func (f funds) String() string {
	parts := []string{fmt.Sprintf("%s BTC are available", f.available.Fixed())}
	for _, other := range []struct {
		amount btc.Amount
		format string
	}{
		{f.reserved, "%s BTC reserved by open proposals"},
		{f.frozen, "%s BTC frozen"},
		{f.locked, "%s BTC locked in Bitcoin Core"},
		{f.unconfirmed, "%s BTC unconfirmed"},
		{f.immature, "%s BTC immature"},
	} {
		if other.amount > 0 {
			parts = append(parts, fmt.Sprintf(other.format, other.amount.Fixed()))
		}
	}
	return strings.Join(parts, ", ")
}

// reserving returns the ids of the proposals that reserve UTXOs, the largest amount first.
func (f funds) reserving() []string {
	return slices.SortedFunc(maps.Keys(f.by), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.by[b], f.by[a]), cmp.Compare(a, b))
	})
}

// total returns the sum of all amounts.
func (f funds) total() btc.Amount {
	return f.available + f.reserved + f.frozen + f.locked + f.unconfirmed + f.immature
}

// withFunds adds to ErrInsufficientFunds the amounts in the wallet, or in the UTXOs that the
// request names, if the caller may read them. If the payment and its fee would be possible with the
// reserved UTXOs, it adds the proposals that reserve them, if the caller may read proposals. Other
// errors are returned unchanged.
func (s *Service) withFunds(ctx context.Context, who *auth.Principal, v wallet.View, o CreateParams, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(f, ErrInsufficientFunds) || !who.Scopes.Has(auth.WalletsRead) {
		return err
	}
	cost, lookupErr := s.costOf(ctx, v, o)
	if lookupErr != nil {
		return lookupErr
	}
	found, lookupErr := s.fundsOf(ctx, v.ID, o.UTXOs, cost.input)
	if lookupErr != nil {
		return lookupErr
	}
	switch {
	case len(o.UTXOs) > 0:
		return f.WithMessage(insufficientFunds+": %s in the selected UTXOs; select others, or lower the amount", found)
	case cost.paid > found.total() && o.Replaces == "": // a replacement also spends the inputs of its original
		return f.WithMessage(insufficientFunds+": %s. The balance of the wallet is too low", found)
	case found.reserved == 0 || cost.paid+cost.rest > found.usable || !who.Scopes.Has(auth.ProposalsRead):
		return f.WithMessage(insufficientFunds+": %s", found)
	}
	return found.withProposals(f)
}

// cost is the amount that a payment takes from a wallet: for its recipients, and estimates of the fee
// for each input and for the rest of the transaction, without change. Fees are 0 if the recipients pay them.
type cost struct{ paid, input, rest btc.Amount }

// costOf estimates the cost of a payment at its fee rate, or at the minimum of the node if the fee
// rate is unknown. The size is at least as large as Core's estimate.
func (s *Service) costOf(ctx context.Context, v wallet.View, o CreateParams) (c cost, err error) {
	d, err := s.withFeeRate(ctx, draft{CreateParams: o, view: v})
	if err != nil {
		return c, err
	}
	tx := wire.NewMsgTx(2)
	for _, r := range o.Recipients {
		script, err := FundingOutput{Address: r.Address, Data: r.Data}.Script(s.node.Network())
		if err != nil {
			return c, err
		}
		tx.AddTxOut(wire.NewTxOut(int64(r.Amount), script))
		c.paid += r.Amount
		if r.isRest() {
			c.paid += btc.DustLimit(script) // receives at least this
		}
	}
	if o.SubtractFrom != nil {
		return c, nil
	}
	keys, err := newKeyring(v.Wallet)
	if err != nil {
		return c, err
	}
	inputs, err := keys.inputs(make([]Input, 1)) // all inputs of a wallet have the same size
	if err != nil {
		return c, err
	}
	rate := cmp.Or(d.FeeRate, s.node.RelayMinimum(v.NodeWallet()))
	fee := func(vsize, inputs int) btc.Amount { return rate.Fee(vsize + sizeSlack(vsize, inputs)) }
	c.input, c.rest = fee(psbt.InputVSize(inputs[0]), 1), fee(psbt.VSize(tx), 0)
	return c, nil
}

// withProposals adds to ErrInsufficientFunds the proposals that reserve UTXOs.
func (f funds) withProposals(err *fault.Error) error {
	ids := f.reserving()
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = fmt.Sprintf("%s (%s BTC)", id, f.by[id].Fixed())
	}
	reserved := f.reserved
	f.reserved = 0 // in the second sentence
	return err.WithMessage(insufficientFunds+": %s. Open proposals reserve %s BTC: %s. Cancel a proposal, or wait until it is confirmed or expires", f, reserved.Fixed(), firstOf(texts)).
		WithDetail("proposals", strings.Join(ids[:min(len(ids), maxNamed)], " "))
}
