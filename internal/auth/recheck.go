package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// errAccessChanged is returned for a principal that is still valid but lost
// permissions.
var errAccessChanged = fault.New(fault.Forbidden, "access_changed",
	"your role or the token's permissions changed while this request was processed; nothing was changed, try again")

// Credential returns the credential of a user who is authenticated with a password.
func (u *User) Credential() *Credential {
	return &Credential{
		Token: Token{UserID: u.ID}, UserName: u.Name, Admin: u.Admin, Active: u.Active(), AccessVersion: u.AccessVersion,
	}
}

// Principal returns the caller with this credential. Address is the client's
// address.
func (c *Credential) Principal(address string) *Principal {
	p := &Principal{UserID: c.UserID, UserName: c.UserName, Admin: c.Admin, Scopes: ScopesOf(c.Admin), Address: address}
	if c.ID == "" {
		p.accessVersion = c.AccessVersion
		if c.Session != nil {
			p.SessionID, p.unproved = c.Session.ID, true
		}
		return p
	}
	p.TokenID, p.token = c.ID, &c.Token
	p.Scopes &= c.Scopes
	p.Wallets, p.ExpiresAt = c.Wallets, c.ExpiresAt
	return p
}

// principalAt is Principal, and checks when the user of a session entered the password.
func (c *Credential) principalAt(address string, now time.Time) *Principal {
	p := c.Principal(address)
	p.unproved = c.Session != nil && !c.Session.ProvedWithin(now)
	return p
}

// accepts reports whether a token with this hash is valid at time now, according to
// the database rows in c.
func (c *Credential) accepts(hash [sha256.Size]byte, now time.Time) bool {
	return subtle.ConstantTimeCompare(c.Hash[:], hash[:]) == 1 && c.Active && now.Before(c.ExpiresAt)
}

// Recheck returns the principal according to the current database rows, or
// ErrUnauthenticated if their credential became invalid since the request was
// authorized. It costs one query and compares no password.
func (l *Login) Recheck(ctx context.Context, p *Principal) (*Principal, error) {
	c, err := l.credentialOf(ctx, p)
	if errors.Is(err, ErrTokenNotFound) || errors.Is(err, ErrUserNotFound) || errors.Is(err, ErrSessionNotFound) {
		return nil, ErrUnauthenticated
	}
	if err != nil {
		return nil, err
	}
	return p.renew(c, l.now())
}

// Standing returns the principal of a token of the user, or of the user if tokenID is empty,
// according to the current database rows. It is for work that continues after the request
// that began it, such as the deliveries of a webhook, and so does not depend on a session. It
// returns ErrUnauthenticated if the token has expired or was deleted, or if the user is not
// active.
func (l *Login) Standing(ctx context.Context, userID, tokenID string) (*Principal, error) {
	c, err := l.credentialOf(ctx, &Principal{UserID: userID, TokenID: tokenID})
	switch {
	case errors.Is(err, ErrTokenNotFound) || errors.Is(err, ErrUserNotFound):
		return nil, ErrUnauthenticated
	case err != nil:
		return nil, err
	case !c.Active || c.UserID != userID || tokenID != "" && !l.now().Before(c.ExpiresAt):
		return nil, ErrUnauthenticated
	}
	return c.Principal(""), nil
}

func (l *Login) credentialOf(ctx context.Context, p *Principal) (*Credential, error) {
	if p.TokenID != "" {
		return l.store.CredentialByID(ctx, p.TokenID)
	}
	if p.SessionID != "" {
		return l.store.SessionByID(ctx, p.SessionID)
	}
	u, err := l.store.UserByID(ctx, p.UserID)
	return u.Credential(), err
}

// renew returns p with the current permissions of its credential c, or
// ErrUnauthenticated if c has become invalid.
func (p *Principal) renew(c *Credential, now time.Time) (*Principal, error) {
	ok := c.Active && c.AccessVersion == p.accessVersion
	if p.TokenID != "" {
		ok = p.token != nil && c.accepts(p.token.Hash, now)
	}
	if p.SessionID != "" {
		ok = ok && c.UserID == p.UserID && c.sessionValid(now)
	}
	if !ok {
		return nil, ErrUnauthenticated
	}
	return c.principalAt(p.Address, now), nil
}

// Confirm checks the permissions of p again in a transaction that grants access,
// such as by creating a token, setting a password or adding a member. C is the
// credential of p as read in that transaction. Confirm returns the current
// principal, ErrUnauthenticated if the credential has become invalid, or a
// Forbidden fault if p has lost any permission since the request was authorized.
func (p *Principal) Confirm(c *Credential, now time.Time) (*Principal, error) {
	current, err := p.renew(c, now)
	if err != nil {
		return nil, err
	}
	lessAdmin := p.Admin && !current.Admin
	if lessAdmin || !current.Scopes.Has(p.Scopes) || !coversWallets(current.Wallets, p.Wallets) {
		return nil, errAccessChanged
	}
	return current, nil
}

// CheckGrant returns a Forbidden fault unless p may create the token t: a token
// must not have more scopes, more wallets or a later expiry than the token that
// creates it.
func (p *Principal) CheckGrant(t *Token) error {
	if _, err := grantedScopes(p, t.Scopes); err != nil {
		return err
	}
	if !coversWallets(p.Wallets, t.Wallets) {
		return fault.New(fault.Forbidden, "token_limited_to_wallets", "a token that is limited to some wallets cannot create a token for other wallets")
	}
	return checkExpiry(p, t.ExpiresAt)
}

// coversWallets reports whether the limit includes all wallets of other. Nil means
// all wallets.
func coversWallets(limit, other []string) bool {
	return limit == nil || other != nil && !slices.ContainsFunc(other, func(id string) bool { return !slices.Contains(limit, id) })
}
