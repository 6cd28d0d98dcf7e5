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
	// Lookahead is the minimum number of addresses that Bitcoin Core watches past
	// the highest revealed or used one, on both branches. A payment to an address
	// beyond that is not detected.
	Lookahead = 1000
	// MaxUnused is the number of consecutive unused addresses at which users should
	// be warned: other wallet software stops searching for payments after 20 unused
	// addresses (BIP-44, address gap limit).
	MaxUnused = 20
)

// ErrAddressNotFound is returned for an address that is not in any of the caller's
// wallets.
var ErrAddressNotFound = fault.New(fault.NotFound, "address_not_found", "address not found in your wallets")

// Address is an address of a wallet.
type Address struct {
	Address string
	Place
	Used  bool // a transaction has paid to it, possibly a dead one
	Label string
	// Revealed is set if the index of the address is below the next index to reveal.
	Revealed bool
}

// AddressFilter selects addresses of a list. Nil fields do not filter.
type AddressFilter struct {
	Branch   *Branch
	Used     *bool
	Revealed *bool
	Label    *string
}

// OwnedAddress is an address and the wallet that it belongs to.
type OwnedAddress struct {
	Address
	WalletID string
	Alias    string
	Synced   Tip // of the wallet
}

// Received is the amount that was paid to an address.
type Received struct {
	Total, Confirmed btc.Amount // Total includes payments in the mempool; Confirmed only those in blocks
	Transactions     int        // number of transactions that pay to it, excluding dead ones
	Txids            []string   // of the latest of these transactions, at most 100
}

// maxTxids is the maximum number of transactions that are listed with an address.
const maxTxids = 100

// Address returns an address of a wallet and the amounts that it received, or
// ErrAddressNotFound. It accepts every spelling of the address, and bitcoin: URIs.
func (s *Service) Address(ctx context.Context, access Access, address string) (Address, Received, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return Address{}, Received{}, err
	}
	if address, err = s.canonical(address); err != nil {
		return Address{}, Received{}, err
	}
	a, err := s.store.AddressOf(ctx, v.ID, address)
	if err != nil {
		return Address{}, Received{}, err
	}
	each, err := s.store.ReceivedBy(ctx, v.ID, []string{a.Address})
	if err != nil {
		return Address{}, Received{}, err
	}
	received := each[a.Address]
	latest, err := s.store.Transactions(ctx, v.ID, Filter{Address: a.Address}, HistoryCursor{}, maxTxids)
	for _, r := range latest {
		received.Txids = append(received.Txids, r.Txid)
	}
	return a, received, err
}

// ReceivedBy returns the amounts that addresses of a wallet received, without the ids of the
// transactions. Addresses that received nothing are omitted. Unlike Address, it requires the
// spelling of Bitcoin Core.
func (s *Service) ReceivedBy(ctx context.Context, access Access, addresses []string) (map[string]Received, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return s.store.ReceivedBy(ctx, v.ID, addresses)
}

// RevealedWarning returns the warning about the address of a wallet that was revealed last;
// see [NewAddress.Warning].
func (s *Service) RevealedWarning(ctx context.Context, access Access) (string, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return "", err
	}
	unused, err := s.store.UnusedInARow(ctx, v.ID)
	return NewAddress{Unused: unused, rescanning: v.Rescanning()}.Warning(), err
}

// NewAddress is an address that was revealed.
type NewAddress struct {
	Place
	Address string
	Label   string
	// Unused is the number of consecutive revealed addresses that are unused, including
	// this one.
	Unused int
	// rescanning is set if the wallet was being rescanned: it is not known which addresses
	// were used.
	rescanning bool
}

// Warning returns a warning for the user; it is empty if there is nothing to warn of.
func (a NewAddress) Warning() string {
	switch {
	case a.rescanning:
		return "the wallet is being rescanned, so this address may have been used before; for a new one, wait until the rescan has finished"
	case a.Unused > MaxUnused:
		return fmt.Sprintf("%d addresses in a row were revealed and not paid to; other software that restores this wallet stops searching after %d, and would not find a payment to this one", a.Unused, MaxUnused)
	}
	return ""
}

// NextAddress reveals the next address of the receive branch that was neither
// revealed nor used before, and sets its label unless that is empty. It requires
// the role proposer. No two callers get the same address. The node is called only if
// the range that Bitcoin Core watches must be extended.
//
// While a rescan of the wallet is pending, the address may have been used before; see
// [NewAddress.Warning].
func (s *Service) NextAddress(ctx context.Context, access Access, label string) (NewAddress, error) {
	if err := CheckLabel("label", label); err != nil {
		return NewAddress{}, err
	}
	v, err := s.View(ctx, access, auth.RoleProposer)
	if err != nil {
		return NewAddress{}, err
	}
	index, err := s.revealNext(ctx, access.Caller(), v.Wallet)
	if err != nil {
		return NewAddress{}, err
	}
	// An error from here on skips one index; its address was never shown.
	revealed, err := s.store.AddressAt(ctx, v.ID, Place{ReceiveBranch, index})
	a := NewAddress{Place: revealed.Place, Address: revealed.Address, Label: revealed.Label, rescanning: v.Rescanning()}
	if err == nil && label != "" {
		_, err = s.putLabels(ctx, access, v.ID, []btc.Label{{Type: labelAddress, Ref: a.Address, Label: &label}})
		a.Label = label
	}
	if err == nil {
		a.Unused, err = s.store.UnusedInARow(ctx, v.ID)
	}
	if err != nil {
		return NewAddress{}, err
	}
	return a, nil
}

// revealNext reveals the next address of the receive branch and returns its index. It
// extends the range for the following address as well, so that PeekAddress can return
// that without calling the node.
func (s *Service) revealNext(ctx context.Context, who *auth.Principal, w Wallet) (index uint32, err error) {
	for {
		if w, err = s.EnsureRange(ctx, w, w.ReceiveNext+1); err != nil {
			return 0, err
		}
		revealed := false
		w, err = s.edit(ctx, w.ID, func(e *Edit) error {
			index = e.ReceiveNext
			// Concurrent calls may have used up the range in between.
			if revealed = e.RangeEnd > index+1+s.lookahead; revealed {
				e.ReceiveNext++
				e.Caller, e.Reached = who, e.ReceiveNext
			}
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("reveal an address: %w", err)
		}
		if revealed {
			return index, nil
		}
	}
}

// PeekAddress returns the next address of a branch without revealing it.
func (s *Service) PeekAddress(ctx context.Context, access Access, b Branch) (Address, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
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
	// The indexer found that the last address of the range is used.
	if _, err := s.EnsureRange(ctx, v.Wallet, next); err != nil {
		return Address{}, err
	}
	return s.store.AddressAt(ctx, v.ID, Place{b, next})
}

// Addresses returns addresses of a wallet in the order of branch and index,
// beginning after the given place; nil means from the beginning.
func (s *Service) Addresses(ctx context.Context, access Access, f AddressFilter, after *Place, limit int) ([]Address, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return s.store.AddressesOf(ctx, v.ID, f, after, limit)
}

// FindAddress returns the places of an address in the caller's wallets, or
// ErrAddressNotFound. It accepts every spelling of the address, and bitcoin: URIs.
func (s *Service) FindAddress(ctx context.Context, who *auth.Principal, address string) ([]OwnedAddress, error) {
	address, err := s.canonical(address)
	if err != nil {
		return nil, err
	}
	found, err := s.store.FindAddress(ctx, who.UserID, address)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(a OwnedAddress) bool { return !who.MaySeeWallet(a.WalletID) })
	if len(found) == 0 {
		return nil, ErrAddressNotFound
	}
	return found, nil
}

// canonical returns the spelling of an address that the index uses. It accepts every
// spelling and bitcoin: URIs, and returns text that is not an address unchanged. It returns
// the faults of btc.ParsePayment about a URI.
func (s *Service) canonical(address string) (string, error) {
	p, err := btc.ParsePayment(address, s.node.Network())
	switch {
	case err == nil:
		return p.Address, nil
	case btc.IsPaymentURI(address):
		return "", err
	}
	return address, nil
}
