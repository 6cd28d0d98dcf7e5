package v1

import (
	"context"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

type auditEntry struct {
	ID           int64     `json:"id" required:"true"`
	At           time.Time `json:"at" required:"true"`
	User         *string   `json:"user" required:"true" description:"User who did it, by the name at that time; null if unknown."`
	TokenID      *string   `json:"token_id" required:"true" description:"Id of the token that was used; null if none was."`
	Address      *string   `json:"address" required:"true" description:"Address that the request came from; command line for a command on the server."`
	Action       string    `json:"action" required:"true" example:"token.create"`
	Target       *string   `json:"target" required:"true" description:"Object of the event: a user's name, or the id of a token, a wallet or a proposal."`
	Outcome      string    `json:"outcome" required:"true" enum:"ok,refused"`
	Detail       *string   `json:"detail" required:"true" description:"Further details, without names, labels, addresses, transactions or amounts of wallets. Earlier versions recorded some; they are omitted here, but hash covers them."`
	Position     *int64    `json:"position" required:"true" description:"Position in the hash chain, starting at 1; null during the first second."`
	PreviousHash *string   `json:"previous_hash" required:"true" description:"Hash of the previous entry in the chain."`
	Hash         *string   `json:"hash" required:"true" description:"SHA-256 of the entry and previous_hash."`
}

func auditEntryOf(e auth.Entry) auditEntry {
	out := auditEntry{
		ID: e.ID, At: e.At.UTC(), User: optionalText(e.UserName), TokenID: optionalText(e.TokenID), Address: optionalText(e.Address),
		Action: e.Action, Target: optionalText(e.Target), Outcome: e.Outcome, Detail: optionalText(e.SharedDetail()),
		PreviousHash: optionalText(e.PreviousHash), Hash: optionalText(e.Hash),
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
func (a *API) ListAudit(ctx context.Context, in listAuditRequest) (list[auditEntry], error) {
	limit, err := in.limit()
	if err != nil {
		return list[auditEntry]{}, err
	}
	before, err := in.number()
	if err != nil {
		return list[auditEntry]{}, err
	}
	if in.Outcome != "" && in.Outcome != "ok" && in.Outcome != "refused" {
		return list[auditEntry]{}, fault.InvalidField("outcome", "must be ok or refused")
	}
	f := auth.AuditFilter{UserName: in.User, Action: in.Action, Target: in.Target, Outcome: in.Outcome}
	if f.Since, f.Until, err = in.times(); err != nil {
		return list[auditEntry]{}, err
	}
	entries, err := a.o.Audit.List(ctx, f, before, limit+1)
	if err != nil {
		return list[auditEntry]{}, err
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
