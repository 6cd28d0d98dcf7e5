package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

func userOf(u auth.User) api.User {
	return api.User{
		Name: u.Name, Admin: u.Admin, Disabled: !u.Active(),
		DefaultPassword: u.PasswordIsDefault, CreatedAt: u.CreatedAt.UTC(),
	}
}

func (a *API) detailsOf(ctx context.Context, u auth.User) (api.UserDetails, error) {
	uses, err := a.o.Users.QuotaUse(ctx, u)
	if err != nil {
		return api.UserDetails{}, err
	}
	return userDetailsOf(u, uses), nil
}

func userDetailsOf(u auth.User, uses []auth.QuotaUse) api.UserDetails {
	quotas := make(map[string]api.Quota, len(uses))
	for _, use := range uses {
		quotas[string(use.Quota)] = api.Quota{Limit: use.Limit, Own: use.Own, Used: use.Used, PerWallet: use.PerWallet}
	}
	return api.UserDetails{User: userOf(u), Quotas: quotas}
}

// ListUsers serves GET /api/v1/users.
func (a *API) ListUsers(ctx context.Context, p page) (api.List[api.User], error) {
	limit, err := p.limit()
	if err != nil {
		return api.List[api.User]{}, err
	}
	after, err := p.place()
	if err != nil {
		return api.List[api.User]{}, err
	}
	users, err := a.o.Users.List(ctx, after, limit+1)
	if err != nil {
		return api.List[api.User]{}, err
	}
	return newList(users, limit, userOf, func(u auth.User) string { return u.Name }), nil
}

// CreateUser serves POST /api/v1/users.
func (a *API) CreateUser(ctx context.Context, in api.CreateUserRequest) (api.User, error) {
	u, err := a.o.Users.Create(ctx, caller(ctx), in.Name, in.Password, in.Admin)
	return userOf(u), err
}

type userRequest struct {
	Name string `path:"name" json:"-" example:"alice" description:"The user's name, without regard to case."`
}

// GetUser serves GET /api/v1/users/{name}.
func (a *API) GetUser(ctx context.Context, in userRequest) (api.UserDetails, error) {
	u, err := a.o.Users.Get(ctx, in.Name)
	if err != nil {
		return api.UserDetails{}, err
	}
	return a.detailsOf(ctx, u)
}

type changeUserRequest struct {
	Name string `path:"name" json:"-" example:"alice" description:"The user's name, without regard to case."`
	api.ChangeUserRequest
}

// ChangeUser serves PATCH /api/v1/users/{name}.
func (a *API) ChangeUser(ctx context.Context, in changeUserRequest) (api.UserDetails, error) {
	change := auth.UserChange{Password: in.Password, Admin: in.Admin, Disabled: in.Disabled, Quotas: map[auth.Quota]*int64{}}
	for name, limit := range in.Quotas {
		change.Quotas[auth.Quota(name)] = limit
	}
	if change.IsEmpty() {
		return api.UserDetails{}, fault.New(fault.Invalid, "no_changes", "no changes; at least one of password, admin, disabled and quotas is required")
	}
	u, err := a.o.Users.Change(ctx, caller(ctx), in.Name, change)
	if err != nil {
		return api.UserDetails{}, err
	}
	return a.detailsOf(ctx, u)
}

type deleteUserRequest struct {
	Name    string `path:"name" json:"-" example:"alice" description:"The user's name, without regard to case."`
	Wallets string `query:"wallets" json:"-" enum:"delete" description:"delete: wallets that have no other owner are deleted, for all their members. Without it, the response is 409 if there are such wallets. Requires your own password, not a token."`
}

// DeleteUser serves DELETE /api/v1/users/{name}.
func (a *API) DeleteUser(ctx context.Context, in deleteUserRequest) error {
	if in.Wallets != "" && in.Wallets != "delete" {
		return fault.InvalidField("wallets", "must be delete or omitted")
	}
	return a.o.Users.Delete(ctx, caller(ctx), in.Name, in.Wallets == "delete")
}

// GetSelf serves GET /api/v1/users/me.
func (a *API) GetSelf(ctx context.Context, _ struct{}) (api.UserDetails, error) {
	return a.GetUser(ctx, userRequest{Name: caller(ctx).UserName})
}

// ChangeSelf serves PATCH /api/v1/users/me.
func (a *API) ChangeSelf(ctx context.Context, in api.ChangeSelfRequest) (api.User, error) {
	u, err := a.o.Users.ChangeOwnPassword(ctx, caller(ctx), in.Password, in.RevokeTokens)
	return userOf(u), err
}
