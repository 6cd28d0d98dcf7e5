package wallet

import (
	"context"
	"slices"

	"github.com/specterd/specterd/internal/auth"
)

// Access is a caller's access to one wallet, of which they were a member when it was
// created. Operations on a wallet take an Access instead of an alias, so that a request
// never reaches another wallet than the one for which it was authorized, even if the alias
// meanwhile refers to another one. It does not preserve rights: Service.View reads the
// membership again. Only this package creates one. With the zero value, every operation
// returns ErrNotFound.
type Access struct {
	who *auth.Principal // nil in the zero value
	as  auth.Membership
}

// Caller returns the caller; for the zero value, a principal without permissions.
func (a Access) Caller() *auth.Principal {
	if a.who == nil {
		return &auth.Principal{Wallets: []string{}}
	}
	return a.who
}

// WalletID returns the id of the wallet.
func (a Access) WalletID() string { return a.as.WalletID }

// Alias returns the caller's alias for the wallet when the access was created.
func (a Access) Alias() string { return a.as.Alias }

// Role returns the caller's role in the wallet when the access was created. View returns
// the current one.
func (a Access) Role() auth.WalletRole { return a.as.Role }

// Need returns ErrNotFound for the zero value, and a Forbidden fault with the code
// insufficient_role if Role does not cover needed. It needs no look-up, so that a request
// can be refused before it waits.
func (a Access) Need(needed auth.WalletRole) error {
	if a.who == nil {
		return ErrNotFound
	}
	return a.as.Role.Check(needed)
}

// Access returns the caller's access to the wallet for which they have this alias. It
// returns ErrNotFound if the wallet does not exist or is not ready, if the caller is not
// a member, and if the caller's token does not include it.
func (s *Service) Access(ctx context.Context, who *auth.Principal, alias string) (Access, error) {
	all, err := s.Accesses(ctx, who)
	if err != nil {
		return Access{}, err
	}
	i := slices.IndexFunc(all, func(a Access) bool { return a.Alias() == alias })
	if i < 0 {
		return Access{}, ErrNotFound
	}
	return all[i], nil
}

// Accesses returns the caller's access to each of the wallets that the caller's token includes,
// in the order of their aliases.
func (s *Service) Accesses(ctx context.Context, who *auth.Principal) ([]Access, error) {
	memberships, err := s.Memberships(ctx, who)
	all := make([]Access, len(memberships))
	for i, m := range memberships {
		all[i] = Access{who, m}
	}
	return all, err
}

// Memberships returns the caller's memberships of the wallets that the caller's token
// includes, in the order of their aliases.
func (s *Service) Memberships(ctx context.Context, who *auth.Principal) ([]auth.Membership, error) {
	all, err := s.store.Memberships(ctx, who.UserID)
	return slices.DeleteFunc(all, func(m auth.Membership) bool { return !who.MaySeeWallet(m.WalletID) }), err
}

type accessKey struct{}

// WithAccess returns a context that carries the access a for AccessFrom.
func WithAccess(ctx context.Context, a Access) context.Context {
	return context.WithValue(ctx, accessKey{}, a)
}

// AccessFrom returns the access with which the request of ctx was authorized, or the
// zero value.
func AccessFrom(ctx context.Context) Access {
	a, _ := ctx.Value(accessKey{}).(Access)
	return a
}

// Set is a set of wallets that a caller reads at once: see One and All. The zero value
// is like One of a zero Access.
type Set struct {
	one Access
	all *auth.Principal // nil for one wallet
}

// One returns the set with one wallet.
func One(a Access) Set { return Set{one: a} }

// All returns the set of all wallets of a caller that the caller's token includes.
func All(who *auth.Principal) Set { return Set{all: who} }

// Alias returns the alias of the wallet, or an empty string for All.
func (s Set) Alias() string { return s.one.Alias() }

// View returns the wallet of an access if the caller's current role covers needed. The
// balances lack the reserved and frozen amounts. It returns ErrNotFound if the wallet is no
// longer ready, if the caller is no longer a member, and for the zero access.
func (s *Service) View(ctx context.Context, access Access, needed auth.WalletRole) (View, error) {
	if access.who == nil {
		return View{}, ErrNotFound
	}
	v, err := s.store.View(ctx, access.who.UserID, access.WalletID())
	if err != nil {
		return View{}, err
	}
	if err := v.Role.Check(needed); err != nil {
		return View{}, err
	}
	return v, nil
}

// openSet returns the wallets of a set. For a set with one wallet it returns the errors
// of View.
func (s *Service) openSet(ctx context.Context, set Set) ([]View, error) {
	if set.all != nil {
		return s.list(ctx, set.all, "", 0)
	}
	v, err := s.View(ctx, set.one, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return []View{v}, nil
}
