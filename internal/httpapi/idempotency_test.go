package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// counter adds two routes that accept idempotency keys, and counts their successful requests.
type counter struct {
	done    atomic.Int64
	began   chan struct{} // if not nil, receives a value when a request starts
	goOn    chan struct{} // the request then waits until goOn is closed
	failing atomic.Pointer[error]
}

type countRequest struct {
	Text string `json:"text"`
}

func (c *counter) routes(routes []route.Route) []route.Route {
	count := func(ctx context.Context, in countRequest) (greeting, error) {
		if c.began != nil {
			c.began <- struct{}{}
			<-c.goOn
		}
		if err := c.failing.Load(); err != nil {
			return greeting{}, *err
		}
		if err := ctx.Err(); err != nil {
			return greeting{}, err
		}
		if in.Text == "panic" {
			panic("the inside story")
		}
		return greeting{fmt.Sprintf("%s for the %d. time", in.Text, c.done.Add(1))}, nil
	}
	for _, path := range []string{"/api/v1/count", "/api/v1/count-too"} {
		routes = append(routes, route.Route{
			Method: "POST", Path: path, Credentials: route.BasicOrBearer, Scope: auth.NodeRead, Summary: "Count", Handler: route.Created(count).WithIdempotencyKey(),
		})
	}
	return routes
}

func keyedRequest(path, authorization, key, body string) request {
	return request{method: "POST", path: path, auth: []string{authorization}, header: map[string]string{"Idempotency-Key": key}, body: body}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &counter{}
			s := start(t, setting(t), func(s *setup) { s.routes = c.routes })
			p, other := s.user(t, "p", false), s.user(t, "other", false)
			const path = "/api/v1/count"
			ask := func(path, authorization, key, body string) answer {
				t.Helper()
				return s.do(t, keyedRequest(path, authorization, key, body))
			}
			first := ask(path, p.basic(), "k", `{"text": "a"}`).want(t, 201, "a for the 1. time")
			for _, authorization := range []string{p.basic(), s.token(t, p, 0).bearer()} {
				again := ask(path+"/", authorization, "k", `{"text": "a"}`).want(t, 201)
				if again.body != first.body || again.header.Get("Content-Type") != "application/json" || again.header.Get("Idempotency-Replayed") != "true" {
					t.Errorf("%s %v", again.body, again.header)
				}
			}
			if first.header.Get("Idempotency-Replayed") != "" {
				t.Error("the first response is marked as a replay")
			}
			ask(path, p.basic(), "k", `{"text":"a"}`).wantProblem(t, 422, "idempotency_key_reused")
			ask(path+"?x", p.basic(), "k", `{"text": "a"}`).wantProblem(t, 422, "idempotency_key_reused")
			limited := s.tokenFor(t, p, time.Hour, 0, []string{})
			ask(path, limited.bearer(), "k", `{"text": "a"}`).wantProblem(t, 422, "idempotency_key_reused")
			ask(path, other.basic(), "k", `{"text": "a"}`).want(t, 201, "2. time")
			ask(path+"-too", p.basic(), "k", `{"text": "a"}`).want(t, 201, "3. time")
			ask(path, p.basic(), "l", `{"text": "a"}`).want(t, 201, "4. time")
			s.call(t, "POST", path, p.basic(), `{"text": "a"}`).want(t, 201, "5. time")

			s.clock.advance(idempotency.KeptFor + time.Second)
			ask(path, p.basic(), "k", `{"text": "a"}`).want(t, 201, "6. time")
		})
	}
}

// TestIdempotencyKey_FailedRequest checks that the response to a failed request is not stored,
// so that the request can be retried with the same key. It also checks which keys are valid.
func TestIdempotencyKey_FailedRequest(t *testing.T) {
	t.Parallel()
	c := &counter{}
	s := start(t, func(s *setup) { s.routes = c.routes })
	s.mayFail = true
	p := s.user(t, "p", false)
	ask := func(body string) answer {
		t.Helper()
		return s.do(t, keyedRequest("/api/v1/count", p.basic(), "k", body))
	}
	for range 2 {
		ask(`{`).wantProblem(t, 400, "invalid_json")
		ask(`{"text": 1}`).wantProblem(t, 400, "invalid_input")
		ask(`{"text": "panic"}`).wantProblem(t, 500, "internal")
		away := error(fault.New(fault.Unavailable, "node_unavailable", "away"))
		c.failing.Store(&away)
		ask(`{"text": "b"}`).wantProblem(t, 503, "node_unavailable")
		c.failing.Store(nil)
	}
	ask(`{"text": "a"}`).want(t, 201, "1. time")
	for key, ok := range map[string]bool{
		strings.Repeat("x", 255): true, `"3f1c"`: true, "~!{}": true,
		strings.Repeat("x", 256): false, "": false, "a b": false, "é": false, "a\tb": false,
	} {
		t.Run(fmt.Sprintf("%q", key), func(t *testing.T) {
			got := s.do(t, keyedRequest("/api/v1/count", p.basic(), key, `{"text": "a"}`))
			if ok {
				got.want(t, 201)
			} else {
				got.wantProblem(t, 400, "invalid_input").want(t, 400, "Idempotency-Key")
			}
		})
	}
	got := s.raw(t, "POST /api/v1/count HTTP/1.1\r\nHost: localhost\r\nAuthorization: "+p.basic()+
		"\r\nIdempotency-Key: a\r\nIdempotency-Key: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	got.wantProblem(t, 400, "invalid_input")
	s.do(t, keyedRequest("/api/v1/count", "Bearer x", "k", `{"text": "a"}`)).wantProblem(t, 401, "unauthenticated")
}

// TestIdempotencyKey_ConcurrentRequestInProgress checks that while a request is in progress,
// other requests with its key get request_in_progress, and that the first request completes
// even if its client disconnects.
func TestIdempotencyKey_ConcurrentRequestInProgress(t *testing.T) {
	t.Parallel()
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &counter{began: make(chan struct{}), goOn: make(chan struct{})}
			s := start(t, setting(t), func(s *setup) { s.routes = c.routes })
			p := s.user(t, "p", false)
			r := keyedRequest("/api/v1/count", p.basic(), "k", `{"text": "a"}`)

			ctx, leave := context.WithCancel(t.Context())
			var client sync.WaitGroup
			client.Go(func() {
				req := testkit.Must(http.NewRequestWithContext(ctx, http.MethodPost, s.url+r.path, strings.NewReader(r.body)))
				req.Header = http.Header{"Authorization": r.auth, "Idempotency-Key": {"k"}, "Content-Type": {"application/json"}}
				if res, err := s.client.Do(req); err == nil {
					_ = res.Body.Close()
					t.Error("the client got a response after it disconnected")
				}
			})
			<-c.began
			leave()
			client.Wait()
			for range 3 {
				got := s.do(t, r).wantProblem(t, 409, "request_in_progress")
				if got.header.Get("Retry-After") != "1" {
					t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
				}
			}
			close(c.goOn)
			eventually(t, func() bool { return s.do(t, r).status == http.StatusCreated })
			s.do(t, r).want(t, 201, "a for the 1. time")
			if n := c.done.Load(); n != 1 {
				t.Errorf("executed %d times", n)
			}
		})
	}
}

// TestIdempotencyKey_Concurrent checks that concurrent requests with one key are executed once.
func TestIdempotencyKey_Concurrent(t *testing.T) {
	t.Parallel()
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &counter{}
			s := start(t, setting(t), func(s *setup) { s.routes = c.routes })
			p := s.user(t, "p", false)
			bearer := s.token(t, p, 0).bearer()
			for round := range 5 {
				var clients sync.WaitGroup
				for range 8 {
					clients.Go(func() {
						got := s.do(t, keyedRequest("/api/v1/count", bearer, fmt.Sprint(round), `{"text": "a"}`))
						if want := fmt.Sprintf("a for the %d. time", round+1); got.status != 409 && got.text("message") != want {
							t.Errorf("%d %s", got.status, got.body)
						}
					})
				}
				clients.Wait()
			}
			if n := c.done.Load(); n != 5 {
				t.Errorf("executed %d times", n)
			}
		})
	}
}

// TestIdempotencyKey_DryRun checks that the response to a dry run is not stored, so that its
// key can be used for the real request.
func TestIdempotencyKey_DryRun(t *testing.T) {
	t.Parallel()
	try := func(_ context.Context, in countRequest) (greeting, bool, error) {
		return greeting{"got " + in.Text}, in.Text == "make", nil
	}
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setting(t), func(s *setup) {
				s.routes = func(routes []route.Route) []route.Route {
					return append(routes, route.Route{
						Method: "POST", Path: "/api/v1/try", Credentials: route.BasicOrBearer, Scope: auth.NodeRead, Summary: "Try", Handler: route.CreatedOrDryRun(try).WithIdempotencyKey(),
					})
				}
			})
			p := s.user(t, "p", false)
			ask := func(body string) answer {
				t.Helper()
				return s.do(t, keyedRequest("/api/v1/try", p.basic(), "k", body))
			}
			for _, text := range []string{"a", "a", "b"} {
				if got := ask(`{"text": "`+text+`"}`).want(t, 200, "got "+text); got.header.Get("Idempotency-Replayed") != "" {
					t.Error("the response to a dry run was replayed")
				}
			}
			var stored int
			testkit.Check(t, s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM idempotency").Scan(&stored))
			if stored != 0 {
				t.Errorf("%d responses are stored", stored)
			}
			ask(`{"text": "make"}`).want(t, 201, "got make")
			if got := ask(`{"text": "make"}`).want(t, 201, "got make"); got.header.Get("Idempotency-Replayed") != "true" {
				t.Error("the resource was created twice")
			}
			ask(`{"text": "a"}`).wantProblem(t, 422, "idempotency_key_reused")
		})
	}
}
