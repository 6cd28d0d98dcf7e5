package wallet

import (
	"context"
	"errors"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// UTXOOrder is the order of a selection.
type UTXOOrder string

// The orders.
const (
	NewestFirst   UTXOOrder = "newest" // the default
	OldestFirst   UTXOOrder = "oldest"
	LargestFirst  UTXOOrder = "largest"
	SmallestFirst UTXOOrder = "smallest"
)

// UTXOOrders are all orders.
var UTXOOrders = []UTXOOrder{NewestFirst, OldestFirst, LargestFirst, SmallestFirst}

// UTXOSelection selects unspent outputs and their order; the zero value selects all, the
// newest first.
type UTXOSelection struct {
	Label            string     // of the output or of its address; empty for any
	Least, Most      btc.Amount // 0 for no limit
	Frozen, Reserved *bool
	Order            UTXOOrder
}

// check returns an Invalid fault about a field of the selection.
func (sel UTXOSelection) check() error {
	if sel.Order != "" && !slices.Contains(UTXOOrders, sel.Order) {
		return fault.InvalidField("order", "must be newest, oldest, largest or smallest")
	}
	if sel.Most != 0 && sel.Least > sel.Most {
		return fault.InvalidField("least", "must not be above the highest amount")
	}
	return nil
}

// maxFreeze is the maximum number of outputs that one call freezes or unfreezes.
const maxFreeze = MaxLabels

// SortedUTXOs returns the unspent outputs of a selection in its order, beginning after the
// given one; nil means from the beginning.
func (s *Service) SortedUTXOs(ctx context.Context, access Access, sel UTXOSelection, after *UTXO, limit int) ([]UTXO, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err == nil {
		err = sel.check()
	}
	if err != nil {
		return nil, err
	}
	return s.store.SortedUTXOs(ctx, v.ID, sel, after, limit)
}

// UTXOTotal returns the number and the total amount of the unspent outputs of a selection.
func (s *Service) UTXOTotal(ctx context.Context, access Access, sel UTXOSelection) (int, btc.Amount, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err == nil {
		err = sel.check()
	}
	if err != nil {
		return 0, 0, err
	}
	return s.store.UTXOTotal(ctx, v.ID, sel)
}

// FreezeAll freezes or unfreezes unspent outputs, as Freeze does, and returns the number of
// outputs whose state changed. It ignores outputs that are not unspent any more.
func (s *Service) FreezeAll(ctx context.Context, access Access, at []btc.Outpoint, frozen bool) (int, error) {
	v, err := s.View(ctx, access, auth.RoleSigner)
	if err != nil {
		return 0, err
	}
	if len(at) > maxFreeze {
		return 0, errManyUTXOs()
	}
	var utxos []UTXO
	for _, one := range at {
		c, err := s.store.UTXO(ctx, v.ID, one)
		if errors.Is(err, ErrUTXONotFound) {
			continue
		}
		if err != nil {
			return 0, err
		}
		utxos = append(utxos, c)
	}
	return s.freezeSome(ctx, access.Caller(), v.Wallet, utxos, frozen)
}

// FreezeSelected is FreezeAll for a selection.
func (s *Service) FreezeSelected(ctx context.Context, access Access, sel UTXOSelection, frozen bool) (int, error) {
	v, err := s.View(ctx, access, auth.RoleSigner)
	if err == nil {
		err = sel.check()
	}
	if err != nil {
		return 0, err
	}
	utxos, err := s.store.SortedUTXOs(ctx, v.ID, sel, nil, maxFreeze+1)
	if err != nil {
		return 0, err
	}
	if len(utxos) > maxFreeze {
		return 0, errManyUTXOs()
	}
	return s.freezeSome(ctx, access.Caller(), v.Wallet, utxos, frozen)
}

func errManyUTXOs() error {
	return fault.New(fault.Invalid, "too_many_utxos", "these are more than %d UTXOs; select fewer at once", maxFreeze)
}

func (s *Service) freezeSome(ctx context.Context, who *auth.Principal, w Wallet, utxos []UTXO, frozen bool) (int, error) {
	utxos = filterUTXOs(utxos, func(c UTXO) bool { return c.Frozen != frozen })
	if len(utxos) == 0 {
		return 0, nil
	}
	if err := s.freeze(ctx, who, w, utxos, frozen); err != nil {
		return 0, err
	}
	s.kick(w.ID)
	return len(utxos), nil
}
