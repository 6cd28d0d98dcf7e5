package proposal

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

const policiesChanged = "the spending policies have changed since the proposal was approved"

// Errors of policies.
var (
	// ErrPolicyRefused is returned with the limits that a payment exceeds.
	ErrPolicyRefused = fault.New(fault.Forbidden, "policy_refused", "the payment is not permitted by a spending policy")
	// ErrPolicyChanged is returned if a proposal does not meet the policies that apply now.
	ErrPolicyChanged = fault.New(fault.Conflict, "policy_changed", policiesChanged)
	// ErrAwaiting is returned if an operation must wait until a proposal is released.
	ErrAwaiting = fault.New(fault.Conflict, "awaiting_approval", "the proposal awaits approval")
	// ErrNotApprover is returned if no requirement counts the caller's approval.
	ErrNotApprover = fault.New(fault.Forbidden, "not_an_approver", "your approval does not count for this proposal")
)

// refusedBy returns ErrPolicyRefused with the limits.
func refusedBy(d policy.Decision) *fault.Error { return withLimits(ErrPolicyRefused, d) }

// withLimits returns a fault with the limits that a payment exceeds.
func withLimits(f *fault.Error, d policy.Decision) *fault.Error {
	refusals := d.Refusals
	limits := make([]fault.Limit, len(refusals))
	for i, r := range refusals {
		limits[i] = fault.Limit{Layer: string(r.Kind), Rule: r.Rule, Field: r.Field, Limit: r.Limit, Used: r.Used, FreesAt: r.FreesAt, Message: r.Message}
	}
	f = f.WithLimits(limits, d.PermittedAt)
	if len(refusals) > 0 {
		f = f.WithMessage("%s (%s)", f.Message, textOf(refusals))
	}
	return f
}

// maxRefusals is the maximum number of refusals in a message.
const maxRefusals = 4

// textOf returns refusals as text. If there are more than maxRefusals, it begins with refusals that
// waiting does not help against, and says how many it omits.
func textOf(refusals []policy.Refusal) string {
	omitted := len(refusals) - maxRefusals
	waiting := func(r policy.Refusal) int {
		if r.FreesAt.IsZero() {
			return 0
		}
		return 1
	}
	if omitted > 0 {
		refusals = slices.SortedStableFunc(slices.Values(refusals), func(a, b policy.Refusal) int {
			return cmp.Compare(waiting(a), waiting(b))
		})[:maxRefusals]
	}
	var b strings.Builder
	last := ""
	for i, r := range refusals {
		where := layerText(r.Kind)
		if r.Rule != "" {
			where += fmt.Sprintf(", rule %q", r.Rule)
		}
		switch {
		case i == 0:
			b.WriteString(where + ": ")
		case where == last:
			b.WriteString(". ")
		default:
			b.WriteString("; " + where + ": ")
		}
		last = where
		b.WriteString(strings.TrimSuffix(r.Message.String(), "."))
	}
	if omitted > 0 {
		b.WriteString("; and " + text.Count(omitted, "more limit"))
	}
	return b.String()
}

// layerText returns a name of the policy of a layer.
func layerText(kind policy.Kind) string {
	switch kind {
	case policy.Server:
		return "the policy of the server"
	case policy.Wallet:
		return "the policy of the wallet"
	case policy.Member:
		return "the policy of the member"
	}
	return "the policy of the token"
}

// fits reports whether an approval by an actor counts for a requirement. Approvers are the
// members of the wallet.
func (p *Proposal) fits(r policy.Requirement, by Actor, approvers []Approver) bool {
	i := slices.IndexFunc(approvers, func(a Approver) bool { return a.UserID == by.UserID })
	if i < 0 || !approvers[i].IsOneOf(r.Groups()) {
		return false
	}
	// A token of the proposer may be the one that proposed, or a relative of it.
	return by.UserID != p.Creator.UserID || !r.NotProposer && by.TokenID == ""
}

// MayApprove reports whether an approval by a member without a token counts for a requirement of
// the proposal.
func (p *Proposal) MayApprove(a Approver) bool {
	return p.Review != nil && slices.ContainsFunc(p.Review.Required, func(r policy.Requirement) bool {
		return p.fits(r, Actor{UserID: a.UserID}, []Approver{a})
	})
}

// IsOneOf reports whether the user belongs to one of the groups.
func (a Approver) IsOneOf(groups []policy.Group) bool {
	return slices.ContainsFunc(groups, func(g policy.Group) bool {
		switch {
		case g.User != "":
			return auth.FoldName(g.User) == auth.FoldName(a.UserName)
		case g.Role == "admin":
			return a.Admin
		}
		return a.Role.Covers(auth.WalletRole(g.Role))
	})
}

// missing returns how many more approvals each requirement of the proposal needs.
func (p *Proposal) missing(approvers []Approver) []int {
	missing := make([]int, len(p.Review.Required))
	for i, r := range p.Review.Required {
		users := map[string]bool{}
		for _, a := range p.Approvals {
			if a.Hash == p.Review.Hash && !a.Rejects && p.fits(r, a.By, approvers) {
				users[a.By.UserID] = true
			}
		}
		missing[i] = max(0, r.Count-len(users))
	}
	return missing
}

// awaiting returns ErrAwaiting with the missing approvals.
func (p *Proposal) awaiting() *fault.Error {
	var parts []string
	for i, n := range p.Review.Missing {
		if r := p.Review.Required[i]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s of %s (rule %q in %s)", text.Count(n, "approval"), GroupsText(r.Groups()), r.Rule, layerText(r.Kind)))
		}
	}
	f, missing := ErrAwaiting, strings.Join(parts, " and ")
	if p.Review.ReleaseAt.IsZero() {
		if missing == "" {
			return f
		}
		return f.WithMessage("the proposal awaits approval, which lacks %s", missing)
	}
	at := p.Review.ReleaseAt.UTC().Format(time.RFC3339)
	f = f.WithDetail("release_at", at)
	if missing == "" {
		return f.WithMessage("the proposal awaits approval, until %s at least", at)
	}
	return f.WithMessage("the proposal awaits approval, which lacks %s, until %s at least", missing, at)
}

// GroupsText returns groups in words, such as "signers or bob".
func GroupsText(of []policy.Group) string {
	names := make([]string, len(of))
	for i, g := range of {
		if names[i] = g.User; g.Role != "" {
			names[i] = g.Role + "s"
		}
	}
	return strings.Join(names, " or ")
}

// releaseRetry is the delay before the next attempt to release a proposal that the policies
// refuse at the moment, unless they say when they will not.
const releaseRetry = 10 * time.Minute

// release releases a proposal if its requirements are met and the policies of the moment
// permit it. If the policies have changed, they determine the requirements again.
func (u *Update) release(m Moment) error {
	layers, err := u.Rules.Layers(&u.Proposal)
	if err != nil {
		return err
	}
	u.TryAt, u.Changed = time.Time{}, true
	if reviewHash(&u.Proposal, layers) != u.Review.Hash {
		d, err := u.Rules.Evaluate(&u.Proposal, layers, m)
		if err != nil {
			return err
		}
		if len(d.Refusals) > 0 { // the change may be undone
			u.TryAt = m.Now.Add(releaseRetry)
			return nil
		}
		u.assess(layers, d, m)
	}
	approvers, err := u.Rules.Approvers(&u.Proposal)
	if err != nil {
		return err
	}
	u.Review.Missing = u.missing(approvers)
	if at := u.Review.ReleaseAt; !m.reached(at) {
		u.TryAt = at
		return nil
	}
	if slices.ContainsFunc(u.Review.Missing, func(n int) bool { return n > 0 }) {
		return nil
	}
	d, err := u.Rules.Recheck(&u.Proposal, layers, m)
	if err != nil {
		return err
	}
	if len(d.Refusals) > 0 {
		u.TryAt = retryAt(d.Refusals, m.Now)
		return nil
	}
	u.Review.Released = true
	u.moveTo(u.openStatus(), Actor{}, "released", m.Now)
	return nil
}

// retryAt returns when a proposal that is refused at the moment may be released.
func retryAt(refusals []policy.Refusal, now time.Time) time.Time {
	at := now.Add(releaseRetry)
	for _, r := range refusals {
		if r.FreesAt.After(at) {
			at = r.FreesAt
		}
	}
	return at
}

// recheck evaluates the policies before the transaction of a complete proposal is sent. It
// returns the reason why it must not be sent, which does not undo the update, or an error.
func (u *Update) recheck(m Moment) (refusal *fault.Error, err error) {
	layers, err := u.Rules.Layers(&u.Proposal)
	if err != nil || len(layers) == 0 && u.Review == nil {
		return nil, err
	}
	if u.Review != nil && u.Review.Hash == reviewHash(&u.Proposal, layers) {
		d, err := u.Rules.Recheck(&u.Proposal, layers, m)
		if err != nil || len(d.Refusals) == 0 {
			return nil, err
		}
		return refusedBy(d), nil
	}
	d, err := u.Rules.Evaluate(&u.Proposal, layers, m)
	if err != nil {
		return nil, err
	}
	if len(d.Refusals) > 0 {
		return withLimits(ErrPolicyChanged, d), nil
	}
	u.assess(layers, d, m)
	u.Changed = true
	if u.Review.Released {
		return nil, nil
	}
	u.TryAt = u.Review.ReleaseAt
	u.moveTo(AwaitingApproval, Actor{}, "the spending policies have changed", m.Now)
	return ErrPolicyChanged.WithMessage(policiesChanged+"; %s", u.awaiting().Message), nil
}

// Approve records the caller's approval of a proposal that awaits it, and releases the
// proposal if nothing else is missing. The caller must be one of those whose approval a
// policy requires. If the policies have changed, it returns ErrPolicyChanged, and the
// proposal shows the new requirements. It returns ErrNotFound, ErrWrongState if the
// proposal does not await approval, ErrChanged, and ErrNotApprover.
func (s *Service) Approve(ctx context.Context, access wallet.Access, id string, expected Versions) (Proposal, error) {
	return s.decide(ctx, access, id, expected, func(u *Update, m Moment) (*fault.Error, error) {
		layers, err := u.Rules.Layers(&u.Proposal)
		if err != nil {
			return nil, err
		}
		if reviewHash(&u.Proposal, layers) != u.Review.Hash {
			return ErrPolicyChanged.WithMessage("the spending policies have changed; read the proposal again"), u.release(m)
		}
		by := actorOf(access.Caller())
		if err := u.addApproval(Approval{At: m.Now, By: by, Hash: u.Review.Hash}); err != nil {
			return nil, err
		}
		u.Event = access.Caller().Event(m.Now, "proposal.approve", u.ID, "wallet "+u.WalletID)
		return nil, u.release(m)
	})
}

// addApproval adds an approval unless the user has given one before.
func (u *Update) addApproval(a Approval) error {
	approvers, err := u.Rules.Approvers(&u.Proposal)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(u.Review.Required, func(r policy.Requirement) bool { return u.fits(r, a.By, approvers) }) {
		return ErrNotApprover
	}
	same := func(b Approval) bool { return b.Hash == a.Hash && b.By == a.By && !b.Rejects }
	if slices.ContainsFunc(u.Approvals, same) {
		return nil
	}
	u.Approvals = append(u.Approvals, a)
	u.Steps = append(u.Steps, Step{At: a.At, Action: "approved", By: a.By})
	return nil
}

// maxReason is the maximum length of the reason of a rejection, in characters.
const maxReason = 500

// Reject ends a proposal that awaits approval. The caller must be one of those whose approval
// counts, or a signer. It returns the errors of Approve.
func (s *Service) Reject(ctx context.Context, access wallet.Access, id, reason string, expected Versions) (Proposal, error) {
	if err := access.Need(auth.RoleViewer); err != nil {
		return Proposal{}, err
	}
	reason = strings.TrimSpace(reason)
	switch problem := text.Problem(reason); {
	case reason == "":
		return Proposal{}, fault.InvalidField("reason", "is required")
	case utf8.RuneCountInString(reason) > maxReason:
		return Proposal{}, fault.InvalidField("reason", "must be at most %d characters long", maxReason)
	case problem != "":
		return Proposal{}, fault.InvalidField("reason", "%s", problem)
	}
	return s.decide(ctx, access, id, expected, func(u *Update, m Moment) (*fault.Error, error) {
		by := actorOf(access.Caller())
		u.Approvals = append(u.Approvals, Approval{At: m.Now, By: by, Rejects: true, Reason: reason, Hash: u.Review.Hash})
		u.Reason = "rejected by " + by.UserName + ": " + reason
		u.moveTo(Rejected, by, reason, m.Now)
		u.Changed, u.Event = true, access.Caller().Event(m.Now, "proposal.reject", u.ID, "wallet "+u.WalletID)
		return nil, nil
	})
}

// decide updates a proposal that awaits approval. Change returns a fault if the caller must
// be told something else than the proposal although the update is saved.
func (s *Service) decide(ctx context.Context, access wallet.Access, id string, expected Versions, change func(*Update, Moment) (*fault.Error, error)) (Proposal, error) {
	v, done, err := s.viewLocked(ctx, access, auth.RoleViewer)
	if err != nil {
		return Proposal{}, err
	}
	defer done()
	m := s.moment()
	var refusal *fault.Error
	p, err := s.store.UpdateProposal(ctx, v.ID, id, func(u *Update) (err error) {
		if err := u.mayDecide(actorOf(access.Caller())); err != nil {
			return err
		}
		if err := u.expect(expected, AwaitingApproval); err != nil {
			return err
		}
		if err := u.expectTime(m.Now); err != nil {
			return err
		}
		refusal, err = change(u, m)
		return err
	})
	switch {
	case err != nil:
		return Proposal{}, err
	case refusal != nil:
		return Proposal{}, refusal
	case p.Status == Rejected:
		s.release(context.WithoutCancel(ctx), v.Wallet)
	}
	return p.shownTo(access.Caller(), v.Role)
}

// mayDecide returns ErrNotApprover unless an approval by an actor counts for a requirement of the
// proposal, or the actor is a signer.
func (u *Update) mayDecide(by Actor) error {
	approvers, err := u.Rules.Approvers(&u.Proposal)
	if err != nil {
		return err
	}
	isSigner := func(a Approver) bool { return a.UserID == by.UserID && a.Role.Covers(auth.RoleSigner) }
	counts := func(r policy.Requirement) bool { return u.fits(r, by, approvers) }
	if slices.ContainsFunc(approvers, isSigner) || u.Review != nil && slices.ContainsFunc(u.Review.Required, counts) {
		return nil
	}
	return ErrNotApprover
}

// moment returns the current moment.
func (s *Service) moment() Moment {
	now := s.now()
	return Moment{Network: s.node.Network(), Now: now, Trusted: s.o.Watch.Trusted(now)}
}

// NextRelease returns when the release of a proposal must be tried, or the zero time if that
// is not due or the clock cannot be trusted.
func (s *Service) NextRelease(ctx context.Context, last time.Time) (time.Time, error) {
	if !s.o.Watch.Settled() {
		return time.Time{}, nil
	}
	next, err := s.store.NextRelease(ctx)
	return notBefore(next, last), err
}

// ReleaseDue releases the proposals whose delay has ended and that are approved.
func (s *Service) ReleaseDue(ctx context.Context) error {
	if !s.o.Watch.Settled() {
		return nil
	}
	m := s.moment()
	due, err := s.store.DueReleases(ctx, m.Now)
	for _, p := range due {
		_, err := s.store.UpdateProposal(ctx, p.WalletID, p.ID, func(u *Update) error {
			if u.Status != AwaitingApproval {
				return nil
			}
			return u.release(m)
		})
		if err != nil {
			return fmt.Errorf("release a proposal: %w", err)
		}
	}
	return err
}
