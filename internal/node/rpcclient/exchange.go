package rpcclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	connectTimeout = 2 * time.Second
	// idleTimeout is below Core's rpcservertimeout of 30 s, so that no call is
	// sent on a connection that the node is about to close.
	idleTimeout = 20 * time.Second
	maxHeader   = 64 << 10
)

// newTransport returns a transport for one node. It ignores proxies from the
// environment, which would see the credentials.
func newTransport(connections int) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
}

// exchange sends body and calls read to decode the response. If the node rejects the
// login with status 401 or 403 and the cookie has changed, it retries once with the new
// cookie.
func (s *shared) exchange(ctx context.Context, to *url.URL, body []byte, limit int64, read func(*jsontext.Decoder) error) error {
	as, err := s.credentials.current()
	if err != nil {
		return err
	}
	resp, err := s.send(ctx, to, as, body)
	if err != nil {
		return err
	}
	if refused(resp) {
		if fresh, changed := s.credentials.reread(as); changed {
			_ = resp.Body.Close()
			if resp, err = s.send(ctx, to, fresh, body); err != nil {
				return err
			}
		}
	}
	defer func() { _ = resp.Body.Close() }()
	if err := judge(resp); err != nil {
		return err
	}
	return decode(resp, limit, read)
}

// send makes one HTTP request. It uses the transport instead of an http.Client,
// which would follow redirects.
func (s *shared) send(ctx context.Context, to *url.URL, as login, body []byte) (*http.Response, error) {
	var answered atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: func() { answered.Store(true) },
	})
	req, err := http.NewRequestWithContext(traced, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request to the node: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if !as.empty() {
		req.SetBasicAuth(as.user, as.password)
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return nil, connectionFault(err, answered.Load())
	}
	return resp, nil
}

func refused(resp *http.Response) bool {
	return resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden
}

// errForbidden means that the node responded with 403; see [forbidden].
var errForbidden error = protocolError("HTTP status 403")

// judge returns nil if the body should be decoded. Core responds to a failed call
// with 400, 404 or 500 and a JSON body.
func judge(resp *http.Response) error {
	status := protocolError(fmt.Sprintf("HTTP status %d", resp.StatusCode))
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return ErrUnauthorized.WithCause(status)
	case code == http.StatusForbidden:
		return errForbidden
	case code == http.StatusServiceUnavailable:
		return ErrBusy.WithCause(fmt.Errorf("%w: %w: %w", ErrUnavailable, ErrNotNow, status))
	case code == http.StatusOK, code >= 400 && isJSON(resp):
		return nil
	case code >= 500:
		return unavailable(brokenMessage, status)
	default:
		return invalidResponse(status)
	}
}

func isJSON(resp *http.Response) bool {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && media == "application/json"
}

// decode calls read to decode the body, of at most limit bytes, and distinguishes a
// broken connection from an invalid response.
func decode(resp *http.Response, limit int64, read func(*jsontext.Decoder) error) error {
	if resp.ContentLength > limit {
		return invalidResponse(ErrTooLong)
	}
	body := &cappedReader{from: resp.Body, left: limit}
	dec := newDecoder(body)
	err := read(dec)
	if err == nil {
		err = expectEnd(dec)
	}
	switch {
	case err == nil:
		return nil
	case body.failed != nil:
		return connectionFault(body.failed, false)
	default:
		return invalidResponse(err)
	}
}

// cappedReader reads at most left bytes, and fails with ErrTooLong if there are more.
// failed is the error of the connection, if it broke.
type cappedReader struct {
	from   io.Reader
	left   int64
	failed error
}

func (r *cappedReader) Read(p []byte) (int, error) {
	// Reading one more byte shows whether the data ends at the limit or exceeds it.
	if int64(len(p)) > r.left+1 {
		p = p[:r.left+1]
	}
	n, err := r.from.Read(p)
	if int64(n) > r.left {
		return 0, ErrTooLong
	}
	r.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}
