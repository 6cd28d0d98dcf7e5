// Package rpcclient is a JSON-RPC client for Bitcoin Core and Knots. It manages the
// connections and the credentials, and verifies that a response answers its request. It
// does not know the meaning of methods, does not log, and repeats a call only if the node
// rejected the credentials without processing the call (HTTP 401 or 403).
//
// Invariant: a call returns nil only if the node answered exactly that call, completely
// and well-formed; and no error contains a credential or a part of a response, except the
// message of an [RPCError].
package rpcclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/admission"
)

// Defaults of a Config.
const (
	DefaultTimeout     = 30 * time.Second
	DefaultMaxInFlight = 8
	// DefaultMaxAnswer is the maximum size of a response in bytes.
	DefaultMaxAnswer = 64 << 20
)

// Client calls one node, or one wallet of it. It is safe for concurrent use.
// The zero value is not usable; see New.
type Client struct {
	shared    *shared
	wallet    *string // the wallet in the path, or nil for the node itself
	timeout   time.Duration
	maxAnswer int64
}

// shared is the common state of the clients of a node and of its wallets.
type shared struct {
	transport   *http.Transport
	credentials *credentials
	node        url.URL
	slots       chan struct{} // one element per HTTP request in flight
	lastID      atomic.Uint64
}

// Request is one call of a batch.
type Request struct {
	Method string
	Params []any
	// Named are parameters by name, instead of Params.
	Named map[string]any
	// Out receives the result, as in [Client.Call].
	Out any
	// Err is set by Batch to an error of this call alone: an *RPCError,
	// ErrUnavailable while the node starts up, or ErrInvalidResponse if the result does
	// not fit Out.
	Err error
}

// New returns a client of the node in cfg, without contacting the node. For an
// invalid configuration it returns an Invalid fault that does not contain the URL.
func New(cfg Config) (*Client, error) {
	node, login, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	inFlight := cfg.MaxInFlight
	if inFlight == 0 {
		inFlight = DefaultMaxInFlight
	}
	timeout := cfg.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	known := &credentials{login: login}
	if login.empty() {
		known.file = cfg.CookieFile
	}
	return &Client{
		shared: &shared{
			transport:   newTransport(inFlight),
			credentials: known,
			node:        node,
			slots:       make(chan struct{}, inFlight),
		},
		timeout:   timeout,
		maxAnswer: DefaultMaxAnswer,
	}, nil
}

// Wallet returns a client of the node's wallet of that name. It shares the
// connections and the limit of requests in flight with c.
func (c *Client) Wallet(name string) *Client {
	w := *c
	w.wallet = &name
	return &w
}

// WithTimeout returns a client like c with a timeout of d per call, including the
// wait for a free slot; for long calls such as rescanblockchain.
func (c *Client) WithTimeout(d time.Duration) *Client {
	w := *c
	w.timeout = d
	return &w
}

// WithMaxAnswer returns a client like c that accepts responses of up to n bytes.
func (c *Client) WithMaxAnswer(n int64) *Client {
	w := *c
	w.maxAnswer = n
	return &w
}

// Call calls one method and decodes the result into out, which is a pointer as for
// json.Unmarshal, a [ResultReader] for results too long to hold in memory, or nil
// to discard the result. A result of null leaves out unchanged. Numbers decoded
// into an any are json.Numbers.
//
// It returns an *RPCError if the call failed; the faults ErrUnavailable, ErrBusy,
// ErrUnauthorized, ErrMethodForbidden and ErrInvalidResponse if there was no valid
// response; and ctx.Err() if ctx ended first. In all of these cases the content of
// out is undefined.
func (c *Client) Call(ctx context.Context, method string, params []any, out any) error {
	call := c.shared.number(Request{Method: method, Params: params})
	body, err := json.Marshal(call)
	if err != nil {
		return fmt.Errorf("encode call of %s: %w", method, err)
	}
	var refusal *wireError
	err = c.post(ctx, body, []string{method}, func(dec *jsontext.Decoder) error {
		refusal, err = readOne(dec, call.ID, out)
		return err
	})
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	if refusal != nil {
		return c.withoutSent(refusal.rpcError(method), params)
	}
	return nil
}

// Batch makes all calls in one HTTP request, and sets Out and Err of each. The node
// executes them sequentially, and continues after a failed one. Batch returns an error if
// the whole request failed: one of the errors that Call returns, except *RPCError. The
// results in reqs must not be used then. A batch without calls does nothing.
func (c *Client) Batch(ctx context.Context, reqs []Request) error {
	if len(reqs) == 0 {
		return nil
	}
	calls, methods := make([]wireCall, len(reqs)), make([]string, len(reqs))
	for i, r := range reqs {
		calls[i], methods[i] = c.shared.number(r), r.Method
	}
	body, err := json.Marshal(calls)
	if err != nil {
		return fmt.Errorf("encode batch: %w", err)
	}
	err = c.post(ctx, body, methods, func(dec *jsontext.Decoder) error { return readBatch(dec, calls, reqs) })
	if err != nil {
		return fmt.Errorf("call batch of %d, first %s: %w", len(reqs), reqs[0].Method, err)
	}
	for i, r := range reqs {
		reqs[i].Err = c.withoutSent(r.Err, []any{r.Params, r.Named})
	}
	return nil
}

// Close closes idle connections. The client, and those derived from it, stay
// usable.
func (c *Client) Close() { c.shared.transport.CloseIdleConnections() }

// number gives a call an id that is unique among the clients of this node.
func (s *shared) number(r Request) wireCall {
	call := wireCall{Version: "1.0", ID: s.lastID.Add(1), Method: r.Method, Params: []any{}}
	switch {
	case r.Named != nil:
		call.Params = r.Named
	case r.Params != nil:
		call.Params = r.Params
	}
	return call
}

// post sends body, which calls methods, within the client's limits, and calls read
// to decode the response.
func (c *Client) post(ctx context.Context, body []byte, methods []string, read func(*jsontext.Decoder) error) error {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := admission.Idle(ctx, func() error {
		return c.inSlot(limited, func() error {
			return c.shared.exchange(limited, c.url(), body, c.maxAnswer, read)
		})
	})
	if errors.Is(err, errForbidden) {
		return forbidden(methods, err)
	}
	if err == nil || errors.Is(err, ErrInvalidResponse) || limited.Err() == nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return unavailable(timeoutMessage, limited.Err())
}

// inSlot calls send once fewer than MaxInFlight other requests are in flight.
func (c *Client) inSlot(ctx context.Context, send func() error) error {
	select {
	case c.shared.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.shared.slots }()
	return send()
}

// url returns the URL for calls. A wallet's name is one escaped segment of the
// path.
func (c *Client) url() *url.URL {
	u := c.shared.node
	u.Path = "/"
	if c.wallet != nil {
		u.Path = "/wallet/" + *c.wallet
		u.RawPath = "/wallet/" + url.PathEscape(*c.wallet)
	}
	return &u
}
