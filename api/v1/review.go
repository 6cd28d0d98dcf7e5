package v1

import (
	"time"
)

// Review is what policies require of a proposal.
type Review struct {
	Released  bool          `json:"released" required:"true" description:"Whether the requirements are met, so that the proposal can be signed."`
	ReleaseAt *time.Time    `json:"release_at" required:"true" description:"The proposal is not released before this time; null without a delay."`
	Required  []Requirement `json:"required" required:"true" nullable:"false" description:"Required approvals, at most one entry for each policy. One approval counts for every requirement that it fits."`
	Approvals []Approval    `json:"approvals" required:"true" nullable:"false" description:"Decisions about the proposal, in chronological order."`
}

// Requirement describes the approvals that a spending policy requires.
type Requirement struct {
	Layer       string   `json:"layer" required:"true" enum:"server,wallet,member,token" description:"Whose policy requires it."`
	Rule        string   `json:"rule" required:"true" description:"Name of the rule."`
	Count       int      `json:"count" required:"true" description:"Required number of users."`
	Missing     int      `json:"missing" required:"true" description:"Number of users whose approval is missing."`
	Of          []string `json:"of" required:"true" nullable:"false" example:"[\"role:signer\"]" description:"Who can approve: members with at least a role, or users."`
	NotProposer bool     `json:"not_proposer" required:"true" description:"Whether the user who proposed the payment cannot approve it. In any case, a token of that user cannot."`
}

// Approval is the decision of a user about a proposal.
type Approval struct {
	At       time.Time `json:"at" required:"true"`
	User     string    `json:"user" required:"true"`
	TokenID  *string   `json:"token_id" required:"true"`
	Decision string    `json:"decision" required:"true" enum:"approve,reject" description:"What the user decided."`
	Reason   *string   `json:"reason" required:"true" description:"Reason of a rejection."`
	Valid    bool      `json:"valid" required:"true" description:"False if the policies have changed since, so that the approval does not count any more."`
}

// RejectProposalRequest has the reason of a rejection.
type RejectProposalRequest struct {
	Reason string `json:"reason" required:"true" minLength:"1" maxLength:"500" example:"unknown recipient" description:"Why; all members can read it."`
}
