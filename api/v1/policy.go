package v1

import (
	"time"
)

// PolicyDetails is a spending policy.
type PolicyDetails struct {
	Layer     string          `json:"layer" required:"true" enum:"server,wallet,member" description:"What the policy applies to."`
	User      *string         `json:"user" required:"true" description:"Name of the member; null for other policies."`
	Policy    Document        `json:"policy" required:"true" description:"The policy, with your aliases of wallets, or their ids if you cannot see them."`
	Version   string          `json:"version" required:"true" description:"SHA-256 of the policy and of the lists that it names; also the ETag."`
	Sentences []Paragraph     `json:"sentences" required:"true" nullable:"false" description:"The policy in sentences, one paragraph for each rule."`
	SetBy     string          `json:"set_by" required:"true" description:"Name of the user who set it."`
	SetAt     time.Time       `json:"set_at" required:"true" description:"Time when it was set."`
	Pending   *PolicyChange   `json:"pending" required:"true" description:"Requested change that has not taken effect; null for none."`
	Warnings  []PolicyWarning `json:"warnings" required:"true" nullable:"false" description:"Properties of the policy that are probably unintended; may be empty."`
	Export    *ColdcardExport `json:"export" required:"true" description:"The policy for a device; null unless format is given."`
}

// Paragraph is a rule of a policy in sentences.
type Paragraph struct {
	Rule *string `json:"rule" required:"true" description:"Name of the rule; null for deny, change and a policy without rules."`
	Text string  `json:"text" required:"true" description:"Sentences in English."`
}

// PolicyWarning is a property of a policy that is probably unintended.
type PolicyWarning struct {
	Code    string `json:"code" required:"true" example:"splittable" description:"Stable and machine-readable: splittable if a rule limits single payments but has no window, so that several small payments can exceed its limit; too_few_approvers, in the response to a change, if the members of the wallet cannot give the approvals that a rule requires. More codes can be added."`
	Rule    string `json:"rule" required:"true" description:"Name of the rule."`
	Message string `json:"message" required:"true" description:"Human-readable message."`
}

// PolicyChange is a change that loosens a policy and has not taken effect.
type PolicyChange struct {
	ID          string           `json:"id" required:"true" description:"Id of the change."`
	Layer       string           `json:"layer" required:"true" enum:"server,wallet,member" description:"What the policy applies to."`
	User        *string          `json:"user" required:"true" description:"Name of the member; null for other policies."`
	List        *string          `json:"list" required:"true" description:"Name of the list that changes; null if the policy itself changes."`
	Deletes     bool             `json:"deletes" required:"true" description:"Whether the policy or the list is deleted."`
	Document    *Document        `json:"document" required:"true" description:"The new policy, or an object with the new entries of the list, with the ids of wallets; null to delete."`
	RequestedBy string           `json:"requested_by" required:"true" description:"Name of the user."`
	RequestedAt time.Time        `json:"requested_at" required:"true" description:"Time of the request."`
	EffectiveAt time.Time        `json:"effective_at" required:"true" description:"It does not take effect before this time."`
	Missing     int              `json:"missing" required:"true" description:"Number of users whose approval is missing."`
	Approvals   []ChangeApproval `json:"approvals" required:"true" nullable:"false" description:"Approvals in chronological order. The request counts as the first one if the user can approve."`
}

// ChangeApproval is the approval of a change by a user.
type ChangeApproval struct {
	User string    `json:"user" required:"true"`
	At   time.Time `json:"at" required:"true"`
}

// PolicyResult is the result of a change of a policy or a list.
type PolicyResult struct {
	Pending   *PolicyChange   `json:"pending" required:"true" description:"The change, which awaits approvals or a delay; null if it has taken effect, or if nothing was changed."`
	Loosens   []Wider         `json:"loosens" required:"true" nullable:"false" description:"Fields in which the policies permit more than before; empty if the change only tightens them."`
	Warnings  []PolicyWarning `json:"warnings" required:"true" nullable:"false" description:"Properties of the new policy that are probably unintended; may be empty."`
	Unchanged bool            `json:"unchanged" required:"true" description:"Whether the request equals the current policy or list. Then nothing was stored: the version, approvals of proposals and a pending change stay."`
}

// Wider is a field in which a policy permits more than before.
type Wider struct {
	Rule  *string `json:"rule" required:"true" description:"Name of the rule; null for fields of the policy."`
	Field string  `json:"field" required:"true" example:"max_payment_sat"`
	Old   *string `json:"old" required:"true" description:"Value before; null if it was missing."`
	New   *string `json:"new" required:"true" description:"Value afterwards; null if it is missing."`
}

// ColdcardExport is a policy for a Coldcard in HSM mode.
type ColdcardExport struct {
	Document Document `json:"document" required:"true" description:"Policy for the HSM mode of the device."`
	Gaps     []Gap    `json:"gaps" required:"true" nullable:"false" description:"What the device does not enforce, or enforces in another way."`
}

// Gap is a part of a policy that a device does not enforce.
type Gap struct {
	Rule    *string `json:"rule" required:"true" description:"Name of the rule; null for the policy."`
	Field   string  `json:"field" required:"true"`
	Message string  `json:"message" required:"true"`
}

// PutPolicyRequest sets the policy of a wallet.
type PutPolicyRequest struct {
	Policy Document `json:"policy" required:"true" example:"{\"version\": 1, \"allow\": [{\"name\": \"petty cash\", \"windows\": [{\"per\": \"7d\", \"max_sat\": 1000000}]}]}" description:"The policy. An unknown field is an error. A missing field sets no limit, and an empty list matches nothing."`
}

// Budget is a window of a rule and what counts in it.
type Budget struct {
	Layer      string  `json:"layer" required:"true" enum:"wallet,member" description:"What the policy applies to."`
	User       *string `json:"user" required:"true" description:"Name of the member; null for the wallet."`
	Rule       string  `json:"rule" required:"true" description:"Name of the rule."`
	Per        string  `json:"per" required:"true" example:"24h" description:"Length of the window."`
	MaxSat     *int64  `json:"max_sat" required:"true" description:"Limit in satoshis, including fees; null without a limit."`
	MaxCount   *int    `json:"max_count" required:"true" description:"Maximum number of payments; null without a limit."`
	SpentSat   int64   `json:"spent_sat" required:"true" description:"What counts now, in satoshis."`
	SpentCount int     `json:"spent_count" required:"true" description:"Number of payments that count now."`
}

// PutMemberPolicyRequest sets the policy of a member.
type PutMemberPolicyRequest = PutPolicyRequest

// PutServerPolicyRequest sets the policy of the server.
type PutServerPolicyRequest = PutPolicyRequest

// ETag returns the version with quotation marks, for If-Match.
func (p PolicyDetails) ETag() string { return `"` + p.Version + `"` }
