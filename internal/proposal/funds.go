package proposal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// funds are the amounts of a wallet's UTXOs by what prevents a payment from spending them.
type funds struct {
	available, reserved, frozen, locked, unconfirmed, immature btc.Amount

	by map[string]btc.Amount // reserved, by the id of the proposal
}

// fundsOf adds up the UTXOs of a wallet, or only the named ones if there are any.
func (s *Service) fundsOf(ctx context.Context, walletID string, named []btc.Outpoint) (funds, error) {
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
		case c.Locked:
			f.locked += c.Amount
		case c.Immature:
			f.immature += c.Amount
		case !c.Trusted && len(named) == 0:
			f.unconfirmed += c.Amount
		default:
			f.available += c.Amount
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
// request names, if the caller may read them. If the payment would be possible with the reserved
// UTXOs, it adds the proposals that reserve them, if the caller may read proposals. Other errors
// are returned unchanged.
func (s *Service) withFunds(ctx context.Context, who *auth.Principal, walletID string, o CreateParams, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(f, ErrInsufficientFunds) || !who.Scopes.Has(auth.WalletsRead) {
		return err
	}
	found, lookupErr := s.fundsOf(ctx, walletID, o.UTXOs)
	if lookupErr != nil {
		return lookupErr
	}
	var paid btc.Amount // without the fee, which is unknown
	for _, r := range o.Recipients {
		paid += r.Amount
	}
	switch {
	case len(o.UTXOs) > 0:
		return f.WithMessage(insufficientFunds+": %s in the selected UTXOs; select others, or lower the amount", found)
	case paid > found.total() && o.Replaces == "": // a replacement also spends the inputs of its original
		return f.WithMessage(insufficientFunds+": %s. The balance of the wallet is too low", found)
	case found.reserved == 0 || paid > found.available+found.reserved || !who.Scopes.Has(auth.ProposalsRead):
		return f.WithMessage(insufficientFunds+": %s", found)
	}
	return found.withProposals(f)
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
