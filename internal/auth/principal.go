// Package auth owns who may do what: users and their passwords, tokens with
// their scopes, wallets and families, the caller of a request, and the record of
// what was done. It knows no HTTP and no SQL.
//
// The invariant: what a token may do is what its row says at the moment of the
// request, within what its user may do then; what the token itself claims counts
// for nothing but to find the row.
package auth

import (
	"context"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// Principal is an authenticated caller and what they may do: their role, within
// the scopes and wallets of the token they came with.
type Principal struct {
	UserID   string
	UserName string
	Admin    bool
	// TokenID is the token that was presented; empty for a password.
	TokenID string
	token   *Token // its row as it was found for this request
	// accessVersion is the user's when the password was compared; 0 for a token.
	accessVersion int64
	trusted       bool
	Scopes        Scopes
	// Wallets limits the caller to wallets with these ids, where not nil. An
	// empty list is a limit to none.
	Wallets []string
	// ExpiresAt is when the token ends; zero for a password.
	ExpiresAt time.Time
	// Address is where the request came from, for the audit record.
	Address string
}

// ErrPasswordRequired is returned for a token where only a password will do: what is
// done could give its holder more than the token has.
var ErrPasswordRequired = fault.New(fault.Forbidden, "password_required",
	"must be done with your user name and password (HTTP Basic), not with a token")

// ByPassword reports whether the caller proved who they are with a password, or acts
// at the command line.
func (p *Principal) ByPassword() bool { return p.TokenID == "" }

// NeedPassword returns ErrPasswordRequired for a caller who came with a token.
func (p *Principal) NeedPassword() error {
	if p.ByPassword() {
		return nil
	}
	return ErrPasswordRequired
}

// Operator is the principal of somebody at the command line: whoever may write
// to the database may do everything.
func Operator(osUser string) *Principal {
	return &Principal{UserName: osUser, Admin: true, Scopes: AllScopes, Address: "command line", trusted: true}
}

// Program is the principal of what specterd does on its own.
func Program(name string) *Principal { return &Principal{UserName: name, trusted: true} }

// IsTrusted reports whether p is an Operator or a Program, for whom no row of the
// database has to vouch.
func (p *Principal) IsTrusted() bool { return p.trusted }

// MaySeeWallet reports whether the token lets its holder at the wallet. Being a
// member of it is another matter.
func (p Principal) MaySeeWallet(walletID string) bool {
	return p.Wallets == nil || slices.Contains(p.Wallets, walletID)
}

type principalKey struct{}

// WithPrincipal returns a context that carries p.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns the caller whom the authentication middleware found. It
// is one without any right where there was none.
func PrincipalFrom(ctx context.Context) *Principal {
	if p, ok := ctx.Value(principalKey{}).(*Principal); ok {
		return p
	}
	return &Principal{Wallets: []string{}}
}
