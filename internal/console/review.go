package console

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// reviewRoutes are the decisions about proposals that await approval. A policy can name every
// member as an approver.
var reviewRoutes = []route{
	{method: post, path: "/wallets/{alias}/proposals/{id}/approve", audience: users, role: auth.RoleViewer, proof: true, purpose: "To approve a payment of %[1]s, enter your password again.", heavy: true, handle: (*call).approveProposal},
	{method: post, path: "/wallets/{alias}/proposals/{id}/reject", audience: users, role: auth.RoleViewer, proof: true, purpose: "To reject a payment of %[1]s, enter your password again.", heavy: true, handle: (*call).rejectProposal},
}

var reviewNotices = map[string]string{
	"proposal-approved": "Your approval is recorded.",
	"proposal-released": "Your approval is recorded, and the payment can be signed now.",
	"proposal-rejected": "The proposal is rejected, and its UTXOs are available again.",
}

// approvals shows what policies require of a proposal, and who has approved it.
type approvals struct {
	Needs     []need
	Decisions []decision
	ReleaseAt time.Time // zero without a delay
	Delayed   bool      // whether ReleaseAt is in the future
	MayDecide bool      // whether the approval of the user counts, and is not given yet
	MayReject bool
	Approved  bool // whether the user has approved it
	// ByProposer is set if the user may not decide only because of having proposed the payment.
	ByProposer bool
	// Others are members who may approve, if approvals are missing and the user may not.
	Others []string
}

// need is a number of approvals that a policy requires.
type need struct {
	Layer, Rule string
	Missing     int
	Text        string
}

// decision is an approval, or a rejection.
type decision struct {
	proposal.Approval

	Valid bool // whether it counts for the current policies
}

// Missing returns whether approvals are missing.
func (a approvals) Missing() bool {
	return slices.ContainsFunc(a.Needs, func(n need) bool { return n.Missing > 0 })
}

// approverIn returns the user as a possible approver in a wallet.
func (c *call) approverIn(v wallet.View) proposal.Approver {
	return proposal.Approver{UserID: c.who.UserID, UserName: c.who.UserName, Role: v.Role, Admin: c.who.Admin}
}

// hasApproved reports whether the user's approval counts for the current policies.
func (c *call) hasApproved(p proposal.Proposal) bool {
	return p.Review != nil && slices.ContainsFunc(p.Approvals, func(a proposal.Approval) bool {
		return a.By.UserID == c.who.UserID && a.By.TokenID == "" && !a.Rejects && a.Hash == p.Review.Hash
	})
}

// waitsFor reports whether a proposal waits for the user: for an approval, a signature or the
// broadcast.
func (c *call) waitsFor(v wallet.View, p proposal.Proposal) bool {
	if p.Status == proposal.AwaitingApproval {
		return p.MayApprove(c.approverIn(v)) && !c.hasApproved(p)
	}
	return v.Role.Covers(auth.RoleSigner)
}

// approvalsOf returns what policies require of a proposal, or nil.
func (c *call) approvalsOf(p proposal.Proposal, members []wallet.Member) *approvals {
	if p.Review == nil {
		return nil
	}
	me := c.approverIn(c.view)
	a := &approvals{
		ReleaseAt: p.Review.ReleaseAt, Delayed: p.Review.ReleaseAt.After(c.Now()), Approved: c.hasApproved(p),
		MayReject: me.Role.Covers(auth.RoleSigner) || p.MayApprove(me),
	}
	a.MayDecide = p.MayApprove(me) && !a.Approved
	a.Needs = c.needs(*p.Review)
	for _, made := range p.Approvals {
		a.Decisions = append(a.Decisions, decision{made, made.Hash == p.Review.Hash})
	}
	if p.Status != proposal.AwaitingApproval || !a.Missing() || a.MayDecide || a.Approved {
		return a
	}
	a.ByProposer = p.Creator.UserID == me.UserID && slices.ContainsFunc(p.Review.Required, func(r policy.Requirement) bool { return me.IsOneOf(r.Groups()) })
	for _, m := range members {
		if p.MayApprove(proposal.Approver{UserID: m.UserID, UserName: m.UserName, Role: m.Role}) {
			a.Others = append(a.Others, m.UserName)
		}
	}
	return a
}

// needs returns the approvals that policies require.
func (c *call) needs(r proposal.Review) (needs []need) {
	for i, required := range r.Required {
		n := need{Layer: c.look.layerName(string(required.Kind)), Rule: required.Rule, Text: c.look.sentence(required.Describe())}
		if i < len(r.Missing) {
			n.Missing = r.Missing[i]
		}
		needs = append(needs, n)
	}
	return needs
}

func (c *call) approveProposal() error {
	expected, err := c.expectedVersion()
	if err != nil {
		return err
	}
	p, err := c.Proposals.Approve(c.r.Context(), c.access, c.param("id"), expected)
	switch {
	case err != nil:
		return c.refused("approve", err)
	case p.Status == proposal.AwaitingApproval:
		return c.redirect(c.proposalPath(p.ID), "proposal-approved")
	}
	return c.redirect(c.proposalPath(p.ID), "proposal-released")
}

func (c *call) rejectProposal() error {
	expected, err := c.expectedVersion()
	if err != nil {
		return err
	}
	p, err := c.Proposals.Reject(c.r.Context(), c.access, c.param("id"), c.form.Get("reason"), expected)
	if err != nil {
		return c.refused("reject", err)
	}
	return c.redirect(c.proposalPath(p.ID), "proposal-rejected")
}

// limitRow is a limit of a policy that a payment exceeds.
type limitRow struct {
	Layer, Rule, Message string
	Path                 string // of the page of the policy; empty if the user has none
}

// Limits returns the limits of policies with which a form was refused.
func (f form) Limits() []limitRow {
	if f.fault == nil {
		return nil
	}
	return f.limits(f.fault.Limits)
}

// PermittedAt returns the minute from which the policies permit a payment; see wholeMinute.
func (f form) PermittedAt() time.Time { return wholeMinute(f.fault.PermittedAt) }

// wholeMinute rounds the time of a permission up, so that it is true as pages show it.
func wholeMinute(at time.Time) time.Time { return at.Add(time.Minute - 1).Truncate(time.Minute) }

// limits returns limits as pages show them.
func (c *call) limits(all []fault.Limit) []limitRow {
	rows := make([]limitRow, len(all))
	for i, limit := range all {
		rows[i] = limitRow{c.look.layerName(limit.Layer), limit.Rule, c.look.limitText(limit.Message), c.layerPath(policy.Kind(limit.Layer))}
	}
	return rows
}

// layerPath returns the path of the page of a policy. The page of a wallet lists the policies of
// its members; a token's policy is on the page of the token, which may belong to another user.
func (c *call) layerPath(kind policy.Kind) string {
	switch {
	case kind == policy.Server && c.who.Admin:
		return "/policy"
	case kind == policy.Wallet, kind == policy.Member:
		return c.walletPath("policy")
	}
	return ""
}

// limitText returns a sentence of a limit in the language and the unit of l.
func (l *look) limitText(message fmt.Stringer) string {
	if s, ok := message.(policy.Sentence); ok {
		return l.sentence(s)
	}
	return message.String()
}

// byPolicies returns the text about a fault with limits, which pages list below it.
func byPolicies(f *fault.Error) string {
	if errors.Is(f, proposal.ErrPolicyChanged) {
		return proposal.ErrPolicyChanged.Message
	}
	return proposal.ErrPolicyRefused.Message
}

var layerNames = map[string]string{
	string(policy.Server): "Policy of the server", string(policy.Wallet): "Policy of the wallet",
	string(policy.Member): "Policy of the member", string(policy.Token): "Policy of the token",
}

func (l *look) layerName(layer string) string { return l.T(layerNames[layer]) }
