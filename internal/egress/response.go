package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/text"
)

// unreachable is the only problem that is shown for names that do not resolve, and for
// refused and private addresses. Distinct texts would tell users which names and services
// exist in the operator's network.
const unreachable = "the host has no address that is allowed and responds"

// problems are the texts for errors of public targets, in the order of precedence. The text
// of an error itself is never shown, because it can contain the server's own addresses.
var problems = []struct {
	matches func(error) bool
	text    string
}{
	{is(context.DeadlineExceeded), "no response within 15 seconds"},
	{is(os.ErrDeadlineExceeded), "no response within 15 seconds"}, // of the SOCKS client
	{is(context.Canceled), "the request was interrupted"},
	{is(errRefused), "public addresses require https"},
	{as[x509.UnknownAuthorityError], "the TLS certificate was issued by an unknown authority"},
	{as[x509.HostnameError], "the TLS certificate is not valid for this host"},
	{as[x509.CertificateInvalidError], "the TLS certificate is invalid or has expired"},
	{as[*tls.CertificateVerificationError], "the TLS certificate cannot be verified"},
	{as[tls.RecordHeaderError], "the port does not use TLS"},
	{is(errHandshake), "the TLS handshake failed"},
	{is(errSOCKS), "the SOCKS proxy could not connect"},
	{is(syscall.ECONNREFUSED), "connection refused"},
	{is(syscall.EHOSTUNREACH), "host unreachable"},
	{is(syscall.ENETUNREACH), "network unreachable"},
	{is(syscall.ETIMEDOUT), "no response to the connection"},
	{is(syscall.ECONNRESET), "connection closed before a response"},
	{is(io.EOF), "connection closed before a response"},
	{is(io.ErrUnexpectedEOF), "connection closed before a response"},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// problem returns the text that is shown for an error.
func problem(err error) string {
	for _, p := range problems {
		if p.matches(err) {
			return p.text
		}
	}
	return "no valid HTTP response"
}

// excerpt returns the start of a body as valid text of at most MaxExcerpt bytes.
func excerpt(body []byte) string {
	s := text.Clean(string(body))
	if len(s) <= MaxExcerpt {
		return s
	}
	end := MaxExcerpt
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// retryAfter parses the header Retry-After, which is a number of seconds or a date.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}

func portText(port uint16) string { return strconv.Itoa(int(port)) }
