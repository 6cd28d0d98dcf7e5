package policy

import (
	"bytes"
	"cmp"
	"slices"
)

// String returns the group in the form of documents, such as role:signer.
func (g Group) String() string {
	if g.Role != "" {
		return "role:" + g.Role
	}
	return "user:" + g.User
}

// roles are the roles of members, each of which includes the ones before.
var roles = []string{"proposer", "signer", "owner"}

// includes reports whether every member of another group is a member of g.
func (g Group) includes(other Group) bool {
	if g == other {
		return true
	}
	least, role := slices.Index(roles, g.Role), slices.Index(roles, other.Role)
	return least >= 0 && role >= least
}

// include reports whether every member of the other groups is a member of one of the groups.
func include(groups, others []Group) bool {
	return !slices.ContainsFunc(others, func(other Group) bool {
		return !slices.ContainsFunc(groups, func(g Group) bool { return g.includes(other) })
	})
}

// Groups returns the groups whose members can approve payments.
func (a *Approvals) Groups() []Group {
	if a.Of == nil {
		return []Group{{Role: "signer"}}
	}
	return a.Of
}

// Groups returns the groups whose members can approve changes of a policy of a kind.
func (c *Change) Groups(kind Kind) []Group {
	switch {
	case c.Of != nil:
		return c.Of
	case kind == Server:
		return []Group{{Role: "admin"}}
	}
	return []Group{{Role: "owner"}}
}

// Equivalent reports whether two policies of a kind have the same meaning: one may name the default
// approvers or have an empty list of denied recipients, which the other leaves out, and the windows of
// a rule may be in another order.
func Equivalent(kind Kind, a, b Policy) bool {
	return bytes.Equal(a.normalized(kind).Canonical(), b.normalized(kind).Canonical())
}

// normalized returns a copy that names all approvers, with sorted windows and without an empty list of
// denied recipients.
func (p Policy) normalized(kind Kind) Policy {
	if len(p.Deny) == 0 {
		p.Deny = nil
	}
	p.Allow = slices.Clone(p.Allow)
	for i, r := range p.Allow {
		p.Allow[i].Windows = slices.Clone(r.Windows)
		slices.SortFunc(p.Allow[i].Windows, compareWindows)
		if r.Approvals != nil {
			named := *r.Approvals
			named.Of = named.Groups()
			p.Allow[i].Approvals = &named
		}
	}
	if p.Change != nil {
		named := *p.Change
		named.Of = named.Groups(kind)
		p.Change = &named
	}
	return p
}

// compareWindows orders windows by everything that they contain.
func compareWindows(a, b Window) int {
	return cmp.Or(cmp.Compare(a.Per, b.Per), compareOptional(a.MaxSat, b.MaxSat), compareOptional(a.MaxCount, b.MaxCount))
}

// compareOptional orders values, nil first.
func compareOptional[T cmp.Ordered](a, b *T) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(*a, *b)
}
