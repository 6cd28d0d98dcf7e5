package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/fault"
)

// apiError is an error of a request to the API with another text, and the errors that it is.
type apiError struct {
	text string
	errs []error
}

func (e apiError) Error() string { return e.text }

func (e apiError) Unwrap() []error { return e.errs }

// explain replaces an error of the API by the fault of the service in this process, or for a server
// by a fault that says what to do.
func (c *connection) explain(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	better := error(c.faultOf(e))
	if c.direct != nil {
		cause := c.direct.Cause(e.RequestID)
		if cause == nil { // no request was sent
			cause = errors.New(e.Message)
		}
		better = withoutCause(cause)
	}
	return apiError{strings.Replace(err.Error(), e.Error(), better.Error()+whenPermitted(e.PermittedAt, "; "), 1), []error{better, err}}
}

// withoutCause returns the fault whose message the API shows for an error. The cause remains if the
// error is one of this machine or the node, for which a server writes it to its log.
func withoutCause(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	switch f.Kind {
	case fault.Internal, fault.BadGateway, fault.Unavailable, fault.Refused:
		return err
	}
	return f.WithCause(nil)
}

// whenPermitted says after a separator when all spending policies permit a payment again, rounded up
// to a minute; nothing if no time can be named.
func whenPermitted(at *time.Time, separator string) string {
	if at == nil {
		return ""
	}
	return separator + "permitted from " + at.UTC().Add(time.Minute-1).Truncate(time.Minute).Format(timeLayout) + " if nothing else changes"
}

// faultOf returns the fault that an error of a server describes, with a remedy.
func (c *connection) faultOf(e *client.Error) *fault.Error {
	f := &fault.Error{Code: string(e.Code), Message: e.Message + c.remedyOf(e)}
	for _, field := range e.Fields {
		f.Fields = append(f.Fields, fault.Field{Name: field.Field, Message: field.Message})
	}
	if e.Code == client.ErrNetwork {
		f.Message = c.unreachable(e)
	}
	return f
}

// remedyOf returns what to do about an error of a server, in addition to its message.
func (c *connection) remedyOf(e *client.Error) string {
	switch e.Code {
	case client.ErrUnauthenticated:
		return fmt.Sprintf("; %s must contain a valid token of %s", tokenSource(c.server.TokenFile), c.server.URL)
	case client.ErrInsufficientScope:
		return "; create a token with it, with \"specterd token create --scopes\" or in the web console"
	case client.ErrPathNotFound, client.ErrMethodNotAllowed:
		return fmt.Sprintf("; the server at %s may be older than this program (%s): update it, or use the program of its version", c.server.URL, version)
	case client.ErrInternal:
		return fmt.Sprintf(" (%s, request %s)", c.server.URL, e.RequestID)
	}
	return ""
}

// unreachable returns the text of an error without a response.
func (c *connection) unreachable(e *client.Error) string {
	text := "cannot reach " + c.server.URL + ": "
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case errors.As(e, &certificate):
		return fmt.Sprintf("the certificate of %s is not trusted: %v; add the certificate of its authority to those of the system, or name its file in SSL_CERT_FILE", c.server.URL, certificate.Err)
	case errors.As(e, &header), strings.Contains(e.Error(), "server gave HTTP response to HTTPS client"):
		return text + "the server does not use TLS; check the address, which begins with http:// without TLS"
	case errors.As(e, &dns):
		return text + "unknown host " + dns.Name + "; check the address"
	case errors.Is(e, syscall.ECONNREFUSED):
		return text + "connection refused; check the address, and whether the server is running and listens there"
	case errors.Is(e, context.Canceled):
		return "interrupted; the server may have executed the request"
	case errors.Is(e, context.DeadlineExceeded):
		return text + "no response in time; the server may have executed the request"
	}
	if cause := e.Unwrap(); cause != nil {
		return text + cause.Error()
	}
	return text + e.Message
}
