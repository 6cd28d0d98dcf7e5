package wallet

import (
	"context"
	"iter"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
)

// Portrait is all that there is about a wallet, for those who want it whole.
type Portrait struct {
	View
	// Addresses are those of each branch from the index 0 on.
	Addresses [2][]PlainAddress
	// Labelled are the addresses that have a label, in their own order.
	Labelled []LabelledAddress
	// Unspent are the outputs that can be spent, now or once they are mature, in
	// the order of their outpoints.
	Unspent []Unspent
	// History yields all transactions with their raw form, dead ones, too, from
	// the latest on, as they are when it is called. An error comes once, at the
	// end. It may be called again.
	History iter.Seq2[Record, error]
}

// PlainAddress is an address of a wallet, whose place is known otherwise.
type PlainAddress struct {
	Address string
	Used    bool
}

// LabelledAddress is an address that somebody put a label on. It need not be the
// wallet's.
type LabelledAddress struct {
	Address string
	Own     *Place // nil for somebody else's
	Used    bool   // of the wallet's own
	Label   string
}

// Unspent is an output of the wallet that can be spent, now or once it is mature.
type Unspent struct {
	btc.Outpoint
	Address string
	Amount  btc.Amount
	Locked  bool // as that of a Coin
	Frozen  bool // somebody does not want it to be spent
}

// Portrait returns all that there is about a wallet, with as many addresses on
// each branch past the last that was handed out or used.
func (s *Service) Portrait(ctx context.Context, who *auth.Principal, alias string, ahead uint32) (Portrait, error) {
	v, err := s.Open(ctx, who, alias, auth.RoleViewer)
	if err != nil {
		return Portrait{}, err
	}
	p, err := s.store.Portrait(ctx, v, [2]uint32{v.ReceiveNext + ahead, v.ChangeNext + ahead})
	p.History = func(yield func(Record, error) bool) {
		merge(ctx, s.strips([]View{v}, Filter{Raw: true, Dead: true}, HistoryCursor{}, maxParts), false)(yield)
	}
	return p, err
}
