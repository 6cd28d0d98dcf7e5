package v1

import (
	"context"
	"errors"

	"github.com/specterd/specterd/internal/auth"
)

// userToken is a user's token as admins see it, without the user's wallet aliases.
type userToken struct {
	tokenDetails
	WalletCount *int `json:"wallet_count" required:"true" description:"Number of wallets that the token is limited to; null without a limit."`
}

func (a *API) userTokenOf(t auth.Token) userToken {
	out := userToken{tokenDetails: a.tokenDetailsOf(t)}
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
func (a *API) ListUserTokens(ctx context.Context, in userTokensRequest) (list[userToken], error) {
	limit, err := in.limit()
	if err != nil {
		return list[userToken]{}, err
	}
	after, err := tokenCursor(in.page)
	if err != nil {
		return list[userToken]{}, err
	}
	u, err := a.o.Users.Get(ctx, in.Name)
	if err != nil {
		return list[userToken]{}, err
	}
	tokens, err := a.o.Tokens.ListOf(ctx, u.ID, after, limit+1)
	if err != nil {
		return list[userToken]{}, err
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
func (a *API) DeleteUserToken(ctx context.Context, in userTokenRequest) (tokensDeleted, error) {
	u, err := a.o.Users.Get(ctx, in.Name)
	if err != nil {
		return tokensDeleted{}, err
	}
	deleted, err := a.o.Tokens.DeleteOf(ctx, caller(ctx), u.ID, in.ID)
	if errors.Is(err, auth.ErrTokenNotFound) {
		err = auth.ErrTokenNotFound.WithMessage("this user has no token with this id; it may have been deleted")
	}
	return tokensDeletedOf(deleted), err
}
