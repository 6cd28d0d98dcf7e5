package wallet

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// ErrIndexBehind is returned for a request that requires a height that the index
// has not reached.
var ErrIndexBehind = fault.New(fault.Conflict, "index_behind", "the index has not reached this block yet")

// The maximum time that a caller waits for the index, and the polling interval.
const (
	waitPatience = 10 * time.Second
	waitInterval = 100 * time.Millisecond
)

// List returns the caller's wallets with their balances in the order of their
// aliases, beginning after the given one; all of them if limit is 0.
func (s *Service) List(ctx context.Context, who *auth.Principal, after string, limit int) ([]View, error) {
	views, err := s.list(ctx, who, after, limit)
	if err != nil {
		return nil, err
	}
	return views, s.store.FillHeldBack(ctx, views)
}

// list is List without the reserved and frozen amounts.
func (s *Service) list(ctx context.Context, who *auth.Principal, after string, limit int) ([]View, error) {
	if who.Wallets == nil {
		return s.store.ViewsOfUser(ctx, who.UserID, after, limit)
	}
	views, err := s.store.ViewsOfUser(ctx, who.UserID, after, 0)
	if err != nil {
		return nil, err
	}
	views = slices.DeleteFunc(views, func(v View) bool { return !who.MaySeeWallet(v.ID) })
	if limit > 0 && len(views) > limit {
		views = views[:limit]
	}
	return views, nil
}

// Get returns a wallet with its balances.
func (s *Service) Get(ctx context.Context, access Access) (View, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return View{}, err
	}
	one := []View{v}
	err = s.store.FillHeldBack(ctx, one)
	return one[0], err
}

// WaitForHeight waits until the index of all wallets of a set has reached a height.
// It returns the wallet whose index is furthest behind. After ten seconds it returns
// ErrIndexBehind, which reports the height that was reached.
func (s *Service) WaitForHeight(ctx context.Context, set Set, height int) (View, error) {
	deadline := time.NewTimer(waitPatience)
	defer deadline.Stop()
	tick := time.NewTicker(waitInterval)
	defer tick.Stop()
	for {
		views, err := s.openSet(ctx, set)
		if err != nil {
			return View{}, err
		}
		v := furthestBehind(views)
		if v.Synced.Height >= height || len(views) == 0 {
			return v, nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return View{}, errBehind(v, height)
		case <-ctx.Done():
			return View{}, ctx.Err()
		}
	}
}

// furthestBehind returns the wallet whose index is furthest behind. The histories of all
// wallets are known up to its Synced block. Without wallets, the height is -1.
func furthestBehind(views []View) View {
	if len(views) == 0 {
		return View{Wallet: Wallet{Synced: Tip{Height: -1}}}
	}
	return slices.MinFunc(views, func(a, b View) int { return a.Synced.Height - b.Synced.Height })
}

func errBehind(v View, height int) error {
	at := "has not been synced yet"
	if v.Synced.Height >= 0 {
		at = fmt.Sprintf("is at block %d", v.Synced.Height)
	}
	f := ErrIndexBehind.WithMessage("the index of the wallet %s %s, below block %d; retry later, or request a lower height", v.Alias, at, height)
	return f.WithDetail("indexed_height", strconv.Itoa(v.Synced.Height))
}
