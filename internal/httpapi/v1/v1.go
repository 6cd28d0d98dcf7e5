// Package v1 is the API that we would want to use: what each request and
// response looks like, and nothing else. What is decided is decided by the
// services behind it.
package v1

import (
	"bytes"
	"context"
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// Node says what is known of the node, without waiting for it.
type Node interface{ Status() nodestatus.Status }

// Options are what the handlers work with.
type Options struct {
	Users     *auth.Users
	Tokens    *auth.Tokens
	Audit     *auth.Audit
	Wallets   *wallets.Service
	Proposals *proposal.Service
	Node      Node
	Now       func() time.Time
}

// API holds the handlers.
type API struct{ o Options }

// New returns the handlers.
func New(o Options) *API { return &API{o} }

// page is the request for a part of a list.
type page struct {
	Limit  int    `query:"limit" json:"-" minimum:"1" maximum:"1000" default:"100" description:"Maximum number of entries."`
	Cursor string `query:"cursor" json:"-" description:"next_cursor of the previous page."`
}

const (
	defaultLimit = 100 // as in the tag of page.Limit
	maxLimit     = 1000
)

func (p page) limit() (int, error) {
	if p.Limit < 1 || p.Limit > maxLimit {
		return 0, fault.InvalidField("limit", "has to be 1 to %d", maxLimit)
	}
	return p.Limit, nil
}

// list is one page of a list and where the next begins.
type list[T any] struct {
	Items      []T     `json:"items" required:"true" nullable:"false"`
	NextCursor *string `json:"next_cursor" required:"true" description:"Value of cursor for the next page; null on the last page."`
}

// newList makes a page of limit items at most from rows, which were asked for
// with a limit one higher, so that it is known whether more follow.
func newList[R, T any](rows []R, limit int, convert func(R) T, cursor func(R) string) list[T] {
	more := len(rows) > limit
	if more {
		rows = rows[:limit]
	}
	out := list[T]{Items: make([]T, len(rows))}
	for i, row := range rows {
		out.Items[i] = convert(row)
	}
	if more {
		next := base64.RawURLEncoding.EncodeToString([]byte(cursor(rows[limit-1])))
		out.NextCursor = &next
	}
	return out
}

// place returns the text that the cursor stands for, which is empty at the
// beginning of a list.
func (p page) place() (string, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(p.Cursor)
	if err != nil || !utf8.Valid(text) || bytes.ContainsRune(text, 0) {
		return "", errCursor
	}
	return string(text), nil
}

var errCursor = fault.InvalidField("cursor", "is not one that an earlier answer gave as next_cursor")

// optionalTime returns nil for a time that there is not.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC().Truncate(time.Microsecond)
	return &utc
}

func optionalText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func caller(ctx context.Context) *auth.Principal { return auth.PrincipalFrom(ctx) }
