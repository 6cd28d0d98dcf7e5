package v1

import (
	"context"
	"encoding/json"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/text"
)

func policyListOf(l spending.List) api.PolicyList {
	out := api.PolicyList{Name: l.List, Version: l.Version, SetBy: l.SetBy, SetAt: l.SetAt.UTC()}
	var body struct {
		Entries []json.RawMessage `json:"entries"`
	}
	_ = json.Unmarshal(l.JSON(), &body) // JSON of our own
	out.Entries = make([]api.Document, len(body.Entries))
	for i, e := range body.Entries {
		out.Entries[i] = api.Document(e)
	}
	return out
}

// ListPolicyLists serves GET /api/v1/wallets/{alias}/lists.
func (a *API) ListPolicyLists(ctx context.Context, _ walletRequest) (api.List[api.PolicyList], error) {
	lists, err := a.o.Spending.Lists(ctx, access(ctx))
	if err != nil {
		return api.List[api.PolicyList]{}, err
	}
	return newList(lists, len(lists), policyListOf, nil), nil
}

type policyListRequest struct {
	walletRequest
	Name string `path:"name" json:"-" description:"Name of the list."`
}

// GetPolicyList serves GET /api/v1/wallets/{alias}/lists/{name}.
func (a *API) GetPolicyList(ctx context.Context, in policyListRequest) (api.PolicyList, error) {
	l, err := a.o.Spending.GetList(ctx, access(ctx), in.Name)
	if err != nil {
		return api.PolicyList{}, err
	}
	return policyListOf(l), nil
}

type putPolicyListRequest struct {
	policyListRequest
	policyMatch
	api.PutPolicyListRequest
}

// PutPolicyList serves PUT /api/v1/wallets/{alias}/lists/{name}.
func (a *API) PutPolicyList(ctx context.Context, in putPolicyListRequest) (api.PolicyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return api.PolicyResult{}, err
	}
	text, err := json.Marshal(map[string][]api.Document{"entries": in.Entries})
	if err != nil {
		return api.PolicyResult{}, err
	}
	return policyResultOf(a.o.Spending.PutList(ctx, access(ctx), in.Name, text, expected))
}

type deletePolicyListRequest struct {
	policyListRequest
	policyMatch
}

// DeletePolicyList serves DELETE /api/v1/wallets/{alias}/lists/{name}.
func (a *API) DeletePolicyList(ctx context.Context, in deletePolicyListRequest) (api.PolicyResult, error) {
	expected, err := in.versions()
	if err != nil {
		return api.PolicyResult{}, err
	}
	return policyResultOf(a.o.Spending.DeleteList(ctx, access(ctx), in.Name, expected))
}

// ListPolicyChanges serves GET /api/v1/wallets/{alias}/policy/changes.
func (a *API) ListPolicyChanges(ctx context.Context, _ walletRequest) (api.List[api.PolicyChange], error) {
	changes, err := a.o.Spending.Changes(ctx, access(ctx))
	return policyChangesOf(changes, err)
}

func policyChangesOf(changes []spending.Change, err error) (api.List[api.PolicyChange], error) {
	if err != nil {
		return api.List[api.PolicyChange]{}, err
	}
	return newList(changes, len(changes), func(c spending.Change) api.PolicyChange { return *changeOf(c) }, nil), nil
}

type policyChangeRequest struct {
	walletRequest
	ID string `path:"id" json:"-" description:"Id of the change."`
}

// ApprovePolicyChange serves POST /api/v1/wallets/{alias}/policy/changes/{id}/approve.
func (a *API) ApprovePolicyChange(ctx context.Context, in policyChangeRequest) (api.PolicyResult, error) {
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
func (a *API) ListServerPolicyChanges(ctx context.Context, _ struct{}) (api.List[api.PolicyChange], error) {
	changes, err := a.o.Spending.ServerChanges(ctx, caller(ctx))
	return policyChangesOf(changes, err)
}

// ApproveServerPolicyChange serves POST /api/v1/policy/changes/{id}/approve.
func (a *API) ApproveServerPolicyChange(ctx context.Context, in serverChangeRequest) (api.PolicyResult, error) {
	return policyResultOf(a.o.Spending.ApproveServerChange(ctx, caller(ctx), in.ID))
}

// CancelServerPolicyChange serves DELETE /api/v1/policy/changes/{id}.
func (a *API) CancelServerPolicyChange(ctx context.Context, in serverChangeRequest) error {
	return a.o.Spending.CancelServerChange(ctx, caller(ctx), in.ID)
}

// SimulatePolicy serves POST /api/v1/wallets/{alias}/policy/simulate.
func (a *API) SimulatePolicy(ctx context.Context, in createProposalRequest) (api.Simulation, error) {
	params, err := in.params()
	if err != nil {
		return api.Simulation{}, err
	}
	s, err := a.o.Spending.Simulate(ctx, access(ctx), params)
	if err != nil {
		return api.Simulation{}, err
	}
	return simulationOf(s), nil
}

func simulationOf(s spending.Simulation) api.Simulation {
	out := api.Simulation{Allowed: len(s.Limits) == 0, Limits: make([]api.SimulationLimit, len(s.Limits)), PermittedAt: optionalTime(s.PermittedAt), Review: reviewFrom(s.Review, nil), Warnings: policyWarningsOf(s.Warnings)}
	for i, l := range s.Limits {
		out.Limits[i] = limitOf(l)
	}
	return out
}

func limitOf(l fault.Limit) api.SimulationLimit {
	return api.SimulationLimit{Layer: l.Layer, Rule: text.Optional(l.Rule), Field: l.Field, Limit: text.Optional(l.Limit), Used: text.Optional(l.Used), FreesAt: optionalTime(l.FreesAt), Message: l.Message.String()}
}
