package spending

import (
	"maps"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// Edit is a policy or list that is being changed, with the state on which the change depends.
type Edit struct {
	Stored

	Pending *Change
	// Governing is the policy whose conditions apply to changes: of the wallet, or of the
	// server. It is nil for a missing one.
	Governing *policy.Policy
	Lists     policy.Lists // of the wallet
	// Naming are the policies of the wallet and its members, also pending ones, that name the list.
	Naming    []policy.Policy
	Approvers []proposal.Approver // members of the wallet, or admins

	// Changed is set if Document must be saved, and PendingChanged if Pending must be.
	Changed, PendingChanged bool
	Events                  []Announcement
	Event                   auth.Event
}

// Announcement is an event about a change of the target.
type Announcement struct {
	Kind    string // changed, change_requested, change_approved or change_cancelled
	By      auth.Event
	Change  *Change
	Loosens bool
}

// mayChange returns an error unless the caller may change the policy now.
func (e *Edit) mayChange(who *auth.Principal) error {
	if who.IsTrusted() && who.UserID == "" {
		return nil
	}
	i := slices.IndexFunc(e.Approvers, func(a proposal.Approver) bool { return a.UserID == who.UserID })
	switch {
	case e.Kind == policy.Server && (i >= 0 || who.IsTrusted()):
		return nil
	case e.Kind == policy.Server:
		return requireAdmin(&auth.Principal{})
	case i < 0:
		return wallet.ErrNotFound
	}
	return e.Approvers[i].Role.Check(auth.RoleOwner)
}

// version returns the version of the policy or the list; empty if it does not exist.
func (e *Edit) version() (string, error) {
	switch entries, exists := e.Lists[e.List]; {
	case e.List != "" && exists:
		return policy.ListVersion(entries), nil
	case e.Document == "":
		return "", nil
	}
	p, err := policy.ParseStored(e.Kind, []byte(e.Document))
	if err != nil {
		return "", notCallers(err)
	}
	return policy.Version(p, e.Lists), nil
}

// expect returns ErrModified or ErrListModified if the version is not one of expected, and an error if there is
// nothing to delete.
func (e *Edit) expect(expected Versions, document string) error {
	if expected != nil {
		version, err := e.version()
		switch {
		case err != nil:
			return err
		case slices.Contains(expected, version):
		case e.List != "":
			return ErrListModified
		default:
			return ErrModified
		}
	}
	_, exists := e.Lists[e.List]
	switch {
	case e.List != "" && document == "" && !exists:
		return ErrListNotFound
	case e.List == "" && document == "" && e.Document == "":
		return ErrPolicyNotFound
	}
	return nil
}

// unchanged reports whether a document means the same as the current policy, or has the same entries
// and labels as the list.
func (e *Edit) unchanged(document string) (bool, error) {
	if entries, exists := e.Lists[e.List]; e.List != "" {
		return exists && document == string(policy.CanonicalList(entries)), nil
	}
	if document == "" || e.Document == "" {
		return document == e.Document, nil
	}
	before, err := parseOrAll(e.Kind, e.Document)
	if err != nil {
		return false, err
	}
	after, err := parseOrAll(e.Kind, document)
	return err == nil && policy.Equivalent(e.Kind, before, after), err
}

// warnings returns the warnings about a document, also that the members of the wallet cannot give
// the approvals that it requires.
func (e *Edit) warnings(document string) ([]policy.Warning, error) {
	if e.List != "" {
		return nil, nil
	}
	p, err := parseOrAll(e.Kind, document)
	all := p.Warnings()
	if err != nil || e.Kind == policy.Server {
		return all, err
	}
	for i := range p.Allow {
		r := &p.Allow[i]
		if r.Approvals == nil {
			continue
		}
		available := 0
		for _, a := range e.Approvers {
			if a.IsOneOf(r.Approvals.Groups()) {
				available++
			}
		}
		if r.Approvals.NotProposer && available > 0 { // it may be an approver who proposes
			available--
		}
		if available < r.Approvals.Count {
			all = append(all, r.ApproverWarning(available))
		}
	}
	return all, nil
}

// loosens returns the fields in which the policies permit more if the target gets a document.
func (e *Edit) loosens(document string) ([]policy.Wider, error) {
	if e.List == "" {
		before, err := parseOrAll(e.Kind, e.Document)
		if err != nil {
			return nil, err
		}
		after, err := parseOrAll(e.Kind, document)
		if err != nil {
			return nil, err
		}
		return policy.Loosens(e.Kind, before, after, e.Lists, e.Lists), nil
	}
	after, err := e.listsAfter(document)
	if err != nil {
		return nil, err
	}
	var wider []policy.Wider
	for _, p := range e.Naming {
		wider = append(wider, policy.Loosens(policy.Wallet, p, p, e.Lists, after)...)
	}
	return wider, nil
}

// listsAfter returns the lists of the wallet if the target, which is a list, gets a document.
func (e *Edit) listsAfter(document string) (policy.Lists, error) {
	after := maps.Clone(e.Lists)
	if document == "" {
		delete(after, e.List)
		return after, nil
	}
	entries, err := policy.ParseStoredList([]byte(document))
	if err != nil {
		return nil, notCallers(err)
	}
	if after == nil {
		after = policy.Lists{}
	}
	after[e.List] = entries
	return after, nil
}

// fits returns a fault if a document would exceed the limits of the lists of the wallet.
func (e *Edit) fits(document string) error {
	if e.List == "" || document == "" {
		return nil
	}
	after, err := e.listsAfter(document)
	switch {
	case err != nil:
		return err
	case len(after) > max(maxLists, len(e.Lists)):
		return ErrTooManyLists
	}
	return policy.CheckLists(after)
}

// parseOrAll parses a stored policy; an empty document permits everything.
func parseOrAll(kind policy.Kind, document string) (policy.Policy, error) {
	if document == "" {
		return policy.Policy{}, nil
	}
	p, err := policy.ParseStored(kind, []byte(document))
	if err != nil {
		return p, notCallers(err)
	}
	return p, nil
}

// approve adds the approval of a user to a change, if the user has not given it.
func (e *Edit) approve(c *Change, who *auth.Principal, now time.Time) {
	if who.UserID != "" && !c.approvedBy(who) {
		c.Approvals = append(c.Approvals, ChangeApproval{UserID: who.UserID, UserName: who.UserName, At: now})
	}
}

// approvedBy reports whether the user has approved the change.
func (c *Change) approvedBy(who *auth.Principal) bool {
	return slices.ContainsFunc(c.Approvals, func(a ChangeApproval) bool { return a.UserID == who.UserID })
}

// Settle fills in EffectiveAt and Missing by the current conditions, and reports whether they
// are met at a time.
func (e *Edit) Settle(c *Change, now time.Time) bool {
	c.EffectiveAt, c.Missing = c.RequestedAt, 0
	conditions := e.conditions()
	if conditions == nil {
		return true
	}
	c.EffectiveAt = c.RequestedAt.Add(conditions.Delay)
	c.Missing = max(0, conditions.Approvals-e.counted(c))
	return c.Missing == 0 && !c.EffectiveAt.After(now)
}

func (e *Edit) conditions() *policy.Change {
	if e.Governing == nil {
		return nil
	}
	return e.Governing.Change
}

// counted returns the number of approvals by current members of the groups whose approval
// counts.
func (e *Edit) counted(c *Change) int {
	n := 0
	for _, a := range c.Approvals {
		if e.approves(a.UserID) {
			n++
		}
	}
	return n
}

// approves reports whether the approval of a user counts.
func (e *Edit) approves(userID string) bool {
	i := slices.IndexFunc(e.Approvers, func(a proposal.Approver) bool { return a.UserID == userID })
	conditions := e.conditions()
	return i >= 0 && conditions != nil && e.Approvers[i].IsOneOf(conditions.Groups(e.governingKind()))
}

func (e *Edit) governingKind() policy.Kind {
	if e.Kind == policy.Server {
		return policy.Server
	}
	return policy.Wallet
}

// apply makes a change take effect.
func (e *Edit) apply(c *Change, by auth.Event, loosens bool) {
	e.Document, e.SetBy, e.SetAt, e.Changed = c.Document, c.Maker.UserName, by.At, true
	e.announce("changed", by, c, loosens)
}

func (e *Edit) announce(kind string, by auth.Event, c *Change, loosens bool) {
	e.Events = append(e.Events, Announcement{Kind: kind, By: by, Change: c, Loosens: loosens})
}
