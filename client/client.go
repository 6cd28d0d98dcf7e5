// Package client is a client of specterd, the API and web console for the watch-only wallets of a
// Bitcoin node. It requires the standard library only.
//
//	c, err := client.New("https://specterd.example", token)
//	…
//	wallet, err := c.GetWallet(ctx, "savings", nil)
//
// There is one method for each operation of the API, with the name of the operation in the OpenAPI
// specification. Package v1 has the types of requests and responses. A method for a list returns
// an iterator over all pages; with the suffix Page, it returns one page.
//
// # Errors
//
// A response that is not a success is an [*Error] with the code of the server. The codes are
// constants that errors.Is recognizes:
//
//	if errors.Is(err, client.ErrInsufficientFunds) { … }
//
// # Retries
//
// The client sends a request again after a lost connection, and after a response 429 or 503 that
// says when, if a repetition is safe: GET, PUT and DELETE, and the methods that create a wallet, an
// address or a proposal, bump one, or broadcast one. The client sends those with an
// Idempotency-Key, for which the server executes the request once. [WithIdempotencyKey] sets a key
// of your own, such as the number of an order, so that a call can also be repeated after a restart
// of the program. PATCH and other POST requests are sent once. [Error.Attempts] is the number of
// requests: if it is above 1, the server may have executed an earlier one, so that, for example, a
// second DELETE can fail with 404.
//
// # Changes by others
//
// A proposal that was read has the version of the response. A method that changes the proposal
// sends it (If-Match), and fails with [ErrProposalChanged] if the proposal has changed since. With
// [ProposalID] instead of the proposal, it does not compare versions. [IfMatch] does the same for
// policies.
package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:generate go -C .. run ./internal/clientgen

// Client is a client of one server. Several goroutines can share it.
type Client struct {
	base          string // URL without a slash at the end
	authorization string // value of the header, or empty
	http          *http.Client
	agent         string
	timeout       time.Duration
	retries       int
	maxWait       time.Duration
}

// Option is an option of New.
type Option func(*Client) error

// WithPassword authenticates with a user and a password, which some operations require, instead
// of a token, which must be empty.
func WithPassword(user, password string) Option {
	return func(c *Client) error {
		if c.authorization != "" {
			return errors.New("client: pass either a token or a password")
		}
		if strings.Contains(user, ":") {
			return errors.New("client: a user name must not contain a colon")
		}
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		c.authorization = r.Header.Get("Authorization")
		return nil
	}
}

// WithHTTPClient sends requests with another HTTP client, for example with other settings of TLS
// or a proxy. Its timeout also ends streams of events; [WithTimeout] does not. Redirects are
// always refused.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) error {
		c.http = h
		return nil
	}
}

// WithTimeout limits the time of each attempt, without the time to read an export or a stream.
// The default is one minute.
func WithTimeout(d time.Duration) Option {
	return func(c *Client) error {
		if d <= 0 {
			return errors.New("client: the timeout must be above 0")
		}
		c.timeout = d
		return nil
	}
}

// WithRetries sets how often a request is repeated, at most, and the longest Retry-After for which
// the client waits. The defaults are 3 and one minute.
func WithRetries(retries int, maxWait time.Duration) Option {
	return func(c *Client) error {
		if retries < 0 || maxWait < 0 {
			return errors.New("client: the number of retries and the maximum delay must not be negative")
		}
		c.retries, c.maxWait = retries, maxWait
		return nil
	}
}

// WithUserAgent sets the name of the program, which the server shows as the last use of the token.
func WithUserAgent(name string) Option {
	return func(c *Client) error {
		c.agent = name
		return nil
	}
}

// New returns a client of the server at baseURL, such as https://specterd.example. The token can
// be empty with [WithPassword], and for the health probes; white space around it, as in a file, is
// ignored.
func New(baseURL, token string, options ...Option) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("client: the address must be http://host:port or https://host, without credentials")
	}
	c := &Client{
		base: strings.TrimRight(baseURL, "/"), http: &http.Client{}, agent: "specterd-client-go", timeout: time.Minute,
		retries: 3, maxWait: time.Minute,
	}
	if token = strings.TrimSpace(token); token != "" {
		if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, errors.New("client: the token contains characters that no token has")
		}
		c.authorization = "Bearer " + token
	}
	for _, option := range options {
		if err := option(c); err != nil {
			return nil, err
		}
	}
	if c.http == nil {
		return nil, errors.New("client: the HTTP client is nil")
	}
	refusing := *c.http
	refusing.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // would send the credential to another address
	c.http = &refusing
	return c, nil
}

// String returns the address of the server.
func (c *Client) String() string { return fmt.Sprintf("client of %s", c.base) }

// IsMine reports whether an address belongs to one of the wallets that the token can read.
func (c *Client) IsMine(ctx context.Context, address string) (bool, error) {
	_, err := c.FindAddress(ctx, address)
	if errors.Is(err, ErrAddressNotFound) {
		return false, nil
	}
	return err == nil, err
}
