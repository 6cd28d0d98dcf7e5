package policy

import (
	"bytes"
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

// Equivalent reports whether two policies of a kind are the same except that one names the default
// approvers, which the other leaves out.
func Equivalent(kind Kind, a, b Policy) bool {
	return bytes.Equal(a.withGroups(kind).Canonical(), b.withGroups(kind).Canonical())
}

// withGroups returns a copy that names all approvers.
func (p Policy) withGroups(kind Kind) Policy {
	p.Allow = slices.Clone(p.Allow)
	for i, r := range p.Allow {
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
