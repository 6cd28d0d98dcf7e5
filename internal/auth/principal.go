// Package auth implements users and their passwords, tokens with their scopes,
// wallet limits and families, the caller of a request, and the audit log. It does
// not depend on HTTP or SQL.
//
// Invariant: the permissions of a token are determined by its database row at the
// time of the request, within the permissions that its user has at that time; the
// claims in the token serve only to find the row.
package auth

import (
	"context"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// Principal is an authenticated caller and the caller's permissions: the
// permissions of the user's role, limited to the scopes and wallets of the token if
// there is one.
type Principal struct {
	UserID   string
	UserName string
	Admin    bool
	// TokenID is the id of the caller's token; empty for a password.
	TokenID string
	// SessionID is the id of the caller's session in the web console; empty for other
	// callers. Its permissions are those of the password with which it began.
	SessionID string
	token     *Token // row of the caller's token, as read for this request
	// accessVersion is the AccessVersion of the user when the password was
	// compared; 0 for a token.
	accessVersion int64
	// unproved is set if the caller uses a session and has not entered the password within
	// ProofLifetime.
	unproved bool
	trusted  bool
	// operator is the name of the operator who acts on behalf of the user; empty for other
	// callers.
	operator string
	Scopes   Scopes
	// Wallets contains the ids of the wallets that the caller is limited to. Nil
	// means no limit; an empty list allows no wallet.
	Wallets []string
	// ExpiresAt is the token's expiry; zero for a password.
	ExpiresAt time.Time
	// Address is the client's address, for the audit log.
	Address string
}

// ErrPasswordRequired is returned if an operation requires a password and the
// caller used a token. Such operations could give the token's holder more
// permissions than the token has.
var ErrPasswordRequired = fault.New(fault.Forbidden, "password_required",
	"your user name and password (HTTP Basic) are required; a token is not accepted")

// ByPassword reports whether the caller was authenticated with a password, also at the
// beginning of a session, or uses the command line.
func (p *Principal) ByPassword() bool { return p.TokenID == "" }

// RequirePassword returns ErrPasswordRequired if the caller used a token, and
// ErrProofRequired if the caller uses a session and must enter the password again.
func (p *Principal) RequirePassword() error {
	if !p.ByPassword() {
		return ErrPasswordRequired
	}
	return p.RequireProof()
}

// RequireProof returns ErrProofRequired if the caller uses a session and must enter the
// password again. Unlike RequirePassword, it accepts tokens.
func (p *Principal) RequireProof() error {
	if p.unproved {
		return ErrProofRequired
	}
	return nil
}

// CommandLine is the Address of an Operator.
const CommandLine = "command line"

// Operator returns the principal of a user of the command line. It has all permissions,
// because such a user can write to the database directly.
func Operator(osUser string) *Principal {
	return &Principal{UserName: osUser, Admin: true, Scopes: AllScopes, Address: CommandLine, trusted: true}
}

// For returns an operator who acts on behalf of a user: new objects show the user as their
// creator, and audit events name the operator.
func (p Principal) For(u User) *Principal {
	p.operator, p.UserID, p.UserName = p.UserName, u.ID, u.Name
	return &p
}

// Program returns the principal for actions that specterd takes without a request.
func Program(name string) *Principal { return &Principal{UserName: name, trusted: true} }

// IsTrusted reports whether p is an Operator or a Program, for which there is no
// credential in the database.
func (p *Principal) IsTrusted() bool { return p.trusted }

// MaySeeWallet reports whether the caller's token includes the wallet. It does not
// check whether the user is a member.
func (p Principal) MaySeeWallet(walletID string) bool {
	return p.Wallets == nil || slices.Contains(p.Wallets, walletID)
}

type principalKey struct{}

// WithPrincipal returns a context that carries p.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns the caller that the authentication middleware stored in
// ctx. If there is none, it returns a principal without permissions.
func PrincipalFrom(ctx context.Context) *Principal {
	if p, ok := ctx.Value(principalKey{}).(*Principal); ok {
		return p
	}
	return &Principal{Wallets: []string{}}
}
