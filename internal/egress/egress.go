// Package egress sends HTTP requests to URLs that users chose. Every address is checked
// after name resolution and before the connection, so that no user can reach the services
// of this machine or of its networks, whatever a URL contains or a name resolves to.
package egress

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/proxy"
)

// Limits of a request.
const (
	// Timeout is the limit for name resolution, connection, request and response together.
	Timeout = 15 * time.Second
	// MaxExcerpt is the maximum length of Result.Excerpt, and the number of bytes that are
	// read of a response's body.
	MaxExcerpt = 4000
	// MaxRetryAfter is the maximum of Result.RetryAfter.
	MaxRetryAfter = 24 * time.Hour
	maxHeader     = 16 << 10
)

// Options are the targets that the operator allows, and the environment of a client.
type Options struct {
	// Private allows addresses of private networks (RFC 1918, fc00::/7).
	Private bool
	// Hosts are allowed at any address, including loopback, and with http.
	Hosts []Host
	// SOCKS is the host:port of a SOCKS5 proxy, which resolves and connects .onion names;
	// these are refused if it is empty. Other targets never use it.
	SOCKS string
	// Resolver is the DNS resolver; nil means the system's.
	Resolver *net.Resolver
	// RootCAs are the certificate authorities; nil means the system's.
	RootCAs *x509.CertPool
	// Now is the clock of Result.Took and of Retry-After dates.
	Now func() time.Time
}

// Client sends requests. It is safe for concurrent use.
type Client struct {
	options Options
	socks   proxy.ContextDialer
	timeout time.Duration
	// connecting is called immediately before each connection to an allowed address. An error
	// prevents the connection. Only tests set it.
	connecting func(network, address string) error
}

// New returns a client.
func New(o Options) *Client {
	c := Client{options: o, timeout: Timeout}
	if o.SOCKS != "" {
		c.socks = onionDialer(o.SOCKS)
	}
	return &c
}

// Request is a POST request. The header User-Agent is specterd by default.
type Request struct {
	URL    string
	Header map[string]string
	Body   []byte
}

// Result is the outcome of a request. Everything except Target and Cause may be shown to
// the user who chose the URL: Excerpt is empty and Problem is always the same text if the
// target, or the reason why it was refused, could reveal something about the operator's
// network.
type Result struct {
	// Status is the status of the response, or 0 without a response. Redirects are not
	// followed: their status is returned.
	Status int
	// Problem is the reason why no response came. It is empty if Status is not 0.
	Problem string
	// Excerpt is the start of the response's body as valid text (text.Problem). A body that
	// is slow or incomplete does not change the status.
	Excerpt string
	// RetryAfter is the delay of the header Retry-After, up to MaxRetryAfter; 0 without a
	// valid one.
	RetryAfter time.Duration
	// Took is the duration of the whole request.
	Took time.Duration
	// Target is the class of the addresses to which a connection was attempted.
	Target Class
	// Cause is the error behind Problem, for the log.
	Cause error
}

// OK reports whether the receiver has accepted the request.
func (r Result) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Check returns a fault about the field url if requests to this URL are always refused. It
// resolves no names: the addresses of a name are checked for each connection.
func (c *Client) Check(url string) error {
	if _, err := c.target(url); err != nil {
		return err
	}
	return nil
}

// Post sends a request once, on a connection that is used for nothing else. It follows no
// redirects, uses no proxy from the environment, and returns within Timeout.
func (c *Client) Post(ctx context.Context, r Request) Result {
	start := c.options.Now()
	result := c.post(ctx, r)
	result.Took = c.options.Now().Sub(start)
	return result
}

func (c *Client) post(ctx context.Context, r Request) Result {
	to, refused := c.target(r.URL)
	if refused != nil {
		return Result{Target: Refused, Problem: refused.Message, Cause: refused}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel() // also closes the connection: see attempt.dial
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url.String(), bytes.NewReader(r.Body))
	if err != nil {
		return Result{Target: Refused, Problem: unreachable, Cause: err}
	}
	req.Header.Set("User-Agent", "specterd")
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	a := attempt{client: c, target: to}
	resp, err := a.transport(ctx).RoundTrip(req)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err) // err is about the closed connection
	}
	if err != nil {
		return a.failure(err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is lost: the status is known
	result := Result{Status: resp.StatusCode, Target: a.class(), RetryAfter: retryAfter(resp.Header.Get("Retry-After"), c.options.Now())}
	if !a.isHidden() {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, MaxExcerpt)) // an incomplete body is shown as far as it was received
		result.Excerpt = excerpt(body)
	}
	return result
}
