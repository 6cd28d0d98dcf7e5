package wallet

import (
	"context"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// ErrNotAdoptable is told of a wallet of Core's that cannot become one of ours as
// it is. Why not, the message says; it is good to follow a colon.
var ErrNotAdoptable = fault.New(fault.Conflict, "not_adoptable", "Bitcoin Core's wallet cannot be adopted")

// ErrHeld is an ErrNotAdoptable, for one that another wallet here uses, of
// whomever.
var ErrHeld = ErrNotAdoptable.Saying("another wallet here uses Bitcoin Core's wallet of this name")

// Adoption is what it takes to adopt a wallet that Core has already: it knows its
// history, so that the chain need not be looked through.
type Adoption interface {
	// CheckAdoptable returns an ErrNotAdoptable unless Core has a wallet of this
	// name among its files that has no private keys and watches these two
	// descriptors, and nothing else. A wallet that is not loaded is loaded for that
	// and unloaded again; nothing else is changed.
	CheckAdoptable(ctx context.Context, coreName, receive, change string) error
}

// adopt has a wallet that is being made use Core's, which a plan names.
func (s *Service) adopt(ctx context.Context, w *Wallet, p Plan) error {
	if p.Birth.Height == nil {
		return fault.InvalidField("birth", "has to be a height")
	}
	all, err := s.store.AllWallets(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(other Wallet) bool { return other.CoreName == p.Adopt }) {
		return ErrHeld
	}
	w.CoreName, w.Birth = p.Adopt, *p.Birth.Height
	return s.node.CheckAdoptable(ctx, p.Adopt, w.Receive, w.Change)
}

// Adopted reports whether Core had its wallet before we did: then others may use
// it, and neither its files nor whether it is loaded are ours to decide. The names
// of such wallets may be paths: Core takes those.
func (w *Wallet) Adopted() bool {
	return !strings.HasPrefix(w.CoreName, corePrefix) || strings.ContainsAny(w.CoreName, `/\`)
}
