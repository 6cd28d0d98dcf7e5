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
	User         *string   `json:"user" required:"true" description:"Who did it, by the name of that time; null for nobody known."`
	TokenID      *string   `json:"token_id" required:"true" description:"Of the token that it was done with, if any."`
	Address      *string   `json:"address" required:"true" description:"Where the request came from; command line for a command on the server."`
	Action       string    `json:"action" required:"true" example:"token.create"`
	Target       *string   `json:"target" required:"true" description:"What it was done to: a user's name, or the id of a token, a wallet or a proposal."`
	Outcome      string    `json:"outcome" required:"true" enum:"ok,refused"`
	Detail       *string   `json:"detail" required:"true" description:"What else was recorded. It has no names, labels, addresses, transactions or amounts of wallets; those that specterd recorded before this version are left out, though hash covers them."`
	Position     *int64    `json:"position" required:"true" description:"In the chain, from 1 on; null in the first second."`
	PreviousHash *string   `json:"previous_hash" required:"true" description:"The hash of the entry before it in the chain."`
	Hash         *string   `json:"hash" required:"true" description:"SHA-256 of the entry and of the hash before it."`
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
	User    string `query:"user" json:"-" description:"Only what this user did, by the name of that time."`
	Action  string `query:"action" json:"-" example:"token" description:"Only this action, or those of a group: token stands for token.create and its like."`
	Target  string `query:"target" json:"-" description:"Only what was done to this: a user's name, or the id of a token, a wallet or a proposal."`
	Outcome string `query:"outcome" json:"-" enum:"ok,refused" description:"Only what ended so."`
}

// ListAudit serves GET /api/v1/audit, the latest first.
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
		return list[auditEntry]{}, fault.InvalidField("outcome", "has to be ok or refused")
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

// number returns the number that the cursor stands for, which is 0 at the beginning
// of a list.
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
