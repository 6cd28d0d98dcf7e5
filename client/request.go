package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/api/v1"
)

// request is a request to the server.
type request struct {
	method, path string   // path with parameters in braces
	args         []string // values of the parameters, in their order
	query        url.Values
	body         any // encoded as JSON, unless it is a []byte
	contentType  string
	accept       string

	takesKey   bool // whether the operation takes an Idempotency-Key
	takesMatch bool // whether the operation takes If-Match
	key, etag  string
	knownETag  string // for If-None-Match

	lastEventID string
}

// CallOption is an option of one call.
type CallOption func(*request) error

// WithIdempotencyKey sets the Idempotency-Key of a call, 1 to 255 visible ASCII characters. For 24
// hours, the server executes calls with the same key and the same arguments only once.
func WithIdempotencyKey(key string) CallOption {
	return func(r *request) error {
		if !r.takesKey {
			return invalid("%s %s takes no Idempotency-Key", r.method, r.path)
		}
		if key == "" || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return invalid("an Idempotency-Key must consist of visible ASCII characters")
		}
		r.key = key
		return nil
	}
}

// Versioned is an object with an ETag, such as [v1.ProposalDetails] and [v1.PolicyDetails].
type Versioned interface {
	// ETag returns the ETag with quotation marks, or "" if the object has none.
	ETag() string
}

// IfMatch makes a call fail with 412 if the object has changed since it was read.
func IfMatch(object Versioned) CallOption {
	return func(r *request) error {
		if !r.takesMatch {
			return invalid("%s %s does not compare versions", r.method, r.path)
		}
		if object.ETag() == "" {
			return invalid("the object has no ETag, because it is from a list, a dry run or a repeated response")
		}
		r.etag = object.ETag()
		return nil
	}
}

// IfNoneMatch makes a call that reads an object fail with [ErrNotModified] if the object is still
// the same.
func IfNoneMatch(object Versioned) CallOption {
	return func(r *request) error {
		if r.method != http.MethodGet {
			return invalid("%s %s takes no If-None-Match", r.method, r.path)
		}
		r.knownETag = object.ETag()
		return nil
	}
}

// ProposalRef names a proposal: a [*v1.ProposalDetails] or another proposal that was read, or a
// [ProposalID]. The methods that change a proposal fail with [ErrProposalChanged] if it is not the
// current version of a proposal that was read. A proposal in a list has no version.
type ProposalRef interface {
	// Ref returns the id of the proposal, and its ETag or "".
	Ref() (id, etag string)
}

// ProposalID is the id of a proposal.
type ProposalID string

// Ref implements ProposalRef.
func (id ProposalID) Ref() (string, string) { return string(id), "" }

// refOf returns the id and the ETag of a proposal; the id of nil is "", which send refuses.
func refOf(p ProposalRef) (id, etag string) {
	if p == nil {
		return "", ""
	}
	return p.Ref()
}

// url returns the URL of the request.
func (r *request) url(base string) (string, error) {
	var b strings.Builder
	args := r.args
	for part := range strings.SplitSeq(strings.TrimPrefix(r.path, "/"), "/") {
		b.WriteByte('/')
		if !strings.HasPrefix(part, "{") {
			b.WriteString(part)
			continue
		}
		if args[0] == "" || args[0] == "." || args[0] == ".." { // such a path is the path of another request
			return "", invalid("%s of %s %s must not be %q", part, r.method, r.path, args[0])
		}
		b.WriteString(url.PathEscape(args[0]))
		args = args[1:]
	}
	if len(r.query) > 0 {
		b.WriteString("?" + r.query.Encode())
	}
	return base + b.String(), nil
}

// encode returns the body and its media type.
func (r *request) encode() (body []byte, contentType string, err error) {
	switch value := r.body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return value, r.contentType, nil
	}
	body, err = json.Marshal(r.body)
	return body, "application/json", err
}

// isRepeatable reports whether the server may get the request several times.
func (r *request) isRepeatable() bool {
	switch r.method {
	case http.MethodGet, http.MethodPut, http.MethodDelete:
		return true
	}
	return r.key != ""
}

// send sends a request, again after passing failures if that is safe, and calls read with the
// response. An error of read is a lost response, unless it is an [*Error].
func (c *Client) send(ctx context.Context, r request, options []CallOption, read func(*http.Response) error) error {
	if r.takesKey {
		r.key = rand.Text()
	}
	for _, option := range options {
		if err := option(&r); err != nil {
			return err
		}
	}
	target, err := r.url(c.base)
	if err != nil {
		return err
	}
	body, contentType, err := r.encode()
	if err != nil {
		return invalid("%w", err)
	}
	for attempt := 1; ; attempt++ {
		failed := c.attempt(ctx, &r, target, body, contentType, read)
		if failed == nil {
			return nil
		}
		failed.Attempts = attempt
		delay, passing := c.delayOf(failed, attempt)
		if !passing || !r.isRepeatable() || attempt > c.retries {
			return failed
		}
		if !sleep(ctx, delay) { // at once if ctx is done already
			return failed
		}
	}
}

// attempt sends a request once.
func (c *Client) attempt(ctx context.Context, r *request, target string, body []byte, contentType string, read func(*http.Response) error) *Error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(c.timeout, func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	response, err := c.open(ctx, r, target, body, contentType)
	if err != nil {
		return lostBy(ctx, err)
	}
	defer response.Body.Close() //nolint:errcheck // the body was read
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return errorOf(response)
	}
	if err := read(response); err != nil {
		return lostBy(ctx, err)
	}
	return nil
}

// lostBy is like lost. The cause is the time limit if that ended the request.
func lostBy(ctx context.Context, err error) *Error {
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && cause != nil {
		err = cause
	}
	return lost(err)
}

// open sends a request, and returns the response, whose body the caller must close.
func (c *Client) open(ctx context.Context, r *request, target string, body []byte, contentType string) (*http.Response, error) {
	outgoing, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"Authorization": c.authorization, "User-Agent": c.agent, "Accept": r.accept, "Content-Type": contentType,
		"Idempotency-Key": r.key, "If-Match": r.etag, "If-None-Match": r.knownETag, "Last-Event-ID": r.lastEventID,
	} {
		if value != "" {
			outgoing.Header.Set(name, value)
		}
	}
	return c.http.Do(outgoing)
}

// delayOf returns the delay before a repetition, and whether a repetition can succeed.
func (c *Client) delayOf(e *Error, attempt int) (delay time.Duration, passing bool) {
	waits := e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable || e.Code == ErrRequestInProgress
	if waits && e.RetryAfter > 0 { // a longer delay is for the caller to decide
		return e.RetryAfter + mathrand.N(500*time.Millisecond), e.RetryAfter <= c.maxWait //nolint:gosec // jitter
	}
	if e.Code == ErrNetwork {
		_, untrusted := errors.AsType[*tls.CertificateVerificationError](e)
		return backoff(attempt), !untrusted
	}
	isProxy := e.Code == ErrInvalidResponse && (e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout)
	return backoff(attempt), isProxy
}

// backoff returns the delay after a failed attempt: about 0.5, 1, 2 … seconds, up to 30.
func backoff(attempt int) time.Duration {
	longest := min(500*time.Millisecond<<min(attempt-1, 10), 30*time.Second)
	return longest/2 + mathrand.N(longest/2) //nolint:gosec // jitter
}

// sleep waits, and reports whether the time has passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// one sends a request whose response has an object.
func one[T any](ctx context.Context, c *Client, r request, options []CallOption) (*T, error) {
	out, err := maybe[T](ctx, c, r, options)
	if err == nil && out == nil {
		return nil, &Error{Code: ErrInvalidResponse, Message: "the response has no body", Attempts: 1}
	}
	return out, err
}

// maybe sends a request whose response may have an object. It returns nil without one.
func maybe[T any](ctx context.Context, c *Client, r request, options []CallOption) (*T, error) {
	var out *T
	err := c.send(ctx, r, options, func(response *http.Response) error {
		body, err := io.ReadAll(response.Body)
		if err != nil || len(body) == 0 {
			return err
		}
		out = new(T)
		if err := json.Unmarshal(body, out); err != nil {
			return &Error{Code: ErrInvalidResponse, Status: response.StatusCode, Message: "the response is not the expected JSON; check the address of the server", cause: err}
		}
		setVersion(out, response.Header.Get("ETag"))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// none sends a request whose response has no body.
func none(ctx context.Context, c *Client, r request, options []CallOption) error {
	return c.send(ctx, r, options, func(*http.Response) error { return nil })
}

// setVersion sets the version of an object from the ETag of its response. A proxy that compresses
// the response makes the ETag weak.
func setVersion(out any, etag string) {
	version, err := strconv.Atoi(strings.Trim(strings.TrimPrefix(etag, "W/"), `"`))
	if err != nil {
		return
	}
	switch out := out.(type) {
	case *v1.ProposalDetails:
		out.Version = version
	case *v1.CancelledProposal:
		out.Version = version
	case *v1.ProposalQR:
		out.Version = version
	}
}

// set adds a parameter to a query, unless its value is zero.
func set(query url.Values, name string, value any) {
	text := ""
	switch value := value.(type) {
	case string:
		text = value
	case int:
		if value != 0 {
			text = strconv.Itoa(value)
		}
	case int64:
		if value != 0 {
			text = strconv.FormatInt(value, 10)
		}
	case bool:
		if value {
			text = "true"
		}
	case []string:
		text = strings.Join(value, ",")
	case *string:
		if value != nil {
			query.Set(name, *value)
		}
		return
	case *bool:
		if value != nil {
			query.Set(name, strconv.FormatBool(*value))
		}
		return
	}
	if text != "" {
		query.Set(name, text)
	}
}
