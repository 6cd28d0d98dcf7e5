package v1

import (
	"time"
)

// PolicyList is a list of recipients.
type PolicyList struct {
	Name    string     `json:"name" required:"true" description:"Name of the list."`
	Entries []Document `json:"entries" required:"true" nullable:"false" description:"Recipients, as in a policy, with labels."`
	Version string     `json:"version" required:"true" description:"SHA-256 of the entries; also the ETag."`
	SetBy   string     `json:"set_by" required:"true" description:"Name of the user who set it."`
	SetAt   time.Time  `json:"set_at" required:"true" description:"Time when it was set."`
}

// PutPolicyListRequest sets the entries of a list.
type PutPolicyListRequest struct {
	Entries []Document `json:"entries" required:"true" nullable:"false" example:"[{\"address\": \"bc1q…\", \"label\": \"paper\"}]" description:"Recipients, as in a policy, with labels; an empty list matches nothing."`
}

// Simulation reports what the policies say about a payment.
type Simulation struct {
	Allowed bool              `json:"allowed" required:"true" description:"Whether the policies permit the payment."`
	Limits  []SimulationLimit `json:"limits" required:"true" nullable:"false" description:"Limits that the payment exceeds, of every rule."`
	// PermittedAt accompanies Limits.
	PermittedAt *time.Time      `json:"permitted_at" required:"true" description:"First time at which all policies permit the payment if nothing else changes; null if waiting does not help, or no time can be named."`
	Review      *Review         `json:"review" required:"true" description:"What the policies require before the payment can be signed; null if no policy applies or the payment is not permitted."`
	Warnings    []PolicyWarning `json:"warnings" required:"true" nullable:"false" description:"Properties of the policies of the wallet and of your own in it that are probably unintended; may be empty."`
}

// SimulationLimit is a limit of a spending policy that a payment exceeds.
type SimulationLimit struct {
	Layer   string     `json:"layer" required:"true" enum:"server,wallet,member,token" description:"Whose policy it is."`
	Rule    *string    `json:"rule" required:"true" description:"Name of the rule; null for deny and for a policy without rules."`
	Field   string     `json:"field" required:"true" example:"windows[0].max_sat"`
	Limit   *string    `json:"limit" required:"true" description:"Limit in the form of the policy."`
	Used    *string    `json:"used" required:"true" description:"What counts in a window already, in the form of its limit."`
	FreesAt *time.Time `json:"frees_at" required:"true" description:"First time at which this limit alone permits the payment if nothing else changes; null if waiting does not help. Other limits may refuse it then: see permitted_at."`
	Message string     `json:"message" required:"true"`
}

// ETag returns the version with quotation marks, for If-Match.
func (l PolicyList) ETag() string { return `"` + l.Version + `"` }
