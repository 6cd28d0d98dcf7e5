package v1

import (
	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/text"
)

func reviewOf(p proposal.Proposal) *api.Review { return reviewFrom(p.Review, p.Approvals) }

func reviewFrom(of *proposal.Review, approvals []proposal.Approval) *api.Review {
	if of == nil {
		return nil
	}
	out := api.Review{
		Released: of.Released, ReleaseAt: optionalTime(of.ReleaseAt),
		Required: make([]api.Requirement, len(of.Required)), Approvals: make([]api.Approval, len(approvals)),
	}
	for i, r := range of.Required {
		out.Required[i] = api.Requirement{Layer: string(r.Kind), Rule: r.Rule, Count: r.Count, Missing: of.Missing[i], NotProposer: r.NotProposer}
		for _, g := range r.Groups() {
			out.Required[i].Of = append(out.Required[i].Of, g.String())
		}
	}
	for i, a := range approvals {
		decision := "approve"
		if a.Rejects {
			decision = "reject"
		}
		out.Approvals[i] = api.Approval{At: a.At.UTC(), User: a.By.UserName, TokenID: text.Optional(a.By.TokenID), Decision: decision, Reason: text.Optional(a.Reason), Valid: a.Hash == of.Hash}
	}
	return &out
}
