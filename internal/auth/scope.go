package auth

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// Scopes is a set of scopes. Each route requires a scope, and each token has a set
// of them.
type Scopes uint32

// The scopes, one bit each.
const (
	TokensRead Scopes = 1 << iota
	TokensWrite
	UsersRead
	UsersWrite
	AuditRead
	NodeRead
	WalletsRead
	WalletsWrite
	AddressesWrite
	ProposalsRead
	ProposalsCreate
	ProposalsSign
	ProposalsBroadcast
	MembersWrite
	EventsRead
	WebhooksRead
	WebhooksWrite
	PoliciesRead
	PoliciesWrite
	ProposalsApprove
)

// scopeNames are the names of the scopes, in the order of their bits.
var scopeNames = [...]string{
	"tokens:read", "tokens:write", "users:read", "users:write", "audit:read", "node:read",
	"wallets:read", "wallets:write", "addresses:write",
	"proposals:read", "proposals:create", "proposals:sign", "proposals:broadcast",
	"members:write", "events:read", "webhooks:read", "webhooks:write",
	"policies:read", "policies:write", "proposals:approve",
}

const (
	// AllScopes are the scopes of an admin who is authenticated with a password.
	AllScopes Scopes = 1<<len(scopeNames) - 1
	// AdminScopes are the scopes that only admins can have.
	AdminScopes = UsersRead | UsersWrite | AuditRead
	// DefaultScopes are the scopes of a token that is created without a list of
	// scopes. None of them permits granting access to others.
	DefaultScopes = NodeRead | WalletsRead | WalletsWrite | AddressesWrite |
		ProposalsRead | ProposalsCreate | ProposalsSign | ProposalsBroadcast
	// SpecterScopes are the scopes with the permissions of Specter Desktop's API.
	// Tokens that are imported or created through v1alpha have them.
	SpecterScopes = NodeRead | WalletsRead | ProposalsRead | ProposalsCreate
)

// ScopesOf returns the maximum scopes of a user.
func ScopesOf(admin bool) Scopes {
	if admin {
		return AllScopes
	}
	return AllScopes &^ AdminScopes
}

// Has reports whether every scope of other is in s.
func (s Scopes) Has(other Scopes) bool { return s&other == other }

// Names returns the names of the scopes in s, never nil.
func (s Scopes) Names() []string {
	names := make([]string, 0, bits.OnesCount32(uint32(s)))
	for rest := s & AllScopes; rest != 0; rest &= rest - 1 {
		names = append(names, scopeNames[bits.TrailingZeros32(uint32(rest))])
	}
	return names
}

// String returns the names separated by spaces, the format of the database.
func (s Scopes) String() string { return strings.Join(s.Names(), " ") }

// ScopesFromText parses the format of String. It ignores unknown words, so that a
// mistake in a row that was edited manually can only remove permissions.
func ScopesFromText(text string) Scopes {
	var s Scopes
	for word := range strings.FieldsSeq(text) {
		if i := slices.Index(scopeNames[:], word); i >= 0 {
			s |= 1 << i
		}
	}
	return s
}

// ParseScopes parses a list of scope names. "wallets:*" means all scopes that begin
// with "wallets:". It returns an Invalid fault about the given field of the request
// if a scope is unknown or the list is empty.
func ParseScopes(field string, names []string) (Scopes, error) {
	var s Scopes
	for _, name := range names {
		found := Scopes(0)
		for i, known := range scopeNames {
			group, all := strings.CutSuffix(name, "*")
			if known == name || (all && strings.HasSuffix(group, ":") && strings.HasPrefix(known, group)) {
				found |= 1 << i
			}
		}
		if found == 0 {
			return 0, fault.InvalidField(field, "contains an unknown scope; the scopes are %s", AllScopes)
		}
		s |= found
	}
	if s == 0 {
		return 0, fault.InvalidField(field, "is empty; omit it for the default scopes, or name some of %s", AllScopes)
	}
	return s, nil
}
