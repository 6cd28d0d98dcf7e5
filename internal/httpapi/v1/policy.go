package v1

import (
	"context"
	"strings"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/text"
)

func policyOf(p spending.Policy) api.PolicyDetails {
	out := api.PolicyDetails{
		Layer: string(p.Kind), User: text.Optional(p.User), Policy: p.JSON(), Version: p.Version, SetBy: p.SetBy, SetAt: p.SetAt.UTC(), Sentences: []api.Paragraph{},
		Warnings: policyWarningsOf(p.Warnings()),
	}
	for _, s := range p.Sentences() {
		out.Sentences = append(out.Sentences, api.Paragraph{Rule: text.Optional(s.Rule), Text: s.String()})
	}
	if p.Pending != nil {
		out.Pending = changeOf(*p.Pending)
	}
	return out
}

func policyWarningsOf(all []policy.Warning) []api.PolicyWarning {
	out := make([]api.PolicyWarning, len(all))
	for i, w := range all {
		out[i] = api.PolicyWarning{Code: w.Code, Rule: w.Rule, Message: w.Message.String()}
	}
	return out
}

func changeOf(c spending.Change) *api.PolicyChange {
	out := api.PolicyChange{
		ID: c.ID, Layer: string(c.Kind), User: text.Optional(c.User), List: text.Optional(c.List), Deletes: c.Document == "", RequestedBy: c.Maker.UserName,
		RequestedAt: c.RequestedAt.UTC(), EffectiveAt: c.EffectiveAt.UTC(), Missing: c.Missing, Approvals: make([]api.ChangeApproval, len(c.Approvals)),
	}
	if c.Document != "" {
		text := api.Document(c.Document)
		out.Document = &text
	}
	for i, a := range c.Approvals {
		out.Approvals[i] = api.ChangeApproval{User: a.UserName, At: a.At.UTC()}
	}
	return &out
}

func policyResultOf(r spending.Result, err error) (api.PolicyResult, error) {
	out := api.PolicyResult{Loosens: make([]api.Wider, len(r.Loosens)), Warnings: policyWarningsOf(r.Warnings), Unchanged: r.Unchanged}
	if r.Pending != nil {
		out.Pending = changeOf(*r.Pending)
	}
	for i, w := range r.Loosens {
		out.Loosens[i] = api.Wider{Rule: text.Optional(w.Rule), Field: w.Field, Old: text.Optional(w.Old), New: text.Optional(w.New)}
	}
	return out, err
}

// policyMatch contains the header If-Match of a request that changes a policy or a list.
type policyMatch struct {
	IfMatch *string `header:"If-Match" json:"-" example:"\"3a7b…\"" description:"Optional. Known ETag of the policy or the list, or several, separated by commas; 412 if it has changed since."`
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

type getPolicyRequest struct {
	walletRequest
	Format string `query:"format" json:"-" enum:"coldcard-hsm" description:"Format of a device in which the policy is exported as well."`
}

// GetPolicy serves GET /api/v1/wallets/{alias}/policy.
func (a *API) GetPolicy(ctx context.Context, in getPolicyRequest) (api.PolicyDetails, error) {
	p, err := a.o.Spending.Get(ctx, access(ctx))
	if err != nil {
		return api.PolicyDetails{}, err
	}
	out := policyOf(p)
	if in.Format == "" {
		return out, nil
	}
	document, gaps, err := a.o.Spending.ColdcardHSM(ctx, access(ctx))
	if err != nil {
		return api.PolicyDetails{}, err
	}
	out.Export = &api.ColdcardExport{Document: document, Gaps: make([]api.Gap, len(gaps))}
	for i, g := range gaps {
		out.Export.Gaps[i] = api.Gap{Rule: text.Optional(g.Rule), Field: g.Field, Message: g.Message.String()}
	}
	return out, nil
}

type putPolicyRequest struct {
	walletRequest
	policyMatch
	api.PutPolicyRequest
}

// PutPolicy serves PUT /api/v1/wallets/{alias}/policy.
func (a *API) PutPolicy(ctx context.Context, in putPolicyRequest) (api.PolicyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return api.PolicyResult{}, err
	}
	return policyResultOf(a.o.Spending.Put(ctx, access(ctx), in.Policy, expected))
}

type deletePolicyRequest struct {
	walletRequest
	policyMatch
}

// DeletePolicy serves DELETE /api/v1/wallets/{alias}/policy.
func (a *API) DeletePolicy(ctx context.Context, in deletePolicyRequest) (api.PolicyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return api.PolicyResult{}, err
	}
	return policyResultOf(a.o.Spending.Delete(ctx, access(ctx), expected))
}

// GetMemberPolicy serves GET /api/v1/wallets/{alias}/members/{user}/policy.
func (a *API) GetMemberPolicy(ctx context.Context, in memberRequest) (api.PolicyDetails, error) {
	p, err := a.o.Spending.GetMember(ctx, access(ctx), in.User)
	if err != nil {
		return api.PolicyDetails{}, err
	}
	return policyOf(p), nil
}

type putMemberPolicyRequest struct {
	memberRequest
	policyMatch
	api.PutPolicyRequest
}

// PutMemberPolicy serves PUT /api/v1/wallets/{alias}/members/{user}/policy.
func (a *API) PutMemberPolicy(ctx context.Context, in putMemberPolicyRequest) (api.PolicyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return api.PolicyResult{}, err
	}
	return policyResultOf(a.o.Spending.PutMember(ctx, access(ctx), in.User, in.Policy, expected))
}

type deleteMemberPolicyRequest struct {
	memberRequest
	policyMatch
}

// DeleteMemberPolicy serves DELETE /api/v1/wallets/{alias}/members/{user}/policy.
func (a *API) DeleteMemberPolicy(ctx context.Context, in deleteMemberPolicyRequest) (api.PolicyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return api.PolicyResult{}, err
	}
	return policyResultOf(a.o.Spending.DeleteMember(ctx, access(ctx), in.User, expected))
}

// GetServerPolicy serves GET /api/v1/policy.
func (a *API) GetServerPolicy(ctx context.Context, _ struct{}) (api.PolicyDetails, error) {
	p, err := a.o.Spending.GetServer(ctx, caller(ctx))
	if err != nil {
		return api.PolicyDetails{}, err
	}
	return policyOf(p), nil
}

type putServerPolicyRequest struct {
	policyMatch
	api.PutPolicyRequest
}

// PutServerPolicy serves PUT /api/v1/policy.
func (a *API) PutServerPolicy(ctx context.Context, in putServerPolicyRequest) (api.PolicyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return api.PolicyResult{}, err
	}
	return policyResultOf(a.o.Spending.PutServer(ctx, caller(ctx), in.Policy, expected))
}

// DeleteServerPolicy serves DELETE /api/v1/policy.
func (a *API) DeleteServerPolicy(ctx context.Context, in policyMatch) (api.PolicyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return api.PolicyResult{}, err
	}
	return policyResultOf(a.o.Spending.DeleteServer(ctx, caller(ctx), expected))
}

// GetPolicyUsage serves GET /api/v1/wallets/{alias}/policy/usage.
func (a *API) GetPolicyUsage(ctx context.Context, _ walletRequest) (api.List[api.Budget], error) {
	budgets, err := a.o.Spending.Usage(ctx, access(ctx))
	if err != nil {
		return api.List[api.Budget]{}, err
	}
	return newList(budgets, len(budgets), budgetOf, nil), nil
}

func budgetOf(b spending.Budget) api.Budget {
	return api.Budget{
		Layer: string(b.Kind), User: text.Optional(b.User), Rule: b.Rule, Per: policy.DurationText(b.Window.Per),
		MaxSat: (*int64)(b.Window.MaxSat), MaxCount: b.Window.MaxCount, SpentSat: int64(b.Spent.Amount), SpentCount: b.Spent.Count,
	}
}
