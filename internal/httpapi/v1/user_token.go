package v1

import (
	"context"
	"errors"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
)

func (a *API) userTokenOf(t auth.Token) api.UserToken {
	out := api.UserToken{TokenDetails: a.tokenDetailsOf(t)}
	if t.Wallets != nil {
		out.WalletCount = new(len(t.Wallets))
	}
	return out
}

type userTokensRequest struct {
	userRequest
	page
}

// ListUserTokens serves GET /api/v1/users/{name}/tokens.
func (a *API) ListUserTokens(ctx context.Context, in userTokensRequest) (api.List[api.UserToken], error) {
	limit, err := in.limit()
	if err != nil {
		return api.List[api.UserToken]{}, err
	}
	after, err := tokenCursor(in.page)
	if err != nil {
		return api.List[api.UserToken]{}, err
	}
	u, err := a.o.Users.Get(ctx, in.Name)
	if err != nil {
		return api.List[api.UserToken]{}, err
	}
	tokens, err := a.o.Tokens.ListOf(ctx, u.ID, after, limit+1)
	if err != nil {
		return api.List[api.UserToken]{}, err
	}
	return newList(tokens, limit, a.userTokenOf, cursorOfToken), nil
}

// DeleteUserTokens serves DELETE /api/v1/users/{name}/tokens.
func (a *API) DeleteUserTokens(ctx context.Context, in userRequest) error {
	return a.o.Users.RevokeTokens(ctx, caller(ctx), in.Name)
}

type userTokenRequest struct {
	userRequest
	ID string `path:"id" json:"-" description:"The token's id. Tokens that were created with it are deleted as well. If it no longer exists because it was rotated with a token, its successors are deleted."`
}

// DeleteUserToken serves DELETE /api/v1/users/{name}/tokens/{id}.
func (a *API) DeleteUserToken(ctx context.Context, in userTokenRequest) (api.TokensDeleted, error) {
	u, err := a.o.Users.Get(ctx, in.Name)
	if err != nil {
		return api.TokensDeleted{}, err
	}
	deleted, err := a.o.Tokens.DeleteOf(ctx, caller(ctx), u.ID, in.ID)
	if errors.Is(err, auth.ErrTokenNotFound) {
		err = auth.ErrTokenNotFound.WithMessage("this user has no token with this id; it may have been deleted")
	}
	return tokensDeletedOf(deleted), err
}
