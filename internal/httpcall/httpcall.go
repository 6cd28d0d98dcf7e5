// Package httpcall contains the data that the API and the console share about a request in
// progress: its id and its client, the caller for the log line, the status of a fault, which
// errors are logged, the response writer of requests whose number is limited, and compressed content.
package httpcall

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// Info is the state of a request in progress. The outermost handler fills in the first
// fields, and the handler of the route the others, for the log line of the request.
type Info struct {
	ID      [1]string // an array, because the response header is a slice of it
	Address string    // of the client
	Secure  bool      // whether the client uses HTTPS

	Route   string // path pattern of the matching route; empty without one
	User    string
	TokenID string

	restsAt time.Time // when the response began to wait for events; zero if it did not
}

// Rest records that the response waits from now on.
func (i *Info) Rest(now time.Time) {
	if i.restsAt.IsZero() {
		i.restsAt = now
	}
}

// TookUntil returns the duration of a request that ended at the given time, without the
// time for which its response waited for events.
func (i *Info) TookUntil(end, start time.Time) time.Duration {
	if !i.restsAt.IsZero() {
		end = i.restsAt
	}
	return end.Sub(start)
}

// Key is the key of the *Info in the context of a request.
type Key struct{}

// Of returns the state of the request with this context.
func Of(ctx context.Context) *Info {
	if i, ok := ctx.Value(Key{}).(*Info); ok {
		return i
	}
	return &Info{}
}

var statuses = map[fault.Kind]int{
	fault.Internal:           http.StatusInternalServerError,
	fault.Invalid:            http.StatusBadRequest,
	fault.Unauthenticated:    http.StatusUnauthorized,
	fault.Forbidden:          http.StatusForbidden,
	fault.NotFound:           http.StatusNotFound,
	fault.Gone:               http.StatusGone,
	fault.Conflict:           http.StatusConflict,
	fault.TooLarge:           http.StatusRequestEntityTooLarge,
	fault.UnsupportedMedia:   http.StatusUnsupportedMediaType,
	fault.MethodNotAllowed:   http.StatusMethodNotAllowed,
	fault.TooMany:            http.StatusTooManyRequests,
	fault.BadGateway:         http.StatusBadGateway,
	fault.Refused:            http.StatusBadGateway,
	fault.Unavailable:        http.StatusServiceUnavailable,
	fault.Unprocessable:      http.StatusUnprocessableEntity,
	fault.Misdirected:        http.StatusMisdirectedRequest,
	fault.PreconditionFailed: http.StatusPreconditionFailed,
}

// IsBrowser reports whether a browser sent the request to show the response as a page, or a script
// of a page did so. Other clients, such as curl and download managers, do not name HTML.
func IsBrowser(r *http.Request) bool {
	return strings.Contains(strings.Join(r.Header["Accept"], ","), "text/html")
}

// Status returns the HTTP status of a kind of fault.
func Status(kind fault.Kind) int { return statuses[kind] }

// ErrInternal is shown in place of errors that are not faults.
var ErrInternal = fault.New(fault.Internal, "internal", "something went wrong inside specterd; its log has the reason under this request's id")

var errGone = fault.New(fault.Unavailable, "client_disconnected", "the client closed the connection")

// Shown returns the fault to show for err. It logs an error that is not a fault, or is an
// internal one, and returns an internal fault without details. It also logs the causes of
// faults that concern the node or the database. If the client disconnected, it logs neither.
func Shown(log *slog.Logger, r *http.Request, err error) *fault.Error {
	f, ok := errors.AsType[*fault.Error](err)
	isDefect := !ok || f.Kind == fault.Internal
	switch {
	case r.Context().Err() != nil && (isDefect || worthLogging(f.Kind)): // the client disconnected
		return errGone
	case isDefect:
		log.ErrorContext(r.Context(), "request failed", "request_id", Of(r.Context()).ID[0], "error", err)
		return ErrInternal
	case worthLogging(f.Kind) && f.Unwrap() != nil:
		log.WarnContext(r.Context(), "request could not be answered", "request_id", Of(r.Context()).ID[0], "code", f.Code, "error", f.Unwrap())
	}
	return f
}

func worthLogging(kind fault.Kind) bool {
	return kind == fault.Unavailable || kind == fault.BadGateway || kind == fault.Refused
}

// SetRetryAfter sets Retry-After (RFC 9110, section 10.2.3) if the fault has a delay.
func SetRetryAfter(h http.Header, f *fault.Error) {
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(RetrySeconds(f.RetryAfter)))
	}
}

// RetrySeconds returns d as a number of seconds. It rounds up, so that a client does not
// retry too early.
func RetrySeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
