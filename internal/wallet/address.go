package wallet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

const (
	// Lookahead is how many addresses past the highest one that was handed out
	// or used are known to Core at least, on both branches. A payment to one
	// beyond is not seen.
	Lookahead = 1000
	// MaxUnused is how many addresses in a row may be handed out and unused
	// before that is worth a warning: other software gives up looking after as
	// many (BIP-44, address gap limit).
	MaxUnused = 20
)

// ErrAddressNotFound is told for an address that is not in any of the caller's wallets.
var ErrAddressNotFound = fault.New(fault.NotFound, "address_not_found", "this address is in none of your wallets")

// Address is an address of a wallet.
type Address struct {
	Address string
	Place
	Used  bool // something was paid to it, if only by a transaction that is dead now
	Label string
	// HandedOut is whether its index is below that of the next to be handed out.
	HandedOut bool
}

// AddressFilter says which addresses of a list are wanted. Nil is no condition.
type AddressFilter struct {
	Branch    *Branch
	Used      *bool
	HandedOut *bool
	Label     *string
}

// OwnedAddress is an address together with the wallet it is in.
type OwnedAddress struct {
	Address
	WalletID string
	Alias    string
}

// Received is what was paid to an address.
type Received struct {
	Total, Confirmed btc.Amount // in blocks or the mempool, and in blocks
	Transactions     int        // how many pay to it, dead ones left out
	Txids            []string   // of the latest of them
}

// maxTxids is how many transactions of an address are listed with it.
const maxTxids = 100

// Address returns an address of a wallet, however it is spelled, with what was paid
// to it, or ErrAddressNotFound.
func (s *Service) Address(ctx context.Context, who *auth.Principal, alias, address string) (Address, Received, error) {
	v, err := s.Open(ctx, who, alias, auth.RoleViewer)
	if err != nil {
		return Address{}, Received{}, err
	}
	a, err := s.store.AddressOf(ctx, v.ID, s.canonical(address))
	if err != nil {
		return Address{}, Received{}, err
	}
	received, err := s.store.ReceivedBy(ctx, v.ID, a.Address)
	if err != nil {
		return Address{}, Received{}, err
	}
	latest, err := s.store.Transactions(ctx, v.ID, Filter{Address: a.Address}, HistoryCursor{}, maxTxids)
	for _, r := range latest {
		received.Txids = append(received.Txids, r.Txid)
	}
	return a, received, err
}

// NextAddress hands out the next address of the receive branch that was neither
// handed out nor used, with a label if that is not empty. It is for proposers. No
// two callers get the same. unused is how many were handed out in a row and not
// used, this one included; from MaxUnused on that is worth a warning. The node is
// asked only where Core has to be told of more addresses.
//
// While the chain is looked through for a wallet's past it is not known yet which
// addresses were used, so the address may be one that was.
func (s *Service) NextAddress(ctx context.Context, who *auth.Principal, alias, label string) (a Address, unused int, err error) {
	if err := CheckLabel("label", label); err != nil {
		return Address{}, 0, err
	}
	v, err := s.Open(ctx, who, alias, auth.RoleProposer)
	if err != nil {
		return Address{}, 0, err
	}
	index, err := s.handOut(ctx, who, v.Wallet)
	if err != nil {
		return Address{}, 0, err
	}
	// An error from here on costs an index, and nobody was shown its address.
	a, err = s.store.AddressAt(ctx, v.ID, Place{ReceiveBranch, index})
	if err == nil && label != "" {
		err = s.store.SetLabels(ctx, v.ID, []btc.Label{{Type: labelAddress, Ref: a.Address, Label: &label}},
			who.Event(s.now(), "wallet.label", v.ID, "1 label"))
		a.Label = label
	}
	if err == nil {
		unused, err = s.store.UnusedInARow(ctx, v.ID)
	}
	if err != nil {
		return Address{}, 0, err
	}
	return a, unused, nil
}

// handOut raises the index of the next address, and returns what it was. There is
// room for the one after, too, so that it can be shown without the node.
func (s *Service) handOut(ctx context.Context, who *auth.Principal, w Wallet) (index uint32, err error) {
	for {
		if w, err = s.EnsureRange(ctx, w, w.ReceiveNext+1); err != nil {
			return 0, err
		}
		handedOut := false
		w, err = s.edit(ctx, w.ID, func(e *Edit) error {
			index = e.ReceiveNext
			// Others may have come between, and used up what there was.
			if handedOut = e.RangeEnd > index+1+Lookahead; handedOut {
				e.ReceiveNext++
				e.By, e.Reached = who.UserID, e.ReceiveNext
			}
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("hand out an address: %w", err)
		}
		if handedOut {
			return index, nil
		}
	}
}

// PeekAddress returns the address that is next on a branch, without handing it
// out.
func (s *Service) PeekAddress(ctx context.Context, who *auth.Principal, alias string, b Branch) (Address, error) {
	v, err := s.Open(ctx, who, alias, auth.RoleViewer)
	if err != nil {
		return Address{}, err
	}
	next := v.ReceiveNext
	if b == ChangeBranch {
		next = v.ChangeNext
	}
	a, err := s.store.AddressAt(ctx, v.ID, Place{b, next})
	if !errors.Is(err, ErrAddressNotFound) {
		return a, err
	}
	// The follower found addresses used up to the end of the range.
	if _, err := s.EnsureRange(ctx, v.Wallet, next); err != nil {
		return Address{}, err
	}
	return s.store.AddressAt(ctx, v.ID, Place{b, next})
}

// Addresses returns addresses of a wallet in the order of branch and index, from
// the one that follows after; nil is the beginning.
func (s *Service) Addresses(ctx context.Context, who *auth.Principal, alias string, f AddressFilter, after *Place, limit int) ([]Address, error) {
	v, err := s.Open(ctx, who, alias, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return s.store.AddressesOf(ctx, v.ID, f, after, limit)
}

// FindAddress returns where among the caller's wallets an address is, however it
// is spelled, or ErrAddressNotFound.
func (s *Service) FindAddress(ctx context.Context, who *auth.Principal, address string) ([]OwnedAddress, error) {
	found, err := s.store.FindAddress(ctx, who.UserID, s.canonical(address))
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(a OwnedAddress) bool { return !who.MaySeeWallet(a.WalletID) })
	if len(found) == 0 {
		return nil, ErrAddressNotFound
	}
	return found, nil
}

// canonical returns an address as the index has it, however it is spelled; what is
// not an address as it is.
func (s *Service) canonical(address string) string {
	network, _, _ := s.node.Chain()
	if canonical, err := btc.ParseAddress(address, network); err == nil {
		return canonical
	}
	return address
}
