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
	Scopes  Scopes
	// Wallets limits the caller to wallets with these ids, where not nil. An
	// empty list is a limit to none.
	Wallets []string
	// ExpiresAt is when the token ends; zero for a password.
	ExpiresAt time.Time
	// Address is where the request came from, for the audit record.
	Address string
}

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
