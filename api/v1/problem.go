package v1

import "time"

// Problem is a problem document (RFC 9457) whose type is about:blank.
type Problem struct {
	Title     string         `json:"title" required:"true"`
	Status    int            `json:"status" required:"true"`
	Code      string         `json:"code" required:"true" description:"Stable code that identifies the problem."`
	Detail    string         `json:"detail" required:"true" description:"Description for humans; the wording may change."`
	RequestID string         `json:"request_id" required:"true"`
	Errors    []ProblemField `json:"errors,omitempty" description:"Invalid fields of the request."`
	Scope     string         `json:"required_scope,omitempty"`
	Role      string         `json:"required_role,omitempty"`
	Limits    []ProblemLimit `json:"limits,omitempty" description:"The limits of spending policies that the payment exceeds, of every rule."`
	// PermittedAt accompanies limits.
	PermittedAt *time.Time        `json:"permitted_at,omitempty" description:"First time at which all policies permit the payment if nothing else changes; omitted if waiting does not help, or no time can be named."`
	Details     map[string]string `json:"details,omitempty" description:"Additional values for the code, such as lowest_height."`
}

// ProblemField is an invalid field of a request.
type ProblemField struct {
	Field   string `json:"field" required:"true"`
	Message string `json:"message" required:"true"`
}

// ProblemLimit is a limit of a spending policy that a payment exceeds.
type ProblemLimit struct {
	Layer   string     `json:"layer" required:"true" enum:"server,wallet,member,token" description:"Whose policy it is."`
	Rule    string     `json:"rule,omitempty" description:"Name of the rule; omitted for deny and for a policy without rules."`
	Field   string     `json:"field" required:"true" example:"windows[0].max_sat"`
	Limit   string     `json:"limit,omitempty" description:"Limit in the form of the policy."`
	Used    string     `json:"used,omitempty" description:"What counts in a window already, in the form of its limit."`
	FreesAt *time.Time `json:"frees_at,omitempty" description:"First time at which this limit alone permits the payment if nothing else changes; omitted if waiting does not help. Other limits may refuse it then: see permitted_at."`
	Message string     `json:"message" required:"true"`
}
