package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// soon is the time limit for a response that must not wait for the body. It is less than 10
// seconds, the minimum time for which the server waits for a body.
const soon = 8 * time.Second

// unfinished sends the beginning of a request and returns the response. It fails the test if
// the server waits for the rest of the request or keeps the connection open.
func (s *server) unfinished(t *testing.T, head string, body string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	testkit.Check(t, err)
	defer func() { _ = conn.Close() }()
	testkit.Check(t, conn.SetDeadline(time.Now().Add(soon)))
	_, err = io.WriteString(conn, head+"\r\nHost: 127.0.0.1\r\n\r\n"+body)
	testkit.Check(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.80s: %v", head, err)
	}
	defer func() { _ = res.Body.Close() }()
	got := s.read(t, res)
	if !res.Close {
		t.Errorf("%.80s: %d without Connection: close", head, got.status)
	}
	return got
}

var pathParameter = regexp.MustCompile(`{[a-z]+}`)

// TestBodyLimit_ContentLength checks that every route refuses a request whose Content-Length
// is too large without waiting for the body, and that pages, unknown paths and unknown methods
// do not wait for the body either.
func TestBodyLimit_ContentLength(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, to := range httpapi.Routes(s.Options) {
		for _, size := range []int64{to.Handler.MaxBody + 1, 5_000_000_000} {
			path := pathParameter.ReplaceAllString(to.Path, "x")
			got := s.unfinished(t, fmt.Sprintf("%s %s HTTP/1.1\r\nContent-Length: %d", to.Method, path, size), "")
			if want := fmt.Sprintf("the body must not be larger than %d bytes", to.Handler.MaxBody); got.status != 413 || !strings.Contains(got.body, want) {
				t.Errorf("%s %s with %d bytes: %d %s, want 413 %s", to.Method, to.Path, size, got.status, got.body, want)
			}
			if line := s.waitFor(t, "request", got.header.Get("X-Request-Id")); line["route"] != to.Path {
				t.Errorf("the log has the route %v, want %s", line["route"], to.Path)
			}
		}
	}
	for path, status := range map[string]int{"GET /api/": 200, "GET /nothing": 404, "PUT /api/v1/node": 405} {
		t.Run(path, func(t *testing.T) {
			if got := s.unfinished(t, path+" HTTP/1.1\r\nContent-Length: 5000000000", ""); got.status != status {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		})
	}
}

// TestBodyLimit_Unauthenticated checks that no route asks a client without valid credentials
// for the body of its request (100 Continue).
func TestBodyLimit_Unauthenticated(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, to := range httpapi.Routes(s.Options) {
		if to.Credentials == route.Public {
			continue
		}
		for _, credentials := range [][]string{nil, {bearer("x")}} {
			r := request{method: to.Method, path: pathParameter.ReplaceAllString(to.Path, "x"), auth: credentials, body: "{}"}
			if got, asked := s.inTwoParts(t, r, func() {}); asked || got.status != http.StatusUnauthorized {
				t.Errorf("%s %s with %q: %d, asked for the body: %t", to.Method, to.Path, credentials, got.status, asked)
			}
		}
	}
}

// TestBodyLimit_Chunked checks that a body of unknown length is refused as soon as it
// exceeds the limit, in every code path that reads bodies.
func TestBodyLimit_Chunked(t *testing.T) {
	t.Parallel()
	s := start(t, withHandlers)
	p := s.user(t, "p", true)
	k := s.token(t, p, 0)
	s.wallet(t, p, "w", "owner")
	for _, c := range []struct {
		path, header string
		limit        int
	}{
		{"/api/v1/text", "Content-Type: text/plain", route.DefaultMaxBody},
		{"/api/v1/either-body", "Content-Type: application/json", 2_000_000},
		{"/api/v1/either-body", "Content-Type: text/plain", 2_000_000},
		{"/api/v1/tokens", "Content-Type: application/json", route.DefaultMaxBody},
		{"/api/v1/wallets", "Idempotency-Key: k", route.DefaultMaxBody},
		{"/api/v1alpha/token", "Content-Type: application/json", route.DefaultMaxBody},
		{"/api/v1/wallets/w/proposals/x/signatures", "Content-Type: text/plain", 9 << 20},
	} {
		t.Run(c.path, func(t *testing.T) {
			credential := k.bearer()
			if strings.HasPrefix(c.path, "/api/v1alpha/") {
				credential = p.basic()
			}
			head := fmt.Sprintf("POST %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\nAuthorization: %s\r\n%s", c.path, credential, c.header)
			got := s.unfinished(t, head, fmt.Sprintf("%x\r\n%s", c.limit+1000, strings.Repeat("x", c.limit+1)))
			if want := fmt.Sprintf("the body must not be larger than %d bytes", c.limit); got.status != 413 || !strings.Contains(got.body, want) {
				t.Errorf("%s: %d %s, want 413 %s", c.path, got.status, got.body, want)
			}
		})
	}
}
