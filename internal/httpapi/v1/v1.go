// Package v1 defines the requests and responses of the API v1, and converts them to
// and from calls of the services, which contain the logic.
package v1

import (
	"bytes"
	"context"
	"encoding/base64"
	"time"
	"unicode/utf8"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	wallets "github.com/specterd/specterd/internal/wallet"
	webhooks "github.com/specterd/specterd/internal/webhook"
)

// Node returns the last known status of the node without waiting for it.
type Node interface{ Status() nodestatus.Status }

// Options are the dependencies of the handlers.
type Options struct {
	Users     *auth.Users
	Tokens    *auth.Tokens
	Audit     *auth.Audit
	Wallets   *wallets.Service
	Proposals *proposal.Service
	Events    *event.Service
	Webhooks  *webhooks.Service
	Spending  *spending.Service
	Node      Node
	Now       func() time.Time
}

// API holds the handlers.
type API struct{ o Options }

// New returns the handlers.
func New(o Options) *API { return &API{o} }

// page contains the query parameters that select a page of a list.
type page struct {
	Limit  int    `query:"limit" json:"-" minimum:"1" maximum:"1000" default:"100" description:"Maximum number of entries."`
	Cursor string `query:"cursor" json:"-" description:"next_cursor of the previous page."`
}

const (
	defaultLimit = 100 // must be equal to the default in the tag of page.Limit
	maxLimit     = 1000
)

func (p page) limit() (int, error) {
	if p.Limit < 1 || p.Limit > maxLimit {
		return 0, fault.InvalidField("limit", "must be 1 to %d", maxLimit)
	}
	return p.Limit, nil
}

// newList returns a page of at most limit items from rows. If there can be a next page, the
// caller must query limit+1 rows: the additional row shows that there is one. Otherwise
// limit is len(rows), and cursor may be nil.
func newList[R, T any](rows []R, limit int, convert func(R) T, cursor func(R) string) api.List[T] {
	more := len(rows) > limit
	if more {
		rows = rows[:limit]
	}
	out := api.List[T]{Items: make([]T, len(rows))}
	for i, row := range rows {
		out.Items[i] = convert(row)
	}
	if more {
		next := base64.RawURLEncoding.EncodeToString([]byte(cursor(rows[limit-1])))
		out.NextCursor = &next
	}
	return out
}

// place decodes the cursor. It returns "" for the beginning of a list.
func (p page) place() (string, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(p.Cursor)
	if err != nil || !utf8.Valid(text) || bytes.ContainsRune(text, 0) {
		return "", errCursor
	}
	return string(text), nil
}

var errCursor = fault.InvalidField("cursor", "must be the next_cursor of an earlier response")

// optionalTime returns t in UTC, truncated to microseconds, or nil for the zero time.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC().Truncate(time.Microsecond)
	return &utc
}

func caller(ctx context.Context) *auth.Principal { return auth.PrincipalFrom(ctx) }

// access returns the caller's access to the wallet that the path names.
func access(ctx context.Context) wallets.Access { return wallets.AccessFrom(ctx) }
