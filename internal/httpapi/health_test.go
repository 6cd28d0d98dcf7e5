package httpapi_test

import (
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"testing"
)

// TestLiveness_ShortPath checks the short path of the liveness probe: if requests are not
// logged, plain probes are answered before the router. A server with request logs and a
// server without must return the same responses.
func TestLiveness_ShortPath(t *testing.T) {
	t.Parallel()
	long := start(t)
	short := start(t, func(s *setup) { s.Log = slog.New(slog.DiscardHandler) })
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
		for _, path := range []string{"", "/", "//", "?", "?verbose=1", "/?verbose=1", "/../liveness", "/%2e"} {
			for name, r := range map[string]request{
				"plain": {}, "another Host": {host: "evil.example"}, "a body": {body: `{"a": 1}`},
				"an id":            {header: map[string]string{"X-Request-Id": "mine"}},
				"a bad id":         {header: map[string]string{"X-Request-Id": "mine;"}},
				"another origin":   {header: map[string]string{"Origin": "https://evil.example"}},
				"a bad credential": {auth: []string{"Bearer nonsense"}},
			} {
				t.Run(name, func(t *testing.T) {
					r.method, r.path = method, "/api/healthz/liveness"+path
					want, got := long.do(t, r), short.do(t, r)
					for _, a := range []answer{want, got} {
						if id := a.header.Get("X-Request-Id"); id == "" || (id == "mine") != (name == "an id") {
							t.Errorf("%s %s, %s: X-Request-Id is %q", r.method, r.path, name, id)
						}
						a.header.Del("X-Request-Id")
						a.header.Del("Date")
					}
					if got.status != want.status || !maps.EqualFunc(got.header, want.header, slices.Equal[[]string]) || withoutID(got.body) != withoutID(want.body) {
						t.Errorf("%s %s, %s: %d %v %s\nwithout the short path: %d %v %s", r.method, r.path, name, got.status, got.header, got.body, want.status, want.header, want.body)
					}
				})
			}
		}
	}
	if got := short.call(t, "GET", "/api/healthz/liveness", "", ""); got.status != 200 || got.body != "{\"message\":\"i am alive\"}\n" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

var ids = regexp.MustCompile(`"request_id":"[^"]*"`)

// withoutID removes the request id from a problem document.
func withoutID(body string) string { return ids.ReplaceAllString(body, "") }
