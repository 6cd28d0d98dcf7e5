package wallet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// rangeStep is the number of addresses of each branch that are derived and stored at
// once.
const rangeStep = 1000

var errNoAddresses = fault.New(fault.Conflict, "addresses_exhausted", "no addresses left; a descriptor has 2147483648 on each branch")

// EnsureRange extends the range that Bitcoin Core watches to at least Lookahead
// addresses past the highest revealed or used index, on both branches, and returns
// the updated wallet. It calls the node only if the range must grow. Bitcoin Core
// is extended first, so that the index never has an address that Bitcoin Core does
// not watch. It returns ErrNodeScanning, and ErrNotFound for a wallet that is not
// ready.
func (s *Service) EnsureRange(ctx context.Context, w Wallet, highest uint32) (Wallet, error) {
	return s.ExtendRange(ctx, w, min(highest, btc.MaxIndex)+s.lookahead+1)
}

// ExtendRange is like EnsureRange, but needed is the minimum end of the range,
// exclusive.
func (s *Service) ExtendRange(ctx context.Context, w Wallet, needed uint32) (Wallet, error) {
	if needed > btc.MaxIndex-s.lookahead {
		return w, errNoAddresses
	}
	if needed <= w.RangeEnd {
		return w, nil
	}
	done, err := s.ranges.Lock(ctx, w.ID)
	if err != nil {
		return w, err
	}
	defer done()
	// A concurrent call may have extended it, or begun to remove the wallet, which
	// must not be loaded again.
	w, err = s.store.WalletByID(ctx, w.ID)
	switch {
	case err != nil:
		return w, err
	case w.Stage != Ready:
		return w, ErrNotFound
	case needed <= w.RangeEnd:
		return w, nil
	}
	wanted := max(needed, w.RangeEnd+s.lookahead)
	grown, err := s.extend(ctx, w, wanted)
	if errors.Is(err, ErrNodeScanning) && wanted > needed {
		return s.extend(ctx, w, needed) // Core may already watch that many addresses
	}
	return grown, err
}

// EnsureScanRange extends the range of a wallet to the range that its rescan
// requires, and returns the updated wallet. Deriving 100,000 addresses takes about
// half a minute in Bitcoin Core and the same in specterd. After an interruption it
// resumes. It returns the same errors as EnsureRange.
func (s *Service) EnsureScanRange(ctx context.Context, w Wallet) (Wallet, error) {
	done, err := s.ranges.Lock(ctx, w.ID)
	if err != nil {
		return w, err
	}
	defer done()
	w, err = s.store.WalletByID(ctx, w.ID)
	switch {
	case err != nil:
		return w, err
	case w.Stage != Ready:
		return w, ErrNotFound
	case w.RescanRange <= w.RangeEnd:
		return w, nil
	}
	if _, err = s.extend(ctx, w, w.RescanRange); err != nil {
		return w, err
	}
	return s.store.WalletByID(ctx, w.ID) // the rescan may have been aborted in the meantime
}

func (s *Service) extend(ctx context.Context, w Wallet, rangeEnd uint32) (Wallet, error) {
	created, err := s.node.Provide(ctx, w.NodeWallet(), w.Receive, w.Change, rangeEnd)
	if err != nil {
		return w, fmt.Errorf("extend the watched addresses of wallet %s: %w", w.ID, err)
	}
	if created { // Core had lost the wallet
		if err := s.restartRescan(ctx, w.ID); err != nil {
			return w, err
		}
	}
	for w.RangeEnd < rangeEnd {
		end := min(w.RangeEnd+rangeStep, rangeEnd)
		addresses, err := s.derive(ctx, w, w.RangeEnd, end)
		if err != nil {
			return w, err
		}
		if err := s.store.ExtendRange(ctx, w.ID, end, addresses); err != nil {
			return w, fmt.Errorf("extend the range of wallet %s: %w", w.ID, err)
		}
		w.RangeEnd = end
	}
	return w, nil
}

// derive returns the addresses of both branches of a wallet from first to end,
// exclusive.
func (s *Service) derive(ctx context.Context, w Wallet, first, end uint32) ([]Address, error) {
	network := s.node.Network()
	var branches [2][]Address
	both, ctx := errgroup.WithContext(ctx)
	for branch, text := range map[Branch]string{ReceiveBranch: w.Receive, ChangeBranch: w.Change} {
		both.Go(func() error {
			d, err := btc.ParseDescriptor(text, network)
			if err != nil {
				return err
			}
			branches[branch], err = deriveBranch(ctx, d, branch, first, end)
			return err
		})
	}
	if err := both.Wait(); err != nil {
		return nil, fmt.Errorf("derive addresses of wallet %s: %w", w.ID, err)
	}
	return slices.Concat(branches[ReceiveBranch], branches[ChangeBranch]), nil
}

func deriveBranch(ctx context.Context, d btc.Descriptor, branch Branch, first, end uint32) ([]Address, error) {
	deriver, err := d.Deriver()
	if err != nil {
		return nil, err
	}
	addresses := make([]Address, 0, end-first)
	for index := first; index < end; index++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		address, err := deriver.Address(index)
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, Address{Address: address, Place: Place{branch, index}})
	}
	return addresses, nil
}
