package wallet

import (
	"context"
	"log/slog"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/keymutex"
)

// Service is what can be done with wallets, by whoever may. An alias is that of
// the caller; ErrNotFound is told for a wallet that does not exist, that they are
// no member of or that their token is not for. Whose role does not suffice is
// told so, a Forbidden fault of the code role_missing. What needs the node is
// Unavailable while that is away.
type Service struct {
	log   *slog.Logger
	store Store
	users Users
	node  Node
	now   func() time.Time
	// kick tells the follower, if there is one in this process, that something
	// is to be done about a wallet.
	kick func(walletID string)
	// adminsAddMembers is whether admins may add members without an invitation.
	adminsAddMembers bool

	turns keymutex.Turns // by wallet, to extend its range
	coins keymutex.Turns // by wallet, to choose coins or lock them
}

// Users finds users by their names.
type Users interface {
	// UserByName returns auth.ErrUserNotFound where there is none.
	UserByName(ctx context.Context, name string) (auth.User, error)
}

// New returns a Service. Kick is called whenever something is to be done about a
// wallet that the follower does; it must not block.
func New(log *slog.Logger, store Store, users Users, node Node, now func() time.Time, kick func(walletID string)) *Service {
	return &Service{log: log, store: store, users: users, node: node, now: now, kick: kick}
}

// WithAdminsAddingMembers returns s, in which admins may add members to wallets that they
// own without an invitation, if add is true.
func (s *Service) WithAdminsAddingMembers(add bool) *Service {
	s.adminsAddMembers = add
	return s
}

// Open returns the wallet that the caller calls so, if their role in it covers
// what is needed, without what is reserved and frozen of its balances. Everything
// that is done for a caller begins here.
func (s *Service) Open(ctx context.Context, who *auth.Principal, alias string, needed auth.WalletRole) (View, error) {
	v, err := s.store.ViewByAlias(ctx, who.UserID, alias)
	if err != nil {
		return View{}, err
	}
	if !who.MaySeeWallet(v.ID) {
		return View{}, ErrNotFound
	}
	if err := v.Role.Check(needed); err != nil {
		return View{}, err
	}
	return v, nil
}

// TakeCoins waits until nobody else in this process chooses coins of a wallet, or
// locks them. Whoever has the turn calls done.
func (s *Service) TakeCoins(ctx context.Context, walletID string) (done func(), err error) {
	return s.coins.Take(ctx, walletID)
}

// openAll returns the wallet that the caller calls so, or all of theirs where
// alias is empty.
func (s *Service) openAll(ctx context.Context, who *auth.Principal, alias string) ([]View, error) {
	if alias == "" {
		return s.list(ctx, who, "", 0)
	}
	v, err := s.Open(ctx, who, alias, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return []View{v}, nil
}

// edit changes a wallet, unless it is gone or about to go by now: ErrNotFound.
func (s *Service) edit(ctx context.Context, id string, change func(*Edit) error) (Wallet, error) {
	return s.store.EditWallet(ctx, id, func(e *Edit) error {
		if e.Stage != Ready {
			return ErrNotFound
		}
		return change(e)
	})
}
