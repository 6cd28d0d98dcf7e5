package wallet

import (
	"context"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// ErrNotAdoptable is returned for a Bitcoin Core wallet that cannot be adopted. The
// message gives the reason and is phrased to follow a colon.
var ErrNotAdoptable = fault.New(fault.Conflict, "not_adoptable", "Bitcoin Core's wallet cannot be adopted")

// ErrHeld is the ErrNotAdoptable for a Bitcoin Core wallet that another wallet of
// this server uses, regardless of its members.
var ErrHeld = ErrNotAdoptable.WithMessage("the Bitcoin Core wallet of this name is used by another wallet of this server")

// Adoption is the part of a node that is required to adopt an existing Bitcoin Core
// wallet. Such a wallet already has its history, so no rescan is necessary.
type Adoption interface {
	// CheckAdoptable returns an ErrNotAdoptable unless Bitcoin Core has a wallet
	// file of this name that has no private keys and watches exactly these two
	// descriptors. A wallet that is not loaded is loaded for the check and unloaded
	// again; nothing else is changed.
	CheckAdoptable(ctx context.Context, w NodeWallet, receive, change string) error
}

// adopt makes a new wallet use the Bitcoin Core wallet that the plan names. It
// returns ErrHeld or another ErrNotAdoptable if that is not possible.
func (s *Service) adopt(ctx context.Context, w *Wallet, p Plan) error {
	if p.Birthday.Height == nil {
		return fault.InvalidField("birthday", "must be a block height")
	}
	all, err := s.store.AllWallets(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(other Wallet) bool { return other.CoreName == p.Adopt }) {
		return ErrHeld
	}
	w.Birthday = *p.Birthday.Height
	return s.node.CheckAdoptable(ctx, w.NodeWallet(), w.Receive, w.Change)
}

// Adopted reports whether the Bitcoin Core wallet existed before this one. Other
// programs may use it, so specterd neither deletes its files nor unloads it. The
// names of such wallets may be paths, which Bitcoin Core accepts.
func (w *Wallet) Adopted() bool {
	return !strings.HasPrefix(w.CoreName, corePrefix) || strings.ContainsAny(w.CoreName, `/\`)
}
