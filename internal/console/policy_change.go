package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/wallet"
)

// pendingChange is a change that permits more, and has not taken effect.
type pendingChange struct {
	spending.Change

	Path      string // of the page, to which approvals and cancellations are sent
	Diff      []diffRow
	MayCancel bool
	MayDecide bool // whether the user's approval counts, and is not given yet
	Delayed   bool // whether EffectiveAt is in the future
}

// Deletes reports whether the change deletes the policy or the list.
func (p pendingChange) Deletes() bool { return p.Document == "" }

// pendingChanges returns the changes that the page of a policy shows, of which current is the
// policy, or nil.
func (c *call) pendingChanges(at policyAt, current *spending.Policy) ([]pendingChange, error) {
	var changes []spending.Change
	var err error
	if at.Kind == policy.Server {
		changes, err = c.Spending.ServerChanges(c.r.Context(), c.who)
	} else {
		changes, err = c.Spending.Changes(c.r.Context(), c.access)
	}
	if err != nil {
		return nil, err
	}
	conditions, err := c.conditionsOf(at, current)
	if err != nil {
		return nil, err
	}
	var out []pendingChange
	for _, made := range changes {
		if made.Kind != at.Kind || at.Kind == policy.Member && auth.FoldName(made.User) != auth.FoldName(at.User) {
			continue
		}
		p := pendingChange{Change: made, Path: at.Base, Delayed: made.EffectiveAt.After(c.Now())}
		p.MayCancel = at.Kind == policy.Server || c.view.Role.Covers(auth.RoleOwner)
		given := slices.ContainsFunc(made.Approvals, func(a spending.ChangeApproval) bool { return a.UserID == c.who.UserID })
		p.MayDecide = made.Missing > 0 && !given && conditions != nil && c.approverIn(c.view).IsOneOf(conditions.Groups(at.Kind))
		if p.Diff, err = c.changeDiff(at, made, current); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// conditionsOf returns the conditions of changes of a policy; nil for none.
func (c *call) conditionsOf(at policyAt, current *spending.Policy) (*policy.Change, error) {
	if at.Kind == policy.Member {
		var err error
		if current, err = c.readPolicy(policyAt{Kind: policy.Wallet}); err != nil {
			return nil, err
		}
	}
	if current == nil {
		return nil, nil
	}
	return current.Change, nil
}

// changeDiff returns the difference between a policy or a list and its pending change.
func (c *call) changeDiff(at policyAt, made spending.Change, current *spending.Policy) ([]diffRow, error) {
	if made.List != "" {
		list, err := c.Spending.GetList(c.r.Context(), c.access, made.List)
		if err != nil && !errors.Is(err, spending.ErrListNotFound) {
			return nil, err
		}
		return c.listDiff(list.Entries, made.Document)
	}
	return c.policyDiff(at.Kind, current, made.Document)
}

// diffRow is a sentence of a policy, or an entry of a list, that a change adds, removes or keeps.
type diffRow struct {
	Rule string // shown before the first sentence of a rule
	Text string
	Sign string // +, - or empty
}

// policyDiff returns the difference between a policy and a stored document.
func (c *call) policyDiff(kind policy.Kind, current *spending.Policy, document string) ([]diffRow, error) {
	var before, after []ruleText
	if current != nil {
		before = c.look.paragraphs(current.Describe(kind, c.policyNames()))
	}
	if document != "" {
		p, err := policy.ParseStored(kind, []byte(document))
		if err != nil {
			return nil, err
		}
		after = c.look.paragraphs(p.Describe(kind, c.policyNames()))
	}
	return diffOf(before, after), nil
}

// diffOf compares the sentences of two policies, rule by rule.
func diffOf(before, after []ruleText) (rows []diffRow) {
	add := func(name string, old, now []string) {
		first := name
		for _, s := range old {
			if !slices.Contains(now, s) {
				rows, first = append(rows, diffRow{first, s, "-"}), ""
			}
		}
		for _, s := range now {
			sign := "+"
			if slices.Contains(old, s) {
				sign = ""
			}
			rows, first = append(rows, diffRow{first, s, sign}), ""
		}
	}
	sentences := func(all []ruleText, name string) (out []string) {
		for _, r := range all {
			if r.Name == name {
				out = append(out, r.Sentences...)
			}
		}
		return out
	}
	var seen []string
	for _, r := range slices.Concat(after, before) {
		if !slices.Contains(seen, r.Name) {
			seen = append(seen, r.Name)
			add(r.Name, sentences(before, r.Name), sentences(after, r.Name))
		}
	}
	return rows
}

func (c *call) approveChange() error {
	at := c.policyAt()
	var result spending.Result
	var err error
	if at.Kind == policy.Server {
		result, err = c.Spending.ApproveServerChange(c.r.Context(), c.who, c.param("id"))
	} else {
		result, err = c.Spending.ApproveChange(c.r.Context(), c.access, c.param("id"))
	}
	switch {
	case err != nil:
		return c.refuseChange(err)
	case result.Pending == nil:
		return c.redirect(at.Base, "policy-saved")
	}
	return c.redirect(at.Base, "change-approved")
}

func (c *call) cancelChange() error {
	at := c.policyAt()
	var err error
	if at.Kind == policy.Server {
		err = c.Spending.CancelServerChange(c.r.Context(), c.who, c.param("id"))
	} else {
		err = c.Spending.CancelChange(c.r.Context(), c.access, c.param("id"))
	}
	if err != nil {
		return c.refuseChange(err)
	}
	return c.redirect(at.Base, "change-cancelled")
}

// refuseChange shows the policy with the problem of a decision about a change.
func (c *call) refuseChange(err error) error {
	f, err := again(missing(err, spending.ErrChangeNotFound))
	if err != nil {
		return err
	}
	return c.renderPolicy(c.newForm(f))
}

// loosenedRow is a field in which a change permits more.
type loosenedRow struct{ Rule, Field, Old, New string }

// policyReview is the page that shows a change before it is made.
type policyReview struct {
	policyAt

	Form       form
	Diff       []diffRow
	Loosens    []loosenedRow
	Conditions []string // sentences about what the change needs; empty if it takes effect at once
	Warnings   []string // about the new policy
	Deletes    bool
	Document   string
	Version    string
	Open       []payment     // proposals that the change affects
	OpenMore   bool          // whether there are more
	Hidden     []hiddenField // of the form, to change it again
	List       string
	Entries    string // of the form of a list, which is shown again if the change is refused
	Now        time.Time
}

// maxAffected is the maximum number of proposals that the review of a change lists.
const maxAffected = 10

// addOpen adds the open proposals that a change affects. The wallets of the server's policy are not
// the admin's.
func (c *call) addOpen(r *policyReview) error {
	if r.Kind == policy.Server {
		return nil
	}
	filter := proposal.Filter{Statuses: openStatuses}
	if r.Kind == policy.Member {
		members, err := c.Wallets.Members(c.r.Context(), c.access)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(members, func(m wallet.Member) bool { return auth.FoldName(m.UserName) == auth.FoldName(r.User) })
		if i < 0 {
			return nil
		}
		filter.Creator = members[i].UserID
	}
	found, err := c.Proposals.List(c.r.Context(), c.access, filter, proposal.Cursor{}, maxAffected+1)
	if err != nil {
		return err
	}
	r.OpenMore = len(found) > maxAffected
	r.Open, err = c.payments(found[:min(len(found), maxAffected)])
	return err
}

// reviewOf returns the review of a change of the policy current, or nil, to a document.
func (c *call) reviewOf(at policyAt, current *spending.Policy, p spending.Preview) (policyReview, error) {
	r := policyReview{policyAt: at, Deletes: p.Document == "", Form: c.newForm(nil)}
	var err error
	if r.Diff, err = c.policyDiff(at.Kind, current, p.Document); err != nil {
		return r, err
	}
	c.addLoosens(&r, p)
	if err := c.addOpen(&r); err != nil {
		return r, err
	}
	r.Warnings = c.policyWarnings(p.Warnings)
	return r, nil
}

// policyWarnings returns warnings in words.
func (c *call) policyWarnings(all []policy.Warning) (texts []string) {
	for _, w := range all {
		texts = append(texts, c.look.sentence(w.Message))
	}
	return texts
}

// addLoosens adds what a change loosens, and what that requires.
func (c *call) addLoosens(r *policyReview, p spending.Preview) {
	for _, w := range p.Loosens {
		r.Loosens = append(r.Loosens, loosenedRow{w.Rule, c.look.policyField(w.Field), c.inWords(r.Kind, w, w.Old), c.inWords(r.Kind, w, w.New)})
	}
	if len(p.Loosens) == 0 || p.Conditions == nil {
		return
	}
	kind := r.Kind
	if kind == policy.Member {
		kind = policy.Wallet
	}
	described := policy.Policy{Change: p.Conditions}.Describe(kind, policy.Names{})
	for _, s := range described[len(described)-1].Sentences {
		r.Conditions = append(r.Conditions, c.look.sentence(s))
	}
}

// inWords returns a value of a field of a rule as sentences, if they can express the field alone.
func (c *call) inWords(kind policy.Kind, w policy.Wider, value string) string {
	if value == "" {
		return ""
	}
	part := map[string]any{w.Field: json.RawMessage(value)} // deny, or all rules
	switch {
	case w.Field == "allow" && value[0] == '{':
		part = map[string]any{"allow": []any{json.RawMessage(value)}}
	case w.Rule != "":
		part = map[string]any{"allow": []any{map[string]any{"name": w.Rule, w.Field: json.RawMessage(value)}}}
	}
	part["version"] = 1
	document, err := json.Marshal(part)
	if err != nil {
		return value
	}
	p, err := policy.ParseStored(kind, document)
	if err != nil {
		return value
	}
	var texts []string
	for _, part := range c.look.paragraphs(p.Describe(kind, c.policyNames())) {
		texts = append(texts, part.Sentences...)
	}
	if w.Field != "allow" && w.Field != "to" && len(texts) > 0 {
		texts = texts[1:] // is about the missing fields: any recipient, or all payments
	}
	return cmp.Or(strings.Join(texts, " "), value)
}

// conflictOf returns the fault with which a form is shown again, also if what it names is gone.
func conflictOf(err error) (*fault.Error, error) {
	f, ok := errors.AsType[*fault.Error](err)
	if ok && f.Kind == fault.NotFound && !errors.Is(f, wallet.ErrNotFound) && !errors.Is(f, wallet.ErrMemberMissing) {
		return f, nil
	}
	return again(missing(err, wallet.ErrMemberMissing))
}
