package v1

import (
	"context"
	"encoding/json"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/spending"
)

type policyList struct {
	Name    string     `json:"name" required:"true" description:"Name of the list."`
	Entries []document `json:"entries" required:"true" nullable:"false" description:"Recipients, as in a policy, with labels."`
	SetBy   string     `json:"set_by" required:"true" description:"Name of the user who set it."`
	SetAt   time.Time  `json:"set_at" required:"true" description:"Time when it was set."`
}

func policyListOf(l spending.List) policyList {
	out := policyList{Name: l.List, SetBy: l.SetBy, SetAt: l.SetAt.UTC()}
	var body struct {
		Entries []json.RawMessage `json:"entries"`
	}
	_ = json.Unmarshal(l.JSON(), &body) // JSON of our own
	out.Entries = make([]document, len(body.Entries))
	for i, e := range body.Entries {
		out.Entries[i] = document(e)
	}
	return out
}

// ListPolicyLists serves GET /api/v1/wallets/{alias}/lists.
func (a *API) ListPolicyLists(ctx context.Context, _ walletRequest) (list[policyList], error) {
	lists, err := a.o.Spending.Lists(ctx, access(ctx))
	if err != nil {
		return list[policyList]{}, err
	}
	return newList(lists, len(lists), policyListOf, nil), nil
}

type policyListRequest struct {
	walletRequest
	Name string `path:"name" json:"-" description:"Name of the list."`
}

// GetPolicyList serves GET /api/v1/wallets/{alias}/lists/{name}.
func (a *API) GetPolicyList(ctx context.Context, in policyListRequest) (policyList, error) {
	l, err := a.o.Spending.GetList(ctx, access(ctx), in.Name)
	if err != nil {
		return policyList{}, err
	}
	return policyListOf(l), nil
}

type putPolicyListRequest struct {
	policyListRequest
	Entries []document `json:"entries" required:"true" nullable:"false" example:"[{\"address\": \"bc1q…\", \"label\": \"paper\"}]" description:"Recipients, as in a policy, with labels; an empty list matches nothing."`
}

// PutPolicyList serves PUT /api/v1/wallets/{alias}/lists/{name}.
func (a *API) PutPolicyList(ctx context.Context, in putPolicyListRequest) (policyResult, error) {
	text, err := json.Marshal(map[string][]document{"entries": in.Entries})
	if err != nil {
		return policyResult{}, err
	}
	return policyResultOf(a.o.Spending.PutList(ctx, access(ctx), in.Name, text))
}

// DeletePolicyList serves DELETE /api/v1/wallets/{alias}/lists/{name}.
func (a *API) DeletePolicyList(ctx context.Context, in policyListRequest) (policyResult, error) {
	return policyResultOf(a.o.Spending.DeleteList(ctx, access(ctx), in.Name))
}

// ListPolicyChanges serves GET /api/v1/wallets/{alias}/policy/changes.
func (a *API) ListPolicyChanges(ctx context.Context, _ walletRequest) (list[policyChange], error) {
	changes, err := a.o.Spending.Changes(ctx, access(ctx))
	return policyChangesOf(changes, err)
}

func policyChangesOf(changes []spending.Change, err error) (list[policyChange], error) {
	if err != nil {
		return list[policyChange]{}, err
	}
	return newList(changes, len(changes), func(c spending.Change) policyChange { return *changeOf(c) }, nil), nil
}

type policyChangeRequest struct {
	walletRequest
	ID string `path:"id" json:"-" description:"Id of the change."`
}

// ApprovePolicyChange serves POST /api/v1/wallets/{alias}/policy/changes/{id}/approve.
func (a *API) ApprovePolicyChange(ctx context.Context, in policyChangeRequest) (policyResult, error) {
	return policyResultOf(a.o.Spending.ApproveChange(ctx, access(ctx), in.ID))
}

// CancelPolicyChange serves DELETE /api/v1/wallets/{alias}/policy/changes/{id}.
func (a *API) CancelPolicyChange(ctx context.Context, in policyChangeRequest) error {
	return a.o.Spending.CancelChange(ctx, access(ctx), in.ID)
}

type serverChangeRequest struct {
	ID string `path:"id" json:"-" description:"Id of the change."`
}

// ListServerPolicyChanges serves GET /api/v1/policy/changes.
func (a *API) ListServerPolicyChanges(ctx context.Context, _ struct{}) (list[policyChange], error) {
	changes, err := a.o.Spending.ServerChanges(ctx, caller(ctx))
	return policyChangesOf(changes, err)
}

// ApproveServerPolicyChange serves POST /api/v1/policy/changes/{id}/approve.
func (a *API) ApproveServerPolicyChange(ctx context.Context, in serverChangeRequest) (policyResult, error) {
	return policyResultOf(a.o.Spending.ApproveServerChange(ctx, caller(ctx), in.ID))
}

// CancelServerPolicyChange serves DELETE /api/v1/policy/changes/{id}.
func (a *API) CancelServerPolicyChange(ctx context.Context, in serverChangeRequest) error {
	return a.o.Spending.CancelServerChange(ctx, caller(ctx), in.ID)
}

type simulation struct {
	Allowed bool              `json:"allowed" required:"true" description:"Whether the policies permit the payment."`
	Limits  []simulationLimit `json:"limits" required:"true" nullable:"false" description:"Limits that the payment exceeds, of every rule."`
	Review  *review           `json:"review" required:"true" description:"What the policies require before the payment can be signed; null if no policy applies or the payment is not permitted."`
}

type simulationLimit struct {
	Layer   string     `json:"layer" required:"true" enum:"server,wallet,member,token" description:"Whose policy it is."`
	Rule    *string    `json:"rule" required:"true" description:"Name of the rule; null for deny and for a policy without rules."`
	Field   string     `json:"field" required:"true" example:"windows[0].max_sat"`
	Limit   *string    `json:"limit" required:"true" description:"Limit in the form of the policy."`
	Used    *string    `json:"used" required:"true" description:"What counts in a window already, in the form of its limit."`
	FreesAt *time.Time `json:"frees_at" required:"true" description:"First time at which the limit permits the payment if nothing else changes; null if waiting does not help."`
	Message string     `json:"message" required:"true"`
}

// SimulatePolicy serves POST /api/v1/wallets/{alias}/policy/simulate.
func (a *API) SimulatePolicy(ctx context.Context, in createProposalRequest) (simulation, error) {
	params, err := in.params()
	if err != nil {
		return simulation{}, err
	}
	s, err := a.o.Spending.Simulate(ctx, access(ctx), params)
	if err != nil {
		return simulation{}, err
	}
	return simulationOf(s), nil
}

func simulationOf(s spending.Simulation) simulation {
	out := simulation{Allowed: len(s.Limits) == 0, Limits: make([]simulationLimit, len(s.Limits)), Review: reviewFrom(s.Review, nil)}
	for i, l := range s.Limits {
		out.Limits[i] = limitOf(l)
	}
	return out
}

func limitOf(l fault.Limit) simulationLimit {
	return simulationLimit{l.Layer, optionalText(l.Rule), l.Field, optionalText(l.Limit), optionalText(l.Used), optionalTime(l.FreesAt), l.Message}
}
