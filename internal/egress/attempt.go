package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/net/proxy"
)

var (
	errRefused   = errors.New("address refused")
	errHandshake = errors.New("TLS handshake")
	errSOCKS     = errors.New("SOCKS proxy")
)

// attempt is one request. It records the classes of the addresses to which it connects.
type attempt struct {
	client *Client
	target target

	mu   sync.Mutex // a dialer connects to IPv4 and IPv6 addresses at the same time
	seen Class      // the most protected class so far
}

// transport returns a transport for this attempt alone. A connection is not used again, so
// that every request is checked.
func (a *attempt) transport(ctx context.Context) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		// A dial in a transport outlives its request; with the context of the attempt it
		// ends with the attempt.
		DialContext:            func(_ context.Context, network, _ string) (net.Conn, error) { return a.dial(ctx, network) },
		DialTLSContext:         func(_ context.Context, network, _ string) (net.Conn, error) { return a.dialTLS(ctx, network) },
		Protocols:              protocols,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// dial connects to the target. The connection is closed when ctx ends: net/http leaves
// a connection open that was switched to another protocol (status 101).
func (a *attempt) dial(ctx context.Context, network string) (net.Conn, error) {
	var dialer proxy.ContextDialer = &net.Dialer{ControlContext: a.control, Resolver: a.client.options.Resolver}
	if a.target.onion {
		a.see(Onion)
		dialer = a.client.socks
	}
	conn, err := dialer.DialContext(ctx, network, a.target.address())
	switch {
	case err != nil && a.target.onion:
		return nil, fmt.Errorf("%w: %w", errSOCKS, err)
	case err != nil:
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, nil
}

func (a *attempt) dialTLS(ctx context.Context, network string) (net.Conn, error) {
	conn, err := a.dial(ctx, network)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.client.options.RootCAs, ServerName: a.target.host})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return secure, nil
}

// control is called with the address of each connection after name resolution, immediately
// before the connection is made.
func (a *attempt) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	class := classify(to.Addr())
	a.see(class)
	if !a.client.allows(a.target, class) {
		return errRefused
	}
	if a.client.connecting != nil {
		return a.client.connecting(network, address)
	}
	return nil
}

func (a *attempt) see(class Class) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = max(a.seen, class)
}

func (a *attempt) class() Class {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen
}

// isHidden reports whether the result must not show more than the status.
func (a *attempt) isHidden() bool {
	class := a.class()
	return class != Public && class != Onion
}

// failure returns the result of an attempt without a response.
func (a *attempt) failure(err error) Result {
	r := Result{Problem: unreachable, Target: a.class(), Cause: err}
	if !a.isHidden() {
		r.Problem = problem(err)
	}
	return r
}

// onionDialer returns a dialer that passes names to a SOCKS5 proxy.
func onionDialer(address string) proxy.ContextDialer {
	d, err := proxy.SOCKS5("tcp", address, nil, &net.Dialer{})
	if err != nil {
		return failedDialer{err}
	}
	dialer, ok := d.(proxy.ContextDialer)
	if !ok {
		return failedDialer{errors.New("the SOCKS dialer ignores contexts")}
	}
	return dialer
}

// failedDialer fails every connection.
type failedDialer struct{ err error }

// DialContext implements proxy.ContextDialer.
func (d failedDialer) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, d.err
}
