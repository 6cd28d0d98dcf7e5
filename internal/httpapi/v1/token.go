package v1

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

func (a *API) tokenOf(t auth.Token) api.Token {
	out := api.Token{TokenDetails: a.tokenDetailsOf(t)}
	if t.Wallets != nil {
		aliases := t.Aliases
		out.Wallets = &aliases
	}
	return out
}

func (a *API) tokenDetailsOf(t auth.Token) api.TokenDetails {
	out := api.TokenDetails{
		ID: t.ID, Description: t.Description, Scopes: t.Scopes.Names(),
		ParentID: text.Optional(t.ParentID), RotatedFrom: text.Optional(t.RotatedFrom),
		CreatedAt: t.CreatedAt.UTC(), ExpiresAt: t.ExpiresAt.UTC(), Expired: a.o.Tokens.RemainingLife(&t) == 0, Imported: t.Imported,
	}
	if t.Policy != "" {
		text := api.Document(t.Policy)
		out.Policy = &text
	}
	if at := optionalTime(t.LastUse.At); at != nil {
		out.LastUsed = &api.LastUse{At: *at, Address: t.LastUse.Address, Agent: t.LastUse.Agent}
	}
	return out
}

// ListTokens serves GET /api/v1/tokens.
func (a *API) ListTokens(ctx context.Context, p page) (api.List[api.Token], error) {
	limit, err := p.limit()
	if err != nil {
		return api.List[api.Token]{}, err
	}
	after, err := tokenCursor(p)
	if err != nil {
		return api.List[api.Token]{}, err
	}
	tokens, err := a.o.Tokens.List(ctx, caller(ctx), after, limit+1)
	if err != nil {
		return api.List[api.Token]{}, err
	}
	return newList(tokens, limit, a.tokenOf, cursorOfToken), nil
}

func cursorOfToken(t auth.Token) string {
	return strconv.FormatInt(t.CreatedAt.UnixMicro(), 10) + " " + t.ID
}

// tokenCursor parses a cursor into the creation time and the id of a token. It returns the
// zero value for the beginning of the list.
func tokenCursor(p page) (auth.TokenCursor, error) {
	text, err := p.place()
	if err != nil || text == "" {
		return auth.TokenCursor{}, err
	}
	at, id, _ := strings.Cut(text, " ")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return auth.TokenCursor{}, errCursor
	}
	return auth.TokenCursor{CreatedAt: time.UnixMicro(micros), ID: id}, nil
}

// CreateToken serves POST /api/v1/tokens.
func (a *API) CreateToken(ctx context.Context, in api.CreateTokenRequest) (api.TokenWithSecret, error) {
	lifetime, err := a.lifetime(in)
	if err != nil {
		return api.TokenWithSecret{}, err
	}
	params := auth.CreateTokenParams{Description: in.Description, Lifetime: lifetime, Wallets: in.Wallets}
	if in.Scopes != nil {
		if params.Scopes, err = auth.ParseScopes("scopes", in.Scopes); err != nil {
			return api.TokenWithSecret{}, err
		}
	}
	if in.Policy != nil {
		if params.Policy, err = a.o.Spending.TokenPolicy(ctx, caller(ctx), in.Policy); err != nil {
			return api.TokenWithSecret{}, err
		}
	}
	t, secret, err := a.o.Tokens.Create(ctx, caller(ctx), params)
	if f, ok := errors.AsType[*fault.Error](err); ok && in.ExpiresAt != nil && len(f.Fields) == 1 && f.Fields[0].Name == "lifetime" {
		err = f.ForField("expires_at")
	}
	return api.TokenWithSecret{Token: a.tokenOf(t), Secret: secret}, err
}

// lifetime returns the lifetime of a new token. The request must have exactly one of the
// fields lifetime and expires_at.
func (a *API) lifetime(in api.CreateTokenRequest) (time.Duration, error) {
	switch {
	case (in.Lifetime == nil) == (in.ExpiresAt == nil):
		return 0, fault.InvalidField("lifetime", "exactly one of lifetime and expires_at is required")
	case in.Lifetime != nil:
		return auth.ParseLifetime(*in.Lifetime)
	}
	d := in.ExpiresAt.Sub(a.o.Now())
	if d <= 0 || d > auth.MaxLifetime {
		return 0, fault.InvalidField("expires_at", "must be in the future and within 100 years")
	}
	return d, nil
}

// GetOwnToken serves GET /api/v1/tokens/self.
func (a *API) GetOwnToken(ctx context.Context, _ struct{}) (api.Token, error) {
	t, err := a.o.Tokens.Own(ctx, caller(ctx))
	return a.tokenOf(t), err
}

// DeleteOwnToken serves DELETE /api/v1/tokens/self.
func (a *API) DeleteOwnToken(ctx context.Context, in deletion) (api.TokensDeleted, error) {
	return a.DeleteToken(ctx, deleteTokenRequest{caller(ctx).TokenID, in})
}

type tokenRequest struct {
	ID string `path:"id" json:"-" description:"The token's id."`
}

// GetToken serves GET /api/v1/tokens/{id}.
func (a *API) GetToken(ctx context.Context, in tokenRequest) (api.Token, error) {
	t, err := a.o.Tokens.Get(ctx, caller(ctx), in.ID)
	return a.tokenOf(t), err
}

// deletion contains the query parameter that specifies whether the deletion of a token also
// deletes its successors.
type deletion struct {
	Successors string `query:"successors" json:"-" enum:"keep" description:"keep: tokens that it was rotated to by itself or another token stay valid. Without it, they are deleted as well, unless the request is made with one of them."`
}

func (d deletion) keep() (bool, error) {
	if d.Successors != "" && d.Successors != "keep" {
		return false, fault.InvalidField("successors", "must be keep or omitted")
	}
	return d.Successors == "keep", nil
}

type deleteTokenRequest struct {
	ID string `path:"id" json:"-" description:"The token's id. Tokens that were created with it are deleted as well. If it no longer exists because it was rotated with a token, its successors are deleted."`
	deletion
}

func tokensDeletedOf(d auth.Deleted) api.TokensDeleted {
	return api.TokensDeleted{Deleted: tokenNamesOf(d.Ended), Kept: tokenNamesOf(d.Kept)}
}

func tokenNamesOf(tokens []auth.TokenName) []api.TokenName {
	names := make([]api.TokenName, len(tokens))
	for i, t := range tokens {
		names[i] = api.TokenName(t)
	}
	return names
}

// DeleteToken serves DELETE /api/v1/tokens/{id}.
func (a *API) DeleteToken(ctx context.Context, in deleteTokenRequest) (api.TokensDeleted, error) {
	keep, err := in.keep()
	if err != nil {
		return api.TokensDeleted{}, err
	}
	deleted, err := a.o.Tokens.Delete(ctx, caller(ctx), in.ID, keep)
	return tokensDeletedOf(deleted), err
}

type rotateTokenRequest struct {
	ID string `path:"id" json:"-" description:"The id of the token to replace. Tokens that were created with it are not replaced: they are revoked when it ends, at the end of the grace period."`
	api.RotateTokenRequest
}

// defaultGracePeriod applies if the request has no grace period. It leaves time to replace
// the old token wherever it is used.
const defaultGracePeriod = time.Hour

// RotateToken serves POST /api/v1/tokens/{id}/rotate.
func (a *API) RotateToken(ctx context.Context, in rotateTokenRequest) (api.TokenWithSecret, error) {
	gracePeriod, err := gracePeriodOf(in.GracePeriod)
	if err != nil {
		return api.TokenWithSecret{}, err
	}
	t, secret, err := a.o.Tokens.Rotate(ctx, caller(ctx), in.ID, gracePeriod)
	return api.TokenWithSecret{Token: a.tokenOf(t), Secret: secret}, err
}

func gracePeriodOf(text *string) (time.Duration, error) {
	if text == nil {
		return defaultGracePeriod, nil
	}
	gracePeriod, err := auth.ParseGracePeriod(*text)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return 0, f.ForField("grace_period")
	}
	return gracePeriod, err
}
