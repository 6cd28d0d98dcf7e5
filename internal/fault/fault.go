// Package fault defines the errors that all packages share. A fault has a kind and
// a code for machines, and a message that is safe to show to the caller of a
// request. An error that is not a fault indicates a defect or a broken dependency:
// it is logged, and its text never leaves the process.
package fault

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kind classifies a fault. Only the HTTP layer maps kinds to statuses, and only the
// command line maps them to exit statuses.
type Kind uint8

// The kinds of fault.
const (
	// Internal: a defect. It is also the kind of every error that is not a fault.
	Internal Kind = iota
	// Invalid: the input is malformed or fails validation.
	Invalid
	// Unauthenticated: the request has no credential, or its credential was rejected.
	Unauthenticated
	// Forbidden: the credential is valid, but lacks the scope or the role.
	Forbidden
	// NotFound: the object does not exist, or does not belong to the caller, who cannot
	// distinguish the two.
	NotFound
	// Gone: the object existed, but was deleted after some time.
	Gone
	// Conflict: the request conflicts with the current state.
	Conflict
	// TooLarge: the request's body is over the limit.
	TooLarge
	// UnsupportedMedia: the media type of the request's body is not supported.
	UnsupportedMedia
	// MethodNotAllowed: the path exists, but not for this method.
	MethodNotAllowed
	// TooMany: a limit on the requests of the caller is exceeded. RetryAfter is the delay
	// before a retry.
	TooMany
	// BadGateway: the node's response is invalid.
	BadGateway
	// Unavailable: the request cannot be processed now, for example because the database
	// or the node does not respond.
	Unavailable
	// Unprocessable: the request is valid, but differs from the request that it
	// claims to repeat.
	Unprocessable
	// Misdirected: the request was meant for another host.
	Misdirected
	// PreconditionFailed: the resource is not in the state that the request requires.
	PreconditionFailed
	// Refused: the node returned an error without a more specific kind.
	Refused
)

// Field is a problem with one field of a request. Message never contains text from the
// request, which may be secret.
type Field struct {
	Name    string
	Message string
}

// Error is a failure whose message may be shown to the caller. Values are
// immutable: methods that change something return a copy.
type Error struct {
	Kind    Kind
	Code    string // stable and machine-readable, such as "token_not_found"
	Message string
	Fields  []Field           // problems of individual fields, for Invalid
	Details map[string]string // additional members for machines, such as required_scope
	// RetryAfter is the delay before a retry; zero if waiting does not help.
	RetryAfter time.Duration
	// Limits are the limits of spending policies that a payment exceeds.
	Limits []Limit
	// PermittedAt is the first time at which all spending policies permit the payment; zero if
	// none can be named. See policy.Decision.
	PermittedAt time.Time
	cause       error
}

// Limit is a limit of a spending policy; see policy.Refusal.
type Limit struct {
	Layer, Rule, Field, Limit, Used string
	FreesAt                         time.Time
	// Message is an English sentence, with its amounts in satoshis.
	Message fmt.Stringer
}

// New returns a fault of the given kind.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField returns an Invalid fault about one field of the request.
func InvalidField(name, format string, args ...any) *Error {
	return InvalidAs("invalid_input", name, format, args...)
}

// InvalidAs is like InvalidField, with the given code instead of invalid_input.
func InvalidAs(code, name, format string, args ...any) *Error {
	e := Error{Kind: Invalid, Code: code}
	return e.WithField(name, format, args...)
}

// WithField returns a copy of e about one field of the request. The message of the copy
// consists of the field's name and message.
func (e *Error) WithField(name, format string, args ...any) *Error {
	c := *e
	c.Fields = []Field{{Name: name, Message: fmt.Sprintf(format, args...)}}
	c.Message = name + ": " + c.Fields[0].Message
	return &c
}

// ForField returns a copy of e with its field renamed to the name in the caller's
// request. It returns e itself unless e is about exactly one field.
func (e *Error) ForField(name string) *Error {
	if len(e.Fields) != 1 {
		return e
	}
	return e.WithField(name, "%s", e.Fields[0].Message)
}

// Join returns one fault about all fields that the faults are about, in their order. It has
// the code of the first fault if all have the same, and otherwise the code invalid_input. A
// single fault is returned unchanged.
func Join(first *Error, others ...*Error) *Error {
	if len(others) == 0 {
		return first
	}
	joined := *first
	joined.Fields = slices.Clone(first.Fields)
	for _, f := range others {
		if f.Code != joined.Code {
			joined.Code = "invalid_input"
		}
		joined.Fields = append(joined.Fields, f.Fields...)
		joined.Message += "; " + f.Message
	}
	return &joined
}

// JoinErrors combines the problems of a request like Join. It ignores nil errors, and returns
// nil without others. If some errors are not Invalid faults about fields, it returns the first
// of these alone.
func JoinErrors(errs ...error) error {
	var problems []*Error
	for _, err := range errs {
		e, ok := err.(*Error) //nolint:errorlint // a wrapped fault has context that must not get lost
		switch {
		case err == nil:
		case !ok || e.Kind != Invalid || len(e.Fields) == 0:
			return err
		default:
			problems = append(problems, e)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return Join(problems[0], problems[1:]...)
}

// WithCause returns a copy of e that wraps cause, which is logged and not shown.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// WithMessage returns a copy of e with another message.
func (e *Error) WithMessage(format string, args ...any) *Error {
	c := *e
	c.Message = fmt.Sprintf(format, args...)
	return &c
}

// WithRetryAfter returns a copy of e with a delay before a retry.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// WithDetail returns a copy of e with an additional detail for machines.
func (e *Error) WithDetail(key, value string) *Error {
	c := *e
	c.Details = map[string]string{key: value}
	for k, v := range e.Details {
		if k != key {
			c.Details[k] = v
		}
	}
	return &c
}

// WithLimits returns a copy of e with the limits that a payment exceeds, and the time at which all
// spending policies permit it.
func (e *Error) WithLimits(limits []Limit, permittedAt time.Time) *Error {
	c := *e
	c.Limits, c.PermittedAt = limits, permittedAt
	return &c
}

func (e *Error) Error() string {
	if e.cause != nil {
		return e.Message + ": " + e.cause.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is a fault with the same code, so that sentinels
// such as auth.ErrTokenNotFound match copies of themselves that wrap a cause.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// KindOf returns the kind of the outermost fault in err's chain, or Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
