package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestHosts checks that a server on loopback refuses unknown Host headers, which protects it
// against DNS rebinding.
func TestHosts(t *testing.T) {
	t.Parallel()
	loopback := start(t, func(s *setup) { s.AllowedHosts = []string{"specter.lan"} })
	public := start(t, func(s *setup) { s.Loopback = false })
	for host, allowed := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:25441": true, "localhost": true, "LocalHost:25441": true, "[::1]": true, "[::1]:25441": true,
		"specter.lan": true, "SPECTER.lan:443": true,
		"evil.example": false, "evil.example:25441": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"evil.example#localhost": false, "192.168.0.7": false, "0.0.0.0": false, "sub.specter.lan": false, "[::2]": false, "localhost@evil.example": false,
	} {
		t.Run(host, func(t *testing.T) {
			for _, path := range []string{"/api/v1/node", "/api/v1alpha/token/", "/api/healthz/liveness", "/nothing"} {
				got := loopback.do(t, request{method: "GET", path: path, host: host})
				if allowed == (got.status == http.StatusMisdirectedRequest) {
					t.Errorf("Host %s, %s: %d %s", host, path, got.status, got.body)
				}
				if !allowed {
					got.want(t, 421, "SPECTER_ALLOWED_HOSTS")
				}
			}
			if got := public.do(t, request{method: "GET", path: "/api/healthz/liveness", host: host}); got.status != 200 && got.status != 400 {
				t.Errorf("not on loopback, Host %s: %d", host, got.status)
			}
		})
	}
}

// TestCrossOrigin checks that pages of other origins cannot make changes with a visitor's
// credentials.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	for _, c := range []struct {
		header map[string]string
		method string
		status int
	}{
		{map[string]string{"Sec-Fetch-Site": "cross-site"}, "POST", 403},
		{map[string]string{"Sec-Fetch-Site": "same-site"}, "POST", 403},
		{map[string]string{"Sec-Fetch-Site": "same-origin"}, "POST", 201},
		{map[string]string{"Sec-Fetch-Site": "none"}, "POST", 201},
		{map[string]string{"Origin": "https://evil.example"}, "POST", 403},
		{map[string]string{"Origin": "null"}, "POST", 403},
		{map[string]string{"Origin": s.url}, "POST", 201},
		{nil, "POST", 201},
		{map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, "GET", 200},
	} {
		t.Run(fmt.Sprint(c.method, " ", c.header), func(t *testing.T) {
			r := request{method: c.method, path: tokens, auth: []string{p.basic()}, header: c.header}
			if c.method == "POST" {
				r.body = `{"description": "` + unique("x") + `", "lifetime": "1 day"}`
			}
			before := s.dump(t, false)
			got := s.do(t, r)
			if got.status != c.status {
				t.Errorf("%s with %v: %d %s", c.method, c.header, got.status, got.body)
			}
			if c.status == 403 {
				if got.wantProblem(t, 403, "cross_origin"); s.dump(t, false) != before {
					t.Error("the refused request changed the database")
				}
			}
			for name := range got.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("the response has the CORS header %s", name)
				}
			}
		})
	}
	s.do(t, request{method: "POST", path: "/api/v1alpha/token/", auth: []string{p.basic()}, header: map[string]string{"Sec-Fetch-Site": "cross-site"}, body: `{}`}).
		wantMessage(t, 403, "requests from pages of other origins are refused")
}

// TestForwardedFor checks that X-Forwarded-For is used only if it comes from a trusted proxy,
// and only up to the first address that is not a trusted proxy.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	proxies := start(t, func(s *setup) {
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	noProxies := start(t)
	for _, c := range []struct {
		from      string
		forwarded []string
		trusting  *server
		want      string
	}{
		{"203.0.113.9:1234", []string{"198.51.100.1"}, noProxies, "203.0.113.9"},
		{"10.0.0.1:1234", []string{"198.51.100.1"}, noProxies, "10.0.0.1"},
		{"203.0.113.9:1234", []string{"198.51.100.1"}, proxies, "203.0.113.9"},
		{"10.0.0.1:1234", nil, proxies, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"198.51.100.1"}, proxies, "198.51.100.1"},
		{"[fd00::1]:1234", []string{"2001:db8::7"}, proxies, "2001:db8::7"},
		{"[::ffff:10.0.0.1]:1234", []string{"198.51.100.1"}, proxies, "198.51.100.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66, 198.51.100.1"}, proxies, "198.51.100.1"},
		{"10.0.0.1:1234", []string{"198.51.100.1, 10.0.0.2"}, proxies, "198.51.100.1"},
		{"10.0.0.1:1234", []string{"192.0.2.66", "198.51.100.1", "10.0.0.2"}, proxies, "198.51.100.1"},
		{"10.0.0.1:1234", []string{"nonsense, 10.0.0.2"}, proxies, "10.0.0.2"},
		{"10.0.0.1:1234", []string{"198.51.100.1, <script>"}, proxies, "10.0.0.1"},
		{"10.0.0.1:1234", []string{""}, proxies, "10.0.0.1"},
	} {
		t.Run(c.from, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/node", nil)
			r.Host, r.RemoteAddr, r.Header["X-Forwarded-For"] = "localhost", c.from, c.forwarded
			r.Header.Set("X-Real-Ip", "192.0.2.99")
			r.Header.Set("Forwarded", "for=192.0.2.98")
			c.trusting.handler.ServeHTTP(httptest.NewRecorder(), r)
			if got := c.trusting.logged(t, "request"); got["address"] != c.want {
				t.Errorf("from %s for %q: %v, want %s", c.from, c.forwarded, got["address"], c.want)
			}
		})
	}
}

// logged returns the last log record with this message, or nil if there is none.
func (s *server) logged(t *testing.T, message string) (found map[string]any) {
	t.Helper()
	for line := range strings.Lines(s.log.String()) {
		var fields map[string]any
		testkit.Check(t, json.Unmarshal([]byte(line), &fields))
		if fields["msg"] == message {
			found = fields
		}
	}
	return found
}

// TestUndeclaredProxy checks that undeclared proxies cause one warning per network, and that
// the number of warnings is limited.
func TestUndeclaredProxy(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *setup) { s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	warnings := func() int { return strings.Count(s.log.String(), "add it, or else all its users count as one address") }
	send := func(from, header string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/node", nil)
		r.Host, r.RemoteAddr = "localhost", from
		if header != "" {
			r.Header.Set(header, "198.51.100.1")
		}
		s.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	for i, c := range []struct {
		from, header string
		want         int
	}{
		{"10.0.0.1:1", "X-Forwarded-For", 0},
		{"203.0.113.9:1", "", 0},
		{"203.0.113.9:1", "X-Forwarded-For", 1},
		{"203.0.113.77:1", "X-Forwarded-For", 1},
		{"[2001:db8::1]:1", "Forwarded", 2},
		{"[2001:db8::2]:1", "Forwarded", 2},
	} {
		t.Run(c.from, func(t *testing.T) {
			if send(c.from, c.header); warnings() != c.want {
				t.Errorf("after request %d: %d warnings, want %d", i, warnings(), c.want)
			}
		})
	}
	for i := range 300 {
		send(fmt.Sprintf("198.51.%d.1:1", i%250), "X-Forwarded-For")
	}
	if warnings() > 64 {
		t.Errorf("%d warnings", warnings())
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	s := start(t)
	seen := map[string]bool{}
	for given, repeated := range map[string]bool{
		"abc-DEF_123.4": true, strings.Repeat("x", 64): true, "0": true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "a\tb": false, "<script>": false, "é": false, `a"b`: false, "a;b": false, "a/b": false,
	} {
		t.Run(fmt.Sprintf("%q", given), func(t *testing.T) {
			got := s.do(t, request{method: "GET", path: "/api/v1/node", header: map[string]string{"X-Request-Id": given}}).wantProblem(t, 401, "unauthenticated")
			id := got.header.Get("X-Request-Id")
			if repeated != (id == given) || id == "" || seen[id] {
				t.Errorf("%q: %q", given, id)
			}
			if seen[id] = true; s.logged(t, "request")["request_id"] != id {
				t.Errorf("the log lacks the id %s", id)
			}
		})
	}
}

// TestSecurityHeaders checks that success and error responses have the security headers.
func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := s.user(t, "admin", true)
	for i, r := range []request{
		{method: "GET", path: "/api/healthz/liveness"},
		{method: "GET", path: "/api/v1/node"},
		{method: "GET", path: "/nothing"},
		{method: "PUT", path: "/api/v1/node"},
		{method: "OPTIONS", path: "/api/v1/node"},
		{method: "GET", path: "/api/v1/node", host: "evil.example"},
		{method: "POST", path: tokens, auth: []string{admin.basic()}, body: `{"description": "x", "lifetime": "1 day"}`},
		{method: "DELETE", path: "/api/v1/users/unknown", auth: []string{s.token(t, admin, 0).bearer()}},
		{method: "POST", path: "/api/v1alpha/token/", auth: []string{admin.basic()}, body: `{`},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			got := s.do(t, r)
			for name, value := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
				"Content-Security-Policy":   "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
				"Strict-Transport-Security": "", // only if TLS is enabled
			} {
				t.Run(name, func(t *testing.T) {
					if got.header.Get(name) != value {
						t.Errorf("%s %s, %d: %s is %q", r.method, r.path, got.status, name, got.header.Get(name))
					}
				})
			}
			// A browser must not render any response.
			if kind := got.header.Get("Content-Type"); len(got.body) > 0 && kind != "application/json" && kind != "application/problem+json" {
				t.Errorf("%s %s, %d: the type is %q", r.method, r.path, got.status, kind)
			}
			for _, name := range []string{"Server", "X-Powered-By", "Set-Cookie"} {
				if got.header.Get(name) != "" {
					t.Errorf("%s %s: %s is sent", r.method, r.path, name)
				}
			}
		})
	}
}

// TestInternalErrors checks that the cause of an internal error is logged with the request
// id and is not in the response.
func TestInternalErrors(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *setup) {
		s.routes = func(routes []route.Route) []route.Route {
			add := func(path string, h route.Handler) {
				routes = append(routes, route.Route{Method: "GET", Path: path, Handler: h, Summary: "Fail"})
			}
			for _, version := range []string{"/api/v1", "/api/v1alpha"} {
				add(version+"/panic", route.OK(func(context.Context, struct{}) (greeting, error) { panic("the inside story") }))
				add(version+"/error", route.OK(func(context.Context, struct{}) (greeting, error) {
					return greeting{}, errors.New("the inside story")
				}))
				add(version+"/away", route.OK(func(context.Context, struct{}) (greeting, error) {
					return greeting{}, fault.New(fault.Unavailable, "away", "try later").WithCause(errors.New("the inside story")).WithRetryAfter(1500e6)
				}))
				add(version+"/refused", route.OK(func(context.Context, struct{}) (greeting, error) {
					return greeting{}, fmt.Errorf("make it: %w", &rpcclient.RPCError{Code: -4, Message: "the inside story", Method: "createwallet"})
				}))
			}
			return routes
		}
	})
	s.mayFail = true
	const internal = "something went wrong inside specterd; its log has the reason under this request's id"
	for _, version := range []string{"/api/v1/", "/api/v1alpha/"} {
		t.Run(version, func(t *testing.T) {
			for path, message := range map[string]string{"panic": "request panicked", "error": "request failed"} {
				got := s.call(t, "GET", version+path, "", "")
				wantError(t, got, version, 500, "internal", internal)
				line := s.logged(t, message)
				if strings.Contains(got.body, "story") || line["level"] != "ERROR" || line["request_id"] != got.header.Get("X-Request-Id") {
					t.Errorf("%s: %s, %v", path, got.body, line)
				}
			}
			got := s.call(t, "GET", version+"away", "", "").want(t, 503, "try later")
			if strings.Contains(got.body, "story") || got.header.Get("Retry-After") != "2" || s.logged(t, "request could not be answered") == nil {
				t.Errorf("away: %s, %v", got.body, got.header)
			}
			got = s.call(t, "GET", version+"refused", "", "")
			wantError(t, got, version, 502, "node_error", "the Bitcoin node refused the call createwallet; specterd's log has its text")
			line := s.logged(t, "request could not be answered")
			if line["error"] != "the Bitcoin node refused createwallet with code -4: the inside story" || line["request_id"] != got.header.Get("X-Request-Id") {
				t.Errorf("refused: logged %v", line)
			}
		})
	}
	s.call(t, "GET", "/api/healthz/liveness", "", "").want(t, 200)
}

// TestLogLine checks the log record of a request. The harness checks after every test that the
// log has no secrets.
func TestLogLine(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	k := s.token(t, p, 0)
	s.call(t, "GET", tokens+"/"+k.id+"?unknown="+k.secret, k.bearer(), "").want(t, 400)
	got := s.logged(t, "request")
	for name, value := range map[string]any{
		"method": "GET", "route": "/api/v1/tokens/{id}", "status": 400.0, "user": "p", "token_id": k.id, "address": "127.0.0.1", "level": "INFO",
	} {
		t.Run(name, func(t *testing.T) {
			if got[name] != value {
				t.Errorf("%s is %v, want %v", name, got[name], value)
			}
		})
	}
	s.call(t, "GET", "/"+k.secret, basic(k.secret, k.secret), k.secret)
	if got := s.logged(t, "request"); got["route"] != "" || got["status"] != 404.0 {
		t.Errorf("%v", got)
	}
}
