package auth

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// Scopes is a set of scopes. A route needs one; a token has some.
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
)

// scopeNames are the names of the scopes, in the order of their bits.
var scopeNames = [...]string{
	"tokens:read", "tokens:write", "users:read", "users:write", "audit:read", "node:read",
	"wallets:read", "wallets:write", "addresses:write",
	"proposals:read", "proposals:create", "proposals:sign", "proposals:broadcast",
	"members:write",
}

const (
	// AllScopes is what an admin has who proves it with a password.
	AllScopes Scopes = 1<<len(scopeNames) - 1
	// AdminScopes are those that only an admin can have.
	AdminScopes = UsersRead | UsersWrite | AuditRead
	// DefaultScopes is what a token gets whose maker names no scopes. None of them
	// gives rights to others.
	DefaultScopes = NodeRead | WalletsRead | WalletsWrite | AddressesWrite |
		ProposalsRead | ProposalsCreate | ProposalsSign | ProposalsBroadcast
	// SpecterScopes is what Specter Desktop's API could do: what a token gets that is
	// imported from there, or made over v1alpha.
	SpecterScopes = NodeRead | WalletsRead | ProposalsRead | ProposalsCreate
)

// ScopesOf returns what a user may do at most.
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
	for i, name := range scopeNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String returns the names separated by spaces, as the database keeps them.
func (s Scopes) String() string { return strings.Join(s.Names(), " ") }

// ScopesFromText reads what String wrote. Words that are no scope count for
// nothing, so that a row edited by hand can only lose rights by a slip.
func ScopesFromText(text string) Scopes {
	var s Scopes
	for word := range strings.FieldsSeq(text) {
		if i := slices.Index(scopeNames[:], word); i >= 0 {
			s |= 1 << i
		}
	}
	return s
}

// ParseScopes reads a list of scopes that somebody asks for. "wallets:*" stands
// for all scopes that begin with "wallets:". Field names the list in the fault
// for a name that is none.
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
			return 0, fault.InvalidField(field, "has an entry that is no scope; the scopes are %s", AllScopes)
		}
		s |= found
	}
	if s == 0 {
		return 0, fault.InvalidField(field, "is empty; leave it out for the default scopes, or name some of %s", AllScopes)
	}
	return s, nil
}
