package v1

import (
	"context"
	"strconv"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

func auditEntryOf(e auth.Entry) api.AuditEntry {
	out := api.AuditEntry{
		ID: e.ID, At: e.At.UTC(), User: text.Optional(e.UserName), TokenID: text.Optional(e.TokenID), Address: text.Optional(e.Address),
		Action: e.Action, Target: text.Optional(e.Target), Outcome: e.Outcome, Detail: text.Optional(e.SharedDetail()),
		PreviousHash: text.Optional(e.PreviousHash), Hash: text.Optional(e.Hash),
	}
	if e.Position > 0 {
		out.Position = &e.Position
	}
	return out
}

type listAuditRequest struct {
	page
	period
	User    string `query:"user" json:"-" description:"Only events caused by this user, by the name at that time."`
	Action  string `query:"action" json:"-" example:"token" description:"Only this action, or all actions of a group: token matches token.create and the other token actions."`
	Target  string `query:"target" json:"-" description:"Only events with this object: a user's name, or the id of a token, a wallet or a proposal."`
	Outcome string `query:"outcome" json:"-" enum:"ok,refused" description:"Only events with this outcome."`
}

// ListAudit serves GET /api/v1/audit. It returns the latest events first.
func (a *API) ListAudit(ctx context.Context, in listAuditRequest) (api.List[api.AuditEntry], error) {
	limit, err := in.limit()
	if err != nil {
		return api.List[api.AuditEntry]{}, err
	}
	before, err := in.number()
	if err != nil {
		return api.List[api.AuditEntry]{}, err
	}
	if in.Outcome != "" && in.Outcome != "ok" && in.Outcome != "refused" {
		return api.List[api.AuditEntry]{}, fault.InvalidField("outcome", "must be ok or refused")
	}
	f := auth.AuditFilter{UserName: in.User, Action: in.Action, Target: in.Target, Outcome: in.Outcome}
	if f.Since, f.Until, err = in.times(); err != nil {
		return api.List[api.AuditEntry]{}, err
	}
	entries, err := a.o.Audit.List(ctx, f, before, limit+1)
	if err != nil {
		return api.List[api.AuditEntry]{}, err
	}
	return newList(entries, limit, auditEntryOf, func(e auth.Entry) string { return strconv.FormatInt(e.ID, 10) }), nil
}

// number parses a cursor that contains a positive number. It returns 0 for the beginning of
// the list.
func (p page) number() (int64, error) {
	text, err := p.place()
	if err != nil || text == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != text {
		return 0, errCursor
	}
	return n, nil
}
