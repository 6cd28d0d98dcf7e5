package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// script is a response that stays open: it sends what the test puts into it.
type script struct {
	mu     sync.Mutex
	steps  []livePart
	wake   func()
	closed int
}

// livePart is a part of a response, or its end.
type livePart struct {
	part    string
	err     error
	panicks bool
}

// Send implements route.Live.
func (l *script) Send(_ context.Context, send func(part []byte, more bool) error) error {
	for {
		l.mu.Lock()
		if len(l.steps) == 0 {
			l.mu.Unlock()
			return nil
		}
		next := l.steps[0]
		l.steps = l.steps[1:]
		l.mu.Unlock()
		switch {
		case next.panicks:
			panic("the inside story")
		case next.err != nil:
			return next.err
		}
		if err := send([]byte(next.part), false); err != nil {
			return err
		}
	}
}

// Await implements route.Live.
func (l *script) Await(wake func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wake = wake; len(l.steps) > 0 {
		l.wakeUp()
	}
}

// wakeUp must be called with l.mu held.
func (l *script) wakeUp() {
	if wake := l.wake; wake != nil {
		l.wake = nil
		wake()
	}
}

// Close implements route.Live.
func (l *script) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed++
}

func (l *script) add(s livePart) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, s)
	l.wakeUp()
}

func (l *script) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed > 0
}

// liveServer is a server with one route, whose response is the script.
type liveServer struct {
	*server
	*script

	mu       sync.Mutex
	observed int // requests whose handlers have returned
}

func startLive(t *testing.T, background bool) *liveServer {
	t.Helper()
	l := &liveServer{script: &script{steps: []livePart{{part: "first "}}}}
	l.server = start(t, func(set *setup) {
		set.Observe = func(string, string, int, time.Duration) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.observed++
		}
		set.noBackground = !background
		set.routes = func(routes []route.Route) []route.Route {
			serve := func(context.Context, struct{}) (route.Streamed, error) {
				return route.Streamed{ContentType: "text/plain", Live: func(context.Context) (route.Live, error) { return l.script, nil }}, nil
			}
			return append(routes, route.Route{Method: "GET", Path: "/api/v1/live", Credentials: route.AnyToken, Handler: route.Stream(serve, route.MediaOf[string]("text/plain")), Summary: "Live"})
		}
	})
	return l
}

func (l *liveServer) hasReturned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.observed > 0
}

// get makes a request, and checks the first part.
func (l *liveServer) get(t *testing.T, client *http.Client, url string) *http.Response {
	t.Helper()
	req := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/live", nil))
	req.Header.Set("Authorization", l.token(t, l.user(t, "p", false), 0).bearer())
	res := testkit.Must(client.Do(req))
	l.wantPart(t, res.Body, "first ")
	return res
}

func (l *liveServer) wantPart(t *testing.T, body io.Reader, part string) {
	t.Helper()
	b := make([]byte, len(part))
	if _, err := io.ReadFull(body, b); err != nil || string(b) != part {
		t.Fatalf("the part is %q, %v", b, err)
	}
}

// TestLive_Detached: a response that has nothing more to send outlives its handler, and sends
// later parts, until it ends in one of these ways.
func TestLive_Detached(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end        livePart
		isComplete bool
		logs       string
	}{
		"complete": {livePart{err: io.EOF}, true, ""},
		"fault":    {livePart{err: fault.New(fault.Unauthenticated, "revoked", "the token was revoked")}, true, ""},
		"error":    {livePart{err: errors.New("the cause")}, false, "response aborted"},
		"panic":    {livePart{panicks: true}, false, "response panicked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLive(t, true)
			l.mayFail = c.logs != ""
			res := l.get(t, l.client, l.url)
			defer func() { _ = res.Body.Close() }()
			testkit.Eventually(t, "the handler to return", l.hasReturned)
			l.add(livePart{part: "second "})
			l.wantPart(t, res.Body, "second ")
			large := strings.Repeat("third ", 30_000)
			l.add(livePart{part: large})
			l.wantPart(t, res.Body, large)
			l.add(c.end)
			rest, err := io.ReadAll(res.Body)
			if len(rest) > 0 || (err == nil) != c.isComplete || !res.Close {
				t.Errorf("at the end: %q, %v; closes: %v", rest, err, res.Close)
			}
			testkit.Eventually(t, "the response to be closed", l.isClosed)
			if c.logs != "" {
				testkit.Eventually(t, "a line in the log", func() bool { return strings.Contains(l.log.String(), c.logs) })
			}
			if strings.Contains(l.log.String(), "the inside story") {
				t.Error("the log has the value of the panic")
			}
		})
	}
}

// TestLive_Disconnect: a response ends when its client disconnects, while it has nothing to send
// and while its client does not read.
func TestLive_Disconnect(t *testing.T) {
	t.Parallel()
	for name, unread := range map[string]int{"idle": 0, "slow": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLive(t, true)
			res := l.get(t, l.client, l.url)
			testkit.Eventually(t, "the handler to return", l.hasReturned)
			for range unread {
				l.add(livePart{part: strings.Repeat("x", 1<<20)})
			}
			if l.isClosed() {
				t.Error("the response is closed")
			}
			testkit.Check(t, res.Body.Close())
			testkit.Eventually(t, "the response to be closed", l.isClosed)
		})
	}
}

// TestLive_Attended: without a background, and with HTTP/2, the handler stays until the response
// ends.
func TestLive_Attended(t *testing.T) {
	t.Parallel()
	for name, useHTTP2 := range map[string]bool{"no background": false, "HTTP2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLive(t, useHTTP2)
			client, url := l.client, l.url
			if useHTTP2 {
				secure := httptest.NewUnstartedServer(l.handler)
				secure.EnableHTTP2 = true
				secure.StartTLS()
				t.Cleanup(secure.Close)
				client, url = secure.Client(), secure.URL
			}
			res := l.get(t, client, url)
			defer func() { _ = res.Body.Close() }()
			if wants := map[bool]int{false: 1, true: 2}[useHTTP2]; res.ProtoMajor != wants {
				t.Fatalf("the protocol is %s", res.Proto)
			}
			l.add(livePart{part: "second "})
			l.wantPart(t, res.Body, "second ")
			if l.hasReturned() {
				t.Error("the handler has returned")
			}
			l.add(livePart{err: io.EOF})
			if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
				t.Errorf("at the end: %q, %v", rest, err)
			}
			testkit.Eventually(t, "the handler to return", l.hasReturned)
			if !l.isClosed() {
				t.Error("the response was not closed")
			}
		})
	}
}

// TestLive_HTTP10: the body of a response to HTTP/1.0 has no chunks.
func TestLive_HTTP10(t *testing.T) {
	t.Parallel()
	l := startLive(t, true)
	conn := testkit.Must(new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(l.url, "http://")))
	defer func() { _ = conn.Close() }()
	_, err := fmt.Fprintf(conn, "GET /api/v1/live HTTP/1.0\r\nHost: localhost\r\nAuthorization: %s\r\n\r\n", l.token(t, l.user(t, "p", false), 0).bearer())
	testkit.Check(t, err)
	testkit.Eventually(t, "the handler to return", l.hasReturned)
	l.add(livePart{part: "second "})
	l.add(livePart{err: io.EOF})
	res := testkit.Must(http.ReadResponse(bufio.NewReader(conn), nil)) //nolint:bodyclose // closed below
	body, err := io.ReadAll(res.Body)
	testkit.Check(t, errors.Join(err, res.Body.Close()))
	if string(body) != "first second " || len(res.TransferEncoding) > 0 {
		t.Errorf("the body is %q, encoded as %v", body, res.TransferEncoding)
	}
}
