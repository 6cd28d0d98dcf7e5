package wallet

import (
	"context"
	"iter"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
)

// Details holds all details of a wallet, for v1alpha and for exports.
type Details struct {
	View
	// Addresses are the addresses of each branch, from index 0 on.
	Addresses [2][]PlainAddress
	// Labelled are the addresses that have a label, sorted by address.
	Labelled []LabelledAddress
	// Unspent are the outputs that can be spent now or once they are mature, in the
	// order of their outpoints.
	Unspent []Unspent
	// History yields all transactions in raw form, including dead ones, from the
	// latest to the earliest, as they are at the time of the call, in parts. An error
	// is yielded once, at the end. It may be called repeatedly.
	History iter.Seq2[[]Record, error]
}

// PlainAddress is an address of a wallet. Its index is its position in Addresses.
type PlainAddress struct {
	Address string
	Used    bool
}

// LabelledAddress is an address with a label. It need not belong to the wallet.
type LabelledAddress struct {
	Address string
	Own     *Place // nil if it does not belong to the wallet
	Used    bool   // only for the wallet's own addresses
	Label   string
}

// Unspent is an output of the wallet that can be spent now or once it is mature.
type Unspent struct {
	btc.Outpoint
	Address string
	Amount  btc.Amount
	Locked  bool // as in UTXO
	Frozen  bool // as in UTXO
}

// Details returns all details of a wallet. The addresses of each branch end with the
// given number of addresses past the last one that was revealed or used.
func (s *Service) Details(ctx context.Context, access Access, ahead uint32) (Details, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return Details{}, err
	}
	p, err := s.store.Details(ctx, v, [2]uint32{v.ReceiveNext + ahead, v.ChangeNext + ahead})
	p.History = func(yield func([]Record, error) bool) {
		s.openHistories([]View{v}, Filter{Raw: true, Dead: true}, HistoryCursor{}, maxParts)[0].parts(ctx, yield)
	}
	return p, err
}
