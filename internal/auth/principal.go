// Package auth implements users and their passwords, tokens with their scopes,
// wallet limits and families, the caller of a request, and the audit log. It does
// not depend on HTTP or SQL.
//
// Invariant: what a token may do is determined by its database row at the time of
// the request, within the permissions that its user has at that time; the claims in
// the token serve only to find the row.
package auth

import (
	"context"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// Principal is an authenticated caller and their permissions: their role, limited
// to the scopes and wallets of their token.
type Principal struct {
	UserID   string
	UserName string
	Admin    bool
	// TokenID is the id of the caller's token; empty for a password.
	TokenID string
	token   *Token // its row as read for this request
	// accessVersion is the user's AccessVersion when the password was compared; 0
	// for a token.
	accessVersion int64
	trusted       bool
	Scopes        Scopes
	// Wallets limits the caller to the wallets with these ids unless it is nil. An
	// empty list allows none.
	Wallets []string
	// ExpiresAt is the token's expiry; zero for a password.
	ExpiresAt time.Time
	// Address is the client's address, for the audit log.
	Address string
}

// ErrPasswordRequired is returned for a token if a password is required: the
// operation could give the holder more than the token permits.
var ErrPasswordRequired = fault.New(fault.Forbidden, "password_required",
	"your user name and password (HTTP Basic) are required; a token is not accepted")

// ByPassword reports whether the caller was authenticated with a password, or uses
// the command line.
func (p *Principal) ByPassword() bool { return p.TokenID == "" }

// NeedPassword returns ErrPasswordRequired for a caller who came with a token.
func (p *Principal) NeedPassword() error {
	if p.ByPassword() {
		return nil
	}
	return ErrPasswordRequired
}

// Operator is the principal of a user of the command line, who may do everything
// because they can write to the database.
func Operator(osUser string) *Principal {
	return &Principal{UserName: osUser, Admin: true, Scopes: AllScopes, Address: "command line", trusted: true}
}

// Program is the principal of actions that specterd takes on its own.
func Program(name string) *Principal { return &Principal{UserName: name, trusted: true} }

// IsTrusted reports whether p is an Operator or a Program, for which there is no
// credential in the database.
func (p *Principal) IsTrusted() bool { return p.trusted }

// MaySeeWallet reports whether the token includes the wallet. Membership is checked
// separately.
func (p Principal) MaySeeWallet(walletID string) bool {
	return p.Wallets == nil || slices.Contains(p.Wallets, walletID)
}

type principalKey struct{}

// WithPrincipal returns a context that carries p.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns the caller that the authentication middleware found, or one
// without any permission.
func PrincipalFrom(ctx context.Context) *Principal {
	if p, ok := ctx.Value(principalKey{}).(*Principal); ok {
		return p
	}
	return &Principal{Wallets: []string{}}
}
