package v1

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/spending"
)

// document is a JSON object that package policy reads and writes.
type document []byte

// MarshalJSON implements json.Marshaler.
func (d document) MarshalJSON() ([]byte, error) { return d, nil }

// UnmarshalJSON implements json.Unmarshaler.
func (d *document) UnmarshalJSON(text []byte) error {
	*d = bytes.Clone(text)
	return nil
}

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (document) JSONSchemaBytes() ([]byte, error) {
	return []byte(`{"type":"object","additionalProperties":true}`), nil
}

type policyDetails struct {
	Layer     string          `json:"layer" required:"true" enum:"server,wallet,member" description:"What the policy applies to."`
	User      *string         `json:"user" required:"true" description:"Name of the member; null for other policies."`
	Policy    document        `json:"policy" required:"true" description:"The policy, with your aliases of wallets, or their ids if you cannot see them."`
	Version   string          `json:"version" required:"true" description:"SHA-256 of the policy and of the lists that it names; also the ETag."`
	Sentences []paragraph     `json:"sentences" required:"true" nullable:"false" description:"The policy in sentences, one paragraph for each rule."`
	SetBy     string          `json:"set_by" required:"true" description:"Name of the user who set it."`
	SetAt     time.Time       `json:"set_at" required:"true" description:"Time when it was set."`
	Pending   *policyChange   `json:"pending" required:"true" description:"Requested change that has not taken effect; null for none."`
	Export    *coldcardExport `json:"export" required:"true" description:"The policy for a device; null unless format is given."`
}

// ETag implements route.Versioned.
func (p policyDetails) ETag() string { return `"` + p.Version + `"` }

type paragraph struct {
	Rule *string `json:"rule" required:"true" description:"Name of the rule; null for deny, change and a policy without rules."`
	Text string  `json:"text" required:"true" description:"Sentences in English."`
}

type policyChange struct {
	ID          string           `json:"id" required:"true" description:"Id of the change."`
	Layer       string           `json:"layer" required:"true" enum:"server,wallet,member" description:"What the policy applies to."`
	User        *string          `json:"user" required:"true" description:"Name of the member; null for other policies."`
	List        *string          `json:"list" required:"true" description:"Name of the list that changes; null if the policy itself changes."`
	Deletes     bool             `json:"deletes" required:"true" description:"Whether the policy or the list is deleted."`
	Document    *document        `json:"document" required:"true" description:"The new policy, or an object with the new entries of the list, with the ids of wallets; null to delete."`
	RequestedBy string           `json:"requested_by" required:"true" description:"Name of the user."`
	RequestedAt time.Time        `json:"requested_at" required:"true" description:"Time of the request."`
	EffectiveAt time.Time        `json:"effective_at" required:"true" description:"It does not take effect before this time."`
	Missing     int              `json:"missing" required:"true" description:"Number of users whose approval is missing."`
	Approvals   []changeApproval `json:"approvals" required:"true" nullable:"false" description:"Approvals in chronological order. The request counts as the first one if the user can approve."`
}

type changeApproval struct {
	User string    `json:"user" required:"true"`
	At   time.Time `json:"at" required:"true"`
}

type policyResult struct {
	Pending *policyChange `json:"pending" required:"true" description:"The change, which awaits approvals or a delay; null if it has taken effect."`
	Loosens []wider       `json:"loosens" required:"true" nullable:"false" description:"Fields in which the policies permit more than before; empty if the change only tightens them."`
}

type wider struct {
	Rule  *string `json:"rule" required:"true" description:"Name of the rule; null for fields of the policy."`
	Field string  `json:"field" required:"true" example:"max_payment_sat"`
	Old   *string `json:"old" required:"true" description:"Value before; null if it was missing."`
	New   *string `json:"new" required:"true" description:"Value afterwards; null if it is missing."`
}

type coldcardExport struct {
	Document document `json:"document" required:"true" description:"Policy for the HSM mode of the device."`
	Gaps     []gap    `json:"gaps" required:"true" nullable:"false" description:"What the device does not enforce, or enforces in another way."`
}

type gap struct {
	Rule    *string `json:"rule" required:"true" description:"Name of the rule; null for the policy."`
	Field   string  `json:"field" required:"true"`
	Message string  `json:"message" required:"true"`
}

func policyOf(p spending.Policy) policyDetails {
	out := policyDetails{
		Layer: string(p.Kind), User: optionalText(p.User), Policy: p.JSON(), Version: p.Version, SetBy: p.SetBy, SetAt: p.SetAt.UTC(), Sentences: []paragraph{},
	}
	for _, s := range p.Sentences() {
		out.Sentences = append(out.Sentences, paragraph{optionalText(s.Rule), s.String()})
	}
	if p.Pending != nil {
		out.Pending = changeOf(*p.Pending)
	}
	return out
}

func changeOf(c spending.Change) *policyChange {
	out := policyChange{
		ID: c.ID, Layer: string(c.Kind), User: optionalText(c.User), List: optionalText(c.List), Deletes: c.Document == "", RequestedBy: c.Maker.UserName,
		RequestedAt: c.RequestedAt.UTC(), EffectiveAt: c.EffectiveAt.UTC(), Missing: c.Missing, Approvals: make([]changeApproval, len(c.Approvals)),
	}
	if c.Document != "" {
		text := document(c.Document)
		out.Document = &text
	}
	for i, a := range c.Approvals {
		out.Approvals[i] = changeApproval{a.UserName, a.At.UTC()}
	}
	return &out
}

func policyResultOf(r spending.Result, err error) (policyResult, error) {
	out := policyResult{Loosens: make([]wider, len(r.Loosens))}
	if r.Pending != nil {
		out.Pending = changeOf(*r.Pending)
	}
	for i, w := range r.Loosens {
		out.Loosens[i] = wider{optionalText(w.Rule), w.Field, optionalText(w.Old), optionalText(w.New)}
	}
	return out, err
}

// policyMatch contains the header If-Match of a request that changes a policy.
type policyMatch struct {
	IfMatch *string `header:"If-Match" json:"-" example:"\"3a7b…\"" description:"Optional. Known ETag of the policy, or several, separated by commas; 412 if it has changed since."`
}

func (m policyMatch) versions() (spending.Versions, error) {
	if m.IfMatch == nil || strings.TrimSpace(*m.IfMatch) == "*" {
		return nil, nil
	}
	versions := spending.Versions{}
	for tag := range strings.SplitSeq(*m.IfMatch, ",") {
		tag = strings.TrimSpace(tag)
		if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
			return nil, fault.InvalidField("If-Match", `must be an ETag such as "3a7b…", with its quotation marks`)
		}
		versions = append(versions, tag[1:len(tag)-1])
	}
	return versions, nil
}

type policyBody struct {
	Policy document `json:"policy" required:"true" example:"{\"version\": 1, \"allow\": [{\"name\": \"petty cash\", \"windows\": [{\"per\": \"7d\", \"max_sat\": 1000000}]}]}" description:"The policy. An unknown field is an error. A missing field sets no limit, and an empty list matches nothing."`
}

type getPolicyRequest struct {
	walletRequest
	Format string `query:"format" json:"-" enum:"coldcard-hsm" description:"Format of a device in which the policy is exported as well."`
}

// GetPolicy serves GET /api/v1/wallets/{alias}/policy.
func (a *API) GetPolicy(ctx context.Context, in getPolicyRequest) (policyDetails, error) {
	p, err := a.o.Spending.Get(ctx, access(ctx))
	if err != nil {
		return policyDetails{}, err
	}
	out := policyOf(p)
	if in.Format == "" {
		return out, nil
	}
	text, gaps, err := a.o.Spending.ColdcardHSM(ctx, access(ctx))
	if err != nil {
		return policyDetails{}, err
	}
	out.Export = &coldcardExport{Document: text, Gaps: make([]gap, len(gaps))}
	for i, g := range gaps {
		out.Export.Gaps[i] = gap{optionalText(g.Rule), g.Field, g.Message.String()}
	}
	return out, nil
}

type putPolicyRequest struct {
	walletRequest
	policyMatch
	policyBody
}

// PutPolicy serves PUT /api/v1/wallets/{alias}/policy.
func (a *API) PutPolicy(ctx context.Context, in putPolicyRequest) (policyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return policyResult{}, err
	}
	return policyResultOf(a.o.Spending.Put(ctx, access(ctx), in.Policy, expected))
}

type deletePolicyRequest struct {
	walletRequest
	policyMatch
}

// DeletePolicy serves DELETE /api/v1/wallets/{alias}/policy.
func (a *API) DeletePolicy(ctx context.Context, in deletePolicyRequest) (policyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return policyResult{}, err
	}
	return policyResultOf(a.o.Spending.Delete(ctx, access(ctx), expected))
}

// GetMemberPolicy serves GET /api/v1/wallets/{alias}/members/{user}/policy.
func (a *API) GetMemberPolicy(ctx context.Context, in memberRequest) (policyDetails, error) {
	p, err := a.o.Spending.GetMember(ctx, access(ctx), in.User)
	if err != nil {
		return policyDetails{}, err
	}
	return policyOf(p), nil
}

type putMemberPolicyRequest struct {
	memberRequest
	policyMatch
	policyBody
}

// PutMemberPolicy serves PUT /api/v1/wallets/{alias}/members/{user}/policy.
func (a *API) PutMemberPolicy(ctx context.Context, in putMemberPolicyRequest) (policyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return policyResult{}, err
	}
	return policyResultOf(a.o.Spending.PutMember(ctx, access(ctx), in.User, in.Policy, expected))
}

type deleteMemberPolicyRequest struct {
	memberRequest
	policyMatch
}

// DeleteMemberPolicy serves DELETE /api/v1/wallets/{alias}/members/{user}/policy.
func (a *API) DeleteMemberPolicy(ctx context.Context, in deleteMemberPolicyRequest) (policyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return policyResult{}, err
	}
	return policyResultOf(a.o.Spending.DeleteMember(ctx, access(ctx), in.User, expected))
}

// GetServerPolicy serves GET /api/v1/policy.
func (a *API) GetServerPolicy(ctx context.Context, _ struct{}) (policyDetails, error) {
	p, err := a.o.Spending.GetServer(ctx, caller(ctx))
	if err != nil {
		return policyDetails{}, err
	}
	return policyOf(p), nil
}

type putServerPolicyRequest struct {
	policyMatch
	policyBody
}

// PutServerPolicy serves PUT /api/v1/policy.
func (a *API) PutServerPolicy(ctx context.Context, in putServerPolicyRequest) (policyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return policyResult{}, err
	}
	return policyResultOf(a.o.Spending.PutServer(ctx, caller(ctx), in.Policy, expected))
}

// DeleteServerPolicy serves DELETE /api/v1/policy.
func (a *API) DeleteServerPolicy(ctx context.Context, in policyMatch) (policyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return policyResult{}, err
	}
	return policyResultOf(a.o.Spending.DeleteServer(ctx, caller(ctx), expected))
}

type budget struct {
	Layer      string  `json:"layer" required:"true" enum:"wallet,member" description:"What the policy applies to."`
	User       *string `json:"user" required:"true" description:"Name of the member; null for the wallet."`
	Rule       string  `json:"rule" required:"true" description:"Name of the rule."`
	Per        string  `json:"per" required:"true" example:"24h" description:"Length of the window."`
	MaxSat     *int64  `json:"max_sat" required:"true" description:"Limit in satoshis, including fees; null without a limit."`
	MaxCount   *int    `json:"max_count" required:"true" description:"Maximum number of payments; null without a limit."`
	SpentSat   int64   `json:"spent_sat" required:"true" description:"What counts now, in satoshis."`
	SpentCount int     `json:"spent_count" required:"true" description:"Number of payments that count now."`
}

// GetPolicyUsage serves GET /api/v1/wallets/{alias}/policy/usage.
func (a *API) GetPolicyUsage(ctx context.Context, _ walletRequest) (list[budget], error) {
	budgets, err := a.o.Spending.Usage(ctx, access(ctx))
	if err != nil {
		return list[budget]{}, err
	}
	return newList(budgets, len(budgets), budgetOf, nil), nil
}

func budgetOf(b spending.Budget) budget {
	return budget{
		Layer: string(b.Kind), User: optionalText(b.User), Rule: b.Rule, Per: policy.DurationText(b.Window.Per),
		MaxSat: (*int64)(b.Window.MaxSat), MaxCount: b.Window.MaxCount, SpentSat: int64(b.Spent.Amount), SpentCount: b.Spent.Count,
	}
}
