package v1

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// tokenDetails is a token as its user and admins see it.
type tokenDetails struct {
	ID          string    `json:"id" required:"true" format:"uuid"`
	Description string    `json:"description" required:"true"`
	Scopes      []string  `json:"scopes" required:"true" nullable:"false"`
	ParentID    *string   `json:"parent_id" required:"true" description:"Id of the token that created it; null if it was created with a password."`
	RotatedFrom *string   `json:"rotated_from" required:"true" description:"Id of the token that it replaced; null if it did not replace one."`
	CreatedAt   time.Time `json:"created_at" required:"true"`
	ExpiresAt   time.Time `json:"expires_at" required:"true"`
	Expired     bool      `json:"expired" required:"true"`
	Imported    bool      `json:"imported" required:"true" description:"Whether the token was imported from Specter Desktop."`
	Policy      *document `json:"policy" required:"true" description:"Spending policy of the token, with the ids of wallets; null for none. It never changes, and successors keep it."`
	LastUsed    *lastUse  `json:"last_used" required:"true" description:"Last use, accurate to a minute; null before the first use."`
}

type token struct {
	tokenDetails
	Wallets *[]string `json:"wallets" required:"true" description:"Aliases of the wallets that the token is limited to; null without a limit."`
}

type lastUse struct {
	At      time.Time `json:"at" required:"true"`
	Address string    `json:"address" required:"true"`
	Agent   string    `json:"agent" required:"true" description:"Value of the header User-Agent."`
}

type tokenWithSecret struct {
	token
	Secret string `json:"token" required:"true" description:"The token itself. It is not stored and never shown again."`
}

func (a *API) tokenOf(t auth.Token) token {
	out := token{tokenDetails: a.tokenDetailsOf(t)}
	if t.Wallets != nil {
		out.Wallets = &t.Aliases
	}
	return out
}

func (a *API) tokenDetailsOf(t auth.Token) tokenDetails {
	out := tokenDetails{
		ID: t.ID, Description: t.Description, Scopes: t.Scopes.Names(),
		ParentID: optionalText(t.ParentID), RotatedFrom: optionalText(t.RotatedFrom),
		CreatedAt: t.CreatedAt.UTC(), ExpiresAt: t.ExpiresAt.UTC(), Expired: a.o.Tokens.RemainingLife(&t) == 0, Imported: t.Imported,
	}
	if t.Policy != "" {
		text := document(t.Policy)
		out.Policy = &text
	}
	if at := optionalTime(t.LastUse.At); at != nil {
		out.LastUsed = &lastUse{At: *at, Address: t.LastUse.Address, Agent: t.LastUse.Agent}
	}
	return out
}

// ListTokens serves GET /api/v1/tokens.
func (a *API) ListTokens(ctx context.Context, p page) (list[token], error) {
	limit, err := p.limit()
	if err != nil {
		return list[token]{}, err
	}
	after, err := tokenCursor(p)
	if err != nil {
		return list[token]{}, err
	}
	tokens, err := a.o.Tokens.List(ctx, caller(ctx), after, limit+1)
	if err != nil {
		return list[token]{}, err
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

type createTokenRequest struct {
	Description string     `json:"description" required:"true" minLength:"1" maxLength:"128" example:"backup script" description:"What the token is for; unique among your tokens."`
	Lifetime    *string    `json:"lifetime" example:"30 days" description:"Lifetime, such as \"30 days\", \"6 months\" or \"1h30m\"; at most 1 year, unless the server is configured otherwise. Specify either lifetime or expires_at."`
	ExpiresAt   *time.Time `json:"expires_at" description:"Time of expiry. Specify either expires_at or lifetime."`
	Scopes      []string   `json:"scopes" example:"[\"node:read\"]" description:"Scopes of the token. Default: node:read, wallets:*, addresses:write and proposals:*, as far as you have them."`
	Policy      document   `json:"policy" description:"Spending policy of the token, which never changes. A token can only give another one a policy that permits no more than its own."`
	Wallets     []string   `json:"wallets" description:"Aliases of the wallets that the token is limited to. Default: all of your wallets; an empty list: no wallets."`
}

// CreateToken serves POST /api/v1/tokens.
func (a *API) CreateToken(ctx context.Context, in createTokenRequest) (tokenWithSecret, error) {
	lifetime, err := a.lifetime(in)
	if err != nil {
		return tokenWithSecret{}, err
	}
	params := auth.CreateTokenParams{Description: in.Description, Lifetime: lifetime, Wallets: in.Wallets}
	if in.Scopes != nil {
		if params.Scopes, err = auth.ParseScopes("scopes", in.Scopes); err != nil {
			return tokenWithSecret{}, err
		}
	}
	if in.Policy != nil {
		if params.Policy, err = a.o.Spending.TokenPolicy(ctx, caller(ctx), in.Policy); err != nil {
			return tokenWithSecret{}, err
		}
	}
	t, secret, err := a.o.Tokens.Create(ctx, caller(ctx), params)
	if f, ok := errors.AsType[*fault.Error](err); ok && in.ExpiresAt != nil && len(f.Fields) == 1 && f.Fields[0].Name == "lifetime" {
		err = f.ForField("expires_at")
	}
	return tokenWithSecret{a.tokenOf(t), secret}, err
}

// lifetime returns the lifetime of a new token. The request must have exactly one of the
// fields lifetime and expires_at.
func (a *API) lifetime(in createTokenRequest) (time.Duration, error) {
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
func (a *API) GetOwnToken(ctx context.Context, _ struct{}) (token, error) {
	t, err := a.o.Tokens.Own(ctx, caller(ctx))
	return a.tokenOf(t), err
}

// DeleteOwnToken serves DELETE /api/v1/tokens/self.
func (a *API) DeleteOwnToken(ctx context.Context, in deletion) (tokensDeleted, error) {
	return a.DeleteToken(ctx, deleteTokenRequest{caller(ctx).TokenID, in})
}

type tokenRequest struct {
	ID string `path:"id" json:"-" description:"The token's id."`
}

// GetToken serves GET /api/v1/tokens/{id}.
func (a *API) GetToken(ctx context.Context, in tokenRequest) (token, error) {
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

type tokensDeleted struct {
	Deleted []tokenName `json:"deleted" required:"true" nullable:"false" description:"Revoked tokens: the token, tokens created with it, and its successors."`
	Kept    []tokenName `json:"kept" required:"true" nullable:"false" description:"Successors that are still accepted."`
}

type tokenName struct {
	ID          string `json:"id" required:"true" format:"uuid"`
	Description string `json:"description" required:"true"`
}

func tokensDeletedOf(d auth.Deleted) tokensDeleted {
	return tokensDeleted{tokenNamesOf(d.Ended), tokenNamesOf(d.Kept)}
}

func tokenNamesOf(tokens []auth.TokenName) []tokenName {
	names := make([]tokenName, len(tokens))
	for i, t := range tokens {
		names[i] = tokenName(t)
	}
	return names
}

// DeleteToken serves DELETE /api/v1/tokens/{id}.
func (a *API) DeleteToken(ctx context.Context, in deleteTokenRequest) (tokensDeleted, error) {
	keep, err := in.keep()
	if err != nil {
		return tokensDeleted{}, err
	}
	deleted, err := a.o.Tokens.Delete(ctx, caller(ctx), in.ID, keep)
	return tokensDeletedOf(deleted), err
}

type rotateTokenRequest struct {
	ID          string  `path:"id" json:"-" description:"The id of the token to replace. Tokens that were created with it are not replaced: they are revoked when it ends, at the end of the grace period."`
	GracePeriod *string `json:"grace_period" example:"1h" description:"How long the old token stays valid, such as \"1h\"; \"0s\" revokes it immediately. Without it: 1 hour. Tokens that were created with the old token are revoked together with it."`
}

// defaultGracePeriod applies if the request has no grace period. It leaves time to replace
// the old token wherever it is used.
const defaultGracePeriod = time.Hour

// RotateToken serves POST /api/v1/tokens/{id}/rotate.
func (a *API) RotateToken(ctx context.Context, in rotateTokenRequest) (tokenWithSecret, error) {
	gracePeriod, err := gracePeriodOf(in.GracePeriod)
	if err != nil {
		return tokenWithSecret{}, err
	}
	t, secret, err := a.o.Tokens.Rotate(ctx, caller(ctx), in.ID, gracePeriod)
	return tokenWithSecret{a.tokenOf(t), secret}, err
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
