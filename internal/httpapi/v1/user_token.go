package v1

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// userToken is a token as an admin sees it who is not its user: without the names that
// the user gave to wallets.
type userToken struct {
	ID          string    `json:"id" required:"true" format:"uuid"`
	Description string    `json:"description" required:"true"`
	Scopes      []string  `json:"scopes" required:"true" nullable:"false"`
	WalletCount *int      `json:"wallet_count" required:"true" description:"How many wallets it is limited to; null without a limit."`
	ParentID    *string   `json:"parent_id" required:"true" description:"The token that it was made with; null for one made with a password."`
	RotatedFrom *string   `json:"rotated_from" required:"true" description:"The token that it replaced."`
	CreatedAt   time.Time `json:"created_at" required:"true"`
	ExpiresAt   time.Time `json:"expires_at" required:"true"`
	Expired     bool      `json:"expired" required:"true"`
	Imported    bool      `json:"imported" required:"true" description:"Whether it was made by Specter Desktop and imported from there."`
	LastUsed    *lastUse  `json:"last_used" required:"true" description:"At most a minute behind; null before the first use."`
}

func (a *API) userTokenOf(t auth.Token) userToken {
	own := a.tokenOf(t)
	out := userToken{
		ID: own.ID, Description: own.Description, Scopes: own.Scopes, ParentID: own.ParentID, RotatedFrom: own.RotatedFrom,
		CreatedAt: own.CreatedAt, ExpiresAt: own.ExpiresAt, Expired: own.Expired, Imported: own.Imported, LastUsed: own.LastUsed,
	}
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
	ID string `path:"id" json:"-" description:"The token's id. It may be gone, if tokens rotated it: then its successors are deleted."`
}

// DeleteUserToken serves DELETE /api/v1/users/{name}/tokens/{id}.
func (a *API) DeleteUserToken(ctx context.Context, in userTokenRequest) (tokensDeleted, error) {
	u, err := a.o.Users.Get(ctx, in.Name)
	if err != nil {
		return tokensDeleted{}, err
	}
	deleted, err := a.o.Tokens.DeleteOf(ctx, caller(ctx), u.ID, in.ID)
	return tokensDeletedOf(deleted), err
}
