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
	// The parts that a payment can use after the fee for each UTXO and its unconfirmed ancestors: of
	// the available UTXOs, and in addition if proposals are cancelled, more is confirmed, or UTXOs
	// are unfrozen.
	usable, usableIfCancelled, usableIfConfirmed, usableIfUnfrozen btc.Amount
}

// fundsOf adds up the UTXOs of a wallet, or only the named ones if there are any.
func (s *Service) fundsOf(ctx context.Context, v wallet.View, o CreateParams, c cost) (funds, error) {
	f := funds{by: map[string]btc.Amount{}}
	var utxos []wallet.UTXO
	var unconfirmed []string
	for u, err := range s.eachUTXO(ctx, v.ID) {
		if err != nil {
			return f, err
		}
		if len(o.UTXOs) > 0 && !slices.Contains(o.UTXOs, u.Outpoint) {
			continue
		}
		utxos = append(utxos, u)
		if u.Status != wallet.Confirmed && u.Trusted {
			unconfirmed = append(unconfirmed, u.Txid)
		}
	}
	pool := map[string]MempoolTx{}
	if len(unconfirmed) > 0 && c.rate > 0 {
		var err error
		if pool, err = s.node.Ancestry(ctx, v.NodeWallet(), unconfirmed); err != nil {
			return f, err
		}
	}
	for _, u := range utxos {
		usable := max(0, u.Amount-c.input-deficitOf(pool, u.Txid, c.rate))
		if !u.Trusted || u.Status != wallet.Confirmed && o.Replaces != "" { // a replacement spends no other unconfirmed UTXOs
			usable = 0
		}
		f.add(u, usable, u.Amount-c.input, len(o.UTXOs) > 0)
	}
	return f, nil
}

// add adds a UTXO, which may be one that the request names. After the fee for it, usable remains, or
// confirmed once it is confirmed.
func (f *funds) add(u wallet.UTXO, usable, confirmed btc.Amount, named bool) {
	switch {
	case u.Frozen:
		f.frozen += u.Amount
		f.usableIfUnfrozen += usable
	case u.Reserved:
		f.reserved += u.Amount
		f.by[u.ReservedBy] += u.Amount
		f.usableIfCancelled += usable
	case u.Locked:
		f.locked += u.Amount
	case u.Immature:
		f.immature += u.Amount
	case !u.Trusted && !named:
		f.unconfirmed += u.Amount
		f.usableIfConfirmed += max(0, confirmed)
	default:
		f.available += u.Amount
		f.usable += usable
	}
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
// request names, if the caller may read them. It adds a remedy only if that makes the payment and its
// fee possible; the proposals that reserve UTXOs, if the caller may read proposals. Other errors are
// returned unchanged.
func (s *Service) withFunds(ctx context.Context, who *auth.Principal, v wallet.View, o CreateParams, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(f, ErrInsufficientFunds) || !who.Scopes.Has(auth.WalletsRead) {
		return err
	}
	cost, lookupErr := s.costOf(ctx, v, o)
	if lookupErr != nil {
		return lookupErr
	}
	found, lookupErr := s.fundsOf(ctx, v, o, cost)
	if lookupErr != nil {
		return lookupErr
	}
	return found.explain(f, cost, o, who.Scopes.Has(auth.ProposalsRead))
}

// explain returns ErrInsufficientFunds with the amounts and a remedy.
func (f funds) explain(err *fault.Error, c cost, o CreateParams, mayReadProposals bool) error {
	isEnough := func(more btc.Amount) bool { return c.paid+c.rest <= f.usable+more }
	switch {
	case len(o.UTXOs) > 0:
		return err.WithMessage(insufficientFunds+": %s in the selected UTXOs; select others, or lower the amount", f)
	case c.paid > f.total() && o.Replaces == "": // a replacement also spends the inputs of its original
		return err.WithMessage(insufficientFunds+": %s. The balance of the wallet is too low", f)
	case f.reserved > 0 && isEnough(f.usableIfCancelled) && mayReadProposals:
		return f.withProposals(err)
	case f.unconfirmed > 0 && isEnough(f.usableIfConfirmed):
		return err.WithMessage(insufficientFunds+": %s. The payment is possible once the unconfirmed amount is confirmed", f)
	case f.frozen > 0 && isEnough(f.usableIfUnfrozen):
		return err.WithMessage(insufficientFunds+": %s. Unfreezing UTXOs makes the payment possible", f)
	case c.rest > 0 && f.available > 0:
		return err.WithMessage(insufficientFunds+": %s. The fee is added to the amount; with send_max, the recipient gets everything available, less the fee", f)
	}
	return err.WithMessage(insufficientFunds+": %s", f)
}

// cost is the amount that a payment takes from a wallet: for its recipients, and estimates of the fee
// for each input and for the rest of the transaction, without change. Fees and rate are 0 if the
// recipients pay the fee.
type cost struct {
	paid, input, rest btc.Amount
	rate              btc.FeeRate
}

// costOf estimates the cost of a payment at its fee rate, or at the maximum fee rate if it is unknown,
// so that the payment does not cost more. The size is at least as large as Core's estimate.
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
	c.rate = cmp.Or(d.FeeRate, d.limit.rate)
	fee := func(vsize, inputs int) btc.Amount { return c.rate.Fee(vsize + sizeSlack(vsize, inputs)) }
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
	return err.WithMessage(insufficientFunds+": %s. Open proposals reserve %s BTC: %s. The payment is possible if they are cancelled or expire", f, reserved.Fixed(), firstOf(texts)).
		WithDetail("proposals", strings.Join(ids[:min(len(ids), maxNamed)], " "))
}
