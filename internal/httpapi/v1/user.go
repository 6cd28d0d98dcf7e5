package v1

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

type user struct {
	Name            string    `json:"name" required:"true"`
	Admin           bool      `json:"admin" required:"true"`
	Disabled        bool      `json:"disabled" required:"true"`
	DefaultPassword bool      `json:"default_password" required:"true" description:"Whether the user still has the initial password of specterd."`
	CreatedAt       time.Time `json:"created_at" required:"true"`
}

func userOf(u auth.User) user {
	return user{
		Name: u.Name, Admin: u.Admin, Disabled: !u.Active(),
		DefaultPassword: u.PasswordIsDefault, CreatedAt: u.CreatedAt.UTC(),
	}
}

type userDetails struct {
	user
	Quotas map[string]quota `json:"quotas" required:"true" description:"Limits of the user and their current use, by name."`
}

type quota struct {
	Limit     int64 `json:"limit" required:"true"`
	Own       bool  `json:"own" required:"true"`
	Used      int64 `json:"used" required:"true"`
	PerWallet bool  `json:"per_wallet" required:"true"`
}

func (a *API) detailsOf(ctx context.Context, u auth.User) (userDetails, error) {
	uses, err := a.o.Users.QuotaUse(ctx, u)
	if err != nil {
		return userDetails{}, err
	}
	return userDetailsOf(u, uses), nil
}

func userDetailsOf(u auth.User, uses []auth.QuotaUse) userDetails {
	quotas := make(map[string]quota, len(uses))
	for _, use := range uses {
		quotas[string(use.Quota)] = quota{Limit: use.Limit, Own: use.Own, Used: use.Used, PerWallet: use.PerWallet}
	}
	return userDetails{userOf(u), quotas}
}

// ListUsers serves GET /api/v1/users.
func (a *API) ListUsers(ctx context.Context, p page) (list[user], error) {
	limit, err := p.limit()
	if err != nil {
		return list[user]{}, err
	}
	after, err := p.place()
	if err != nil {
		return list[user]{}, err
	}
	users, err := a.o.Users.List(ctx, after, limit+1)
	if err != nil {
		return list[user]{}, err
	}
	return newList(users, limit, userOf, func(u auth.User) string { return u.Name }), nil
}

type createUserRequest struct {
	Name     string `json:"name" required:"true" minLength:"1" maxLength:"64" example:"alice" description:"Unique without regard to case; printable, without a colon and without spaces at the ends."`
	Password string `json:"password" required:"true" minLength:"8" maxLength:"72" format:"password" example:"a new pass phrase" description:"Initial password: at least 8 characters (15 or more recommended), at most 72 bytes, any characters; must not be easy to guess."`
	Admin    bool   `json:"admin" description:"Whether the user is an admin. Default: false."`
}

// CreateUser serves POST /api/v1/users.
func (a *API) CreateUser(ctx context.Context, in createUserRequest) (user, error) {
	u, err := a.o.Users.Create(ctx, caller(ctx), in.Name, in.Password, in.Admin)
	return userOf(u), err
}

type userRequest struct {
	Name string `path:"name" json:"-" example:"alice" description:"The user's name, without regard to case."`
}

// GetUser serves GET /api/v1/users/{name}.
func (a *API) GetUser(ctx context.Context, in userRequest) (userDetails, error) {
	u, err := a.o.Users.Get(ctx, in.Name)
	if err != nil {
		return userDetails{}, err
	}
	return a.detailsOf(ctx, u)
}

type changeUserRequest struct {
	Name     string            `path:"name" json:"-" example:"alice" description:"The user's name, without regard to case."`
	Password *string           `json:"password" minLength:"8" maxLength:"72" format:"password" description:"New password; setting it revokes all tokens of the user. Requires authentication with your password, not a token."`
	Admin    *bool             `json:"admin" description:"Whether the user is an admin. Granting the role requires authentication with your password, not a token."`
	Disabled *bool             `json:"disabled" example:"true" description:"A disabled user cannot log in and loses all tokens."`
	Quotas   map[string]*int64 `json:"quotas" description:"Limits for this user, by the name of the quota; null restores the limit of the server. Omitted quotas are unchanged."`
}

// ChangeUser serves PATCH /api/v1/users/{name}.
func (a *API) ChangeUser(ctx context.Context, in changeUserRequest) (userDetails, error) {
	change := auth.UserChange{Password: in.Password, Admin: in.Admin, Disabled: in.Disabled, Quotas: map[auth.Quota]*int64{}}
	for name, limit := range in.Quotas {
		change.Quotas[auth.Quota(name)] = limit
	}
	if change.IsEmpty() {
		return userDetails{}, fault.New(fault.Invalid, "no_changes", "no changes; at least one of password, admin, disabled and quotas is required")
	}
	u, err := a.o.Users.Change(ctx, caller(ctx), in.Name, change)
	if err != nil {
		return userDetails{}, err
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
func (a *API) GetSelf(ctx context.Context, _ struct{}) (userDetails, error) {
	return a.GetUser(ctx, userRequest{Name: caller(ctx).UserName})
}

type changeSelfRequest struct {
	Password     string `json:"password" required:"true" minLength:"8" maxLength:"72" format:"password" example:"a new pass phrase" description:"New password: at least 8 characters (15 or more recommended), at most 72 bytes, any characters; must not be easy to guess."`
	RevokeTokens bool   `json:"revoke_tokens" description:"Whether to also revoke all of your tokens."`
}

// ChangeSelf serves PATCH /api/v1/users/me.
func (a *API) ChangeSelf(ctx context.Context, in changeSelfRequest) (user, error) {
	u, err := a.o.Users.ChangeOwnPassword(ctx, caller(ctx), in.Password, in.RevokeTokens)
	return userOf(u), err
}
