package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/api/v1"
)

// Code identifies a problem. It is an error, so that errors.Is(err, ErrWalletNotFound) recognizes
// an [*Error] with this code.
type Code string

// Error implements error.
func (c Code) Error() string { return string(c) }

// Codes of the client itself.
const (
	// ErrNetwork: no complete response was received, because the server was not reached, or the
	// connection failed, or the time limit was exceeded.
	ErrNetwork Code = "network_error"
	// ErrInvalidResponse: the response is not from specterd, for example from a proxy.
	ErrInvalidResponse Code = "invalid_response"
	// ErrInvalidRequest: the arguments of the call are invalid, and no request was sent.
	ErrInvalidRequest Code = "invalid_request"
	// ErrNotModified: the object still has the ETag of IfNoneMatch.
	ErrNotModified Code = "not_modified"
	// ErrProposalClosed: the proposal was closed, so that WaitFor cannot succeed.
	ErrProposalClosed Code = "proposal_closed"
	// ErrUntrustedMessage: a message is not from the webhook, or was signed too long ago.
	ErrUntrustedMessage Code = "untrusted_message"
)

// Error is a request that failed.
type Error struct {
	Code    Code   // of the problem; it never changes
	Status  int    // HTTP status, or 0 without a response
	Message string // text for people
	// Fields lists the problems of each field of the request.
	Fields []v1.ProblemField
	// RequiredScope and RequiredRole are what the credential lacks.
	RequiredScope, RequiredRole string
	// RetryAfter is the delay that the server requests before the next attempt; 0 without one.
	RetryAfter time.Duration
	RequestID  string            // finds the request in the log of the server
	Details    map[string]string // values for the code, such as lowest_height
	Limits     []v1.ProblemLimit // limits of spending policies that the payment exceeds
	// PermittedAt is the first time at which all policies permit the payment, with Limits; nil if
	// none can be named.
	PermittedAt *time.Time
	// Attempts is the number of requests. If it is above 1, the server may have executed an earlier
	// one, whose response was lost.
	Attempts int

	cause error
}

// Error returns the message, the problems of the fields that it does not contain, and the code.
func (e *Error) Error() string {
	parts := []string{e.Message}
	for _, f := range e.Fields {
		if !strings.Contains(e.Message, f.Message) {
			parts = append(parts, f.Field+": "+f.Message)
		}
	}
	notes := []string{string(e.Code)}
	if e.Status != 0 {
		notes = append(notes, fmt.Sprintf("status %d", e.Status))
	}
	if e.RequiredScope != "" {
		notes = append(notes, "requires the scope "+e.RequiredScope)
	}
	if e.RequestID != "" {
		notes = append(notes, "request "+e.RequestID)
	}
	return strings.Join(parts, "; ") + " (" + strings.Join(notes, ", ") + ")"
}

// Is reports whether target is the code of e.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// Unwrap returns the cause of a network error, such as context.DeadlineExceeded.
func (e *Error) Unwrap() error { return e.cause }

// errorOf reads the error of a response that is not a success.
func errorOf(r *http.Response) *Error {
	e := &Error{Status: r.StatusCode, RequestID: r.Header.Get("X-Request-Id")}
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 { // specterd sends no dates
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	if r.StatusCode == http.StatusNotModified {
		e.Code, e.Message = ErrNotModified, "the object has not changed"
		return e
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		e.Code, e.Message, e.cause = ErrNetwork, fmt.Sprintf("the connection ended within the response %d", r.StatusCode), err
		return e
	}
	var problem struct {
		v1.Problem
		Text string `json:"message"` // of the health probes
	}
	if json.Unmarshal(body, &problem) != nil || problem.Code == "" && problem.Text == "" {
		e.Code, e.Message = ErrInvalidResponse, fmt.Sprintf("the response %d is not from specterd; check the address, and the proxy if there is one", r.StatusCode)
		return e
	}
	e.Code, e.Message = Code(problem.Code), problem.Detail
	if problem.Code == "" {
		e.Code, e.Message = Code("status_"+strconv.Itoa(r.StatusCode)), problem.Text
	}
	e.Fields, e.RequiredScope, e.RequiredRole, e.Details = problem.Errors, problem.Scope, problem.Role, problem.Details
	e.Limits, e.PermittedAt = problem.Limits, problem.PermittedAt
	if problem.RequestID != "" {
		e.RequestID = problem.RequestID
	}
	return e
}

// lost returns the error of a request without a complete response.
func lost(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: ErrNetwork, Message: "no complete response from the server: " + err.Error(), cause: err}
}

// invalid returns the error of arguments for which no request is sent.
func invalid(format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: ErrInvalidRequest, Message: err.Error(), cause: errors.Unwrap(err)}
}
