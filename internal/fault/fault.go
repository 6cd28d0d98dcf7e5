// Package fault is the vocabulary of failure that all packages share. A fault
// says what kind of failure it is, for machines, and carries a message that is
// safe to show to whoever made the request. An error that is not a fault is a
// defect or a broken dependency: it is logged, and its text never leaves the
// process.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind classifies a fault. Only the HTTP layer knows which status a kind has,
// and only the command line which exit status.
type Kind uint8

// The kinds of fault.
const (
	// Internal is what an error is that is not a fault.
	Internal Kind = iota
	// Invalid input: syntax or validation.
	Invalid
	// Unauthenticated: no credential, or one that is not accepted.
	Unauthenticated
	// Forbidden: the credential is good, but lacks the scope or the role.
	Forbidden
	// NotFound: absent, or not the caller's; they cannot tell the two apart.
	NotFound
	// Conflict with the state of things as they are.
	Conflict
	// TooLarge: the request's body is over the limit.
	TooLarge
	// UnsupportedMedia: the request's body is not of a type that is read here.
	UnsupportedMedia
	// MethodNotAllowed: the path exists, but not for this method.
	MethodNotAllowed
	// TooMany requests; RetryAfter says when to come back.
	TooMany
	// BadGateway: the node answered with something that makes no sense.
	BadGateway
	// Unavailable: the database or the node does not answer now.
	Unavailable
	// Unprocessable: the request is right by itself, and not what it says it
	// repeats.
	Unprocessable
	// Misdirected: the request was meant for another host.
	Misdirected
	// PreconditionFailed: what the request names as known to the caller is not so
	// any more.
	PreconditionFailed
	// Refused: the node refused a call for a reason that is not told apart.
	Refused
)

// Field is what is wrong with one field of a request. Message never repeats
// the value that was sent.
type Field struct {
	Name    string
	Message string
}

// Error is a failure whose message may be shown to the caller. Values are
// treated as immutable: the methods that change something return a copy.
type Error struct {
	Kind    Kind
	Code    string // stable and machine-readable, such as "token_not_found"
	Message string
	Fields  []Field           // what is wrong with which field, for Invalid
	Details map[string]string // further members for machines, such as required_scope
	// RetryAfter is how long a caller should wait before another try; zero
	// where waiting does not help.
	RetryAfter time.Duration
	cause      error
}

// New returns a fault of the given kind.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField returns an Invalid fault about one field of the request.
func InvalidField(name, format string, args ...any) *Error {
	return InvalidAs("invalid_input", name, format, args...)
}

// InvalidAs is InvalidField with a code of its own.
func InvalidAs(code, name, format string, args ...any) *Error {
	e := Error{Kind: Invalid, Code: code}
	return e.About(name, format, args...)
}

// About returns a copy of e that is about one field of the request, and says so.
func (e *Error) About(name, format string, args ...any) *Error {
	c := *e
	c.Fields = []Field{{Name: name, Message: fmt.Sprintf(format, args...)}}
	c.Message = name + ": " + c.Fields[0].Message
	return &c
}

// ForField returns a copy of e, a fault about one field, that calls the field by
// the name it has in the caller's request.
func (e *Error) ForField(name string) *Error {
	if len(e.Fields) != 1 {
		return e
	}
	return e.About(name, "%s", e.Fields[0].Message)
}

// Because returns a copy of e that wraps cause, which is logged and not shown.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Saying returns a copy of e with another message.
func (e *Error) Saying(format string, args ...any) *Error {
	c := *e
	c.Message = fmt.Sprintf(format, args...)
	return &c
}

// After returns a copy of e that tells the caller when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// With returns a copy of e with one more detail for machines.
func (e *Error) With(key, value string) *Error {
	c := *e
	c.Details = map[string]string{key: value}
	for k, v := range e.Details {
		if k != key {
			c.Details[k] = v
		}
	}
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

// KindOf returns the kind of the outermost fault in err's chain, and Internal
// where there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
