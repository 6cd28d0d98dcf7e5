package v1

import (
	"time"

	"github.com/specterd/specterd/internal/proposal"
)

// review is what policies require of a proposal.
type review struct {
	Released  bool          `json:"released" required:"true" description:"Whether the requirements are met, so that the proposal can be signed."`
	ReleaseAt *time.Time    `json:"release_at" required:"true" description:"The proposal is not released before this time; null without a delay."`
	Required  []requirement `json:"required" required:"true" nullable:"false" description:"Required approvals, at most one entry for each policy. One approval counts for every requirement that it fits."`
	Approvals []approval    `json:"approvals" required:"true" nullable:"false" description:"Decisions about the proposal, in chronological order."`
}

type requirement struct {
	Layer       string   `json:"layer" required:"true" enum:"server,wallet,member,token" description:"Whose policy requires it."`
	Rule        string   `json:"rule" required:"true" description:"Name of the rule."`
	Count       int      `json:"count" required:"true" description:"Required number of users."`
	Missing     int      `json:"missing" required:"true" description:"Number of users whose approval is missing."`
	Of          []string `json:"of" required:"true" nullable:"false" example:"[\"role:signer\"]" description:"Who can approve: members with at least a role, or users."`
	NotProposer bool     `json:"not_proposer" required:"true" description:"Whether the user who proposed the payment cannot approve it. In any case, a token of that user cannot."`
}

type approval struct {
	At       time.Time `json:"at" required:"true"`
	User     string    `json:"user" required:"true"`
	TokenID  *string   `json:"token_id" required:"true"`
	Decision string    `json:"decision" required:"true" enum:"approve,reject" description:"What the user decided."`
	Reason   *string   `json:"reason" required:"true" description:"Reason of a rejection."`
	Valid    bool      `json:"valid" required:"true" description:"False if the policies have changed since, so that the approval does not count any more."`
}

func reviewOf(p proposal.Proposal) *review { return reviewFrom(p.Review, p.Approvals) }

func reviewFrom(of *proposal.Review, approvals []proposal.Approval) *review {
	if of == nil {
		return nil
	}
	out := review{
		Released: of.Released, ReleaseAt: optionalTime(of.ReleaseAt),
		Required: make([]requirement, len(of.Required)), Approvals: make([]approval, len(approvals)),
	}
	for i, r := range of.Required {
		out.Required[i] = requirement{Layer: string(r.Kind), Rule: r.Rule, Count: r.Count, Missing: of.Missing[i], NotProposer: r.NotProposer}
		for _, g := range r.Groups() {
			out.Required[i].Of = append(out.Required[i].Of, g.String())
		}
	}
	for i, a := range approvals {
		decision := "approve"
		if a.Rejects {
			decision = "reject"
		}
		out.Approvals[i] = approval{a.At.UTC(), a.By.UserName, optionalText(a.By.TokenID), decision, optionalText(a.Reason), a.Hash == of.Hash}
	}
	return &out
}
