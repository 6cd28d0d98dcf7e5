package httpapi_test

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/node/nodestatus"
)

// TestTrailingSlash checks that every route responds in the same way with and without a
// trailing slash, and does not redirect.
func TestTrailingSlash(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		path := filled(to.Path)
		plain, slashed := s.call(t, to.Method, path, "", ""), s.call(t, to.Method, path+"/", "", "")
		if plain.status != slashed.status || plain.status != 200 && plain.status != 401 {
			t.Errorf("%s %s: %d without a slash, %d with one", to.Method, path, plain.status, slashed.status)
		}
		if doubled := s.call(t, to.Method, path+"//", "", ""); doubled.status < 400 {
			t.Errorf("%s %s//: %d", to.Method, path, doubled.status)
		}
	}
}

var parameter = regexp.MustCompile(`\{\w+\}`)

// filled returns the path of a route with every parameter replaced by x.
func filled(path string) string { return parameter.ReplaceAllString(path, "x") }

// TestMethods tries every method with every path. Methods without a route get 405 with the
// allowed methods (RFC 9110, section 15.5.6), and OPTIONS returns the allowed methods without
// credentials.
func TestMethods(t *testing.T) {
	t.Parallel()
	s := start(t)
	known := map[string][]string{}
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		known[to.Path] = append(known[to.Path], to.Method)
	}
	for path, methods := range known {
		takes := append([]string{"OPTIONS"}, methods...)
		if slices.Contains(methods, "GET") {
			takes = append(takes, "HEAD")
		}
		slices.Sort(takes)
		allow := strings.Join(takes, ", ")
		path = filled(path)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			for _, form := range []string{path, path + "/"} {
				got := s.call(t, method, form, "", "")
				switch {
				case method == "OPTIONS":
					if got.want(t, 200).body != "" || got.header.Get("Allow") != allow {
						t.Errorf("OPTIONS %s: %q, Allow %q, want %q", form, got.body, got.header.Get("Allow"), allow)
					}
				case slices.Contains(takes, method):
					if got.status != 200 && got.status != 401 {
						t.Errorf("%s %s: %d", method, form, got.status)
					}
				default:
					if got.header.Get("Allow") != allow {
						t.Errorf("%s %s: Allow %q, want %q", method, form, got.header.Get("Allow"), allow)
					}
					if got.want(t, 405); method == "HEAD" {
						continue // the response has no body
					}
					wantError(t, got, form, 405, "method_not_allowed", "this path takes only "+allow)
				}
			}
		}
	}
}

// wantError fails the test unless the response is an error in the format of the path's API version.
func wantError(t *testing.T, got answer, path string, status int, code, message string) {
	t.Helper()
	if strings.HasPrefix(path, "/api/v1alpha") || strings.HasPrefix(path, "/api/healthz/") {
		got.wantMessage(t, status, message)
	} else {
		got.wantProblem(t, status, code).want(t, status, message)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := s.user(t, "admin", true)
	k := s.token(t, admin, 0)
	for path, authorization := range map[string]string{
		"/api/healthz/liveness": "", "/api/v1alpha/token/": admin.basic(), "/api/v1alpha/specter": k.bearer(),
		"/api/v1/tokens": k.bearer(), "/api/v1/node": k.bearer(), "/api/v1/users": k.bearer(), "/api/v1/users/admin": k.bearer(),
	} {
		t.Run(path, func(t *testing.T) {
			get, head := s.call(t, "GET", path, authorization, "").want(t, 200), s.call(t, "HEAD", path, authorization, "").want(t, 200)
			if head.body != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") ||
				head.header.Get("Content-Type") != get.header.Get("Content-Type") {
				t.Errorf("HEAD %s: %v %q", path, head.header, head.body)
			}
			s.call(t, "HEAD", path, "Bearer x", "").want(t, map[bool]int{true: 200, false: 401}[authorization == ""])
		})
	}
}

func TestUnknownURLs(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{
		"/", "/api/v2/tokens", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/tokens/x/nothing", "/api/v1/tokens/x/rotate/now",
		"/api/v1alpha", "/api/v1alpha/nothing", "/api/v1alpha/wallets", "/api/v1alpha/token/x/y", "/api/healthz/", "/api/healthz/nothing",
		"/api/v1/../v1/node", "//api/v1/node", "/API/v1/node", "/api/v1%2fnode", "/api/v1/node%00", "/api/v1alphabet/token",
	} {
		for _, method := range []string{"GET", "POST", "PROPFIND"} {
			got := s.call(t, method, path, "", "")
			wantError(t, got, strings.Replace(path, "/api/v1alphabet", "", 1), 404, "path_not_found", "there is nothing at this path; /api/openapi.json describes what there is")
		}
	}
}

func TestAPIInactive(t *testing.T) {
	t.Parallel()
	s := start(t, func(s *setup) { s.Active = false })
	admin := s.user(t, "admin", true)
	k := s.token(t, admin, 0)
	for _, path := range []string{"/api/v1/node", "/api/v1alpha/specter", "/api/v1alpha/token/", "/api/openapi.json", "/api/", "/", "/api/healthzz", "/api/healthz"} {
		for _, authorization := range []string{"", k.bearer(), admin.basic()} {
			got := s.call(t, "GET", path, authorization, "")
			wantError(t, got, path, 404, "api_inactive", "the API is disabled; set SPECTER_API_ACTIVE=true and restart specterd")
		}
	}
	for _, path := range []string{"/api/healthz/../v1/node", "/api/healthz/%2e%2e/v1/node", "/api/healthz//v1/node", "/api/healthz/nothing"} {
		s.call(t, "GET", path, k.bearer(), "").want(t, 404)
	}
	s.call(t, "GET", "/api/healthz/liveness", "", "").wantMessage(t, 200, "i am alive")
	s.call(t, "GET", "/api/healthz/readyness/", "", "").wantMessage(t, 200, "i am ready")
}

// brokenDatabase is a database whose Ping fails.
type brokenDatabase struct{}

func (brokenDatabase) Ping(context.Context) error { return fault.New(fault.Unavailable, "x", "secret") }

func TestReadiness(t *testing.T) {
	t.Parallel()
	s := start(t)
	ask := func() answer { return s.call(t, "GET", "/api/healthz/readyness", "", "") }
	ask().want(t, 200).wantMessage(t, 200, "i am ready")

	away := fault.New(fault.Unavailable, "node_unavailable", "the node does not answer").WithRetryAfter(5 * time.Second)
	for _, c := range []struct {
		name, reason, after string
		status              nodestatus.Status
	}{
		{"down", "the node does not answer", "5", nodestatus.Status{Problem: away}},
		{"syncing", "initial block download, at block 3 of at least 900", "60", nodestatus.Status{
			Reachable: true, Snapshot: nodestatus.Snapshot{InitialBlockDownload: true, Blocks: 3, Headers: 900},
		}},
		{"on another chain", "another chain", "5", nodestatus.Status{Reachable: true, Problem: nodestatus.ErrWrongChain}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.node.status.Store(&c.status)
			got := ask().wantMessage(t, 503, "Readyness probe failed").want(t, 503, c.reason)
			if got.header.Get("Retry-After") != c.after {
				t.Errorf("%s: Retry-After %q, want %s", c.name, got.header.Get("Retry-After"), c.after)
			}
			s.call(t, "GET", "/api/healthz/liveness", "", "").want(t, 200)
		})
	}
	s.node.status.Store(&nodestatus.Status{Reachable: true})
	ask().want(t, 200)

	broken := start(t, func(s *setup) { s.Database = brokenDatabase{} })
	got := broken.call(t, "GET", "/api/healthz/readyness", "", "").wantMessage(t, 503, "Readyness probe failed").want(t, 503, "the database does not respond")
	if got.header.Get("Retry-After") == "" || strings.Contains(got.body, "secret") {
		t.Errorf("%v %s", got.header, got.body)
	}
}

// TestSpecter_NodeUnreachable checks that /specter succeeds and reports the problem if the node is
// unreachable.
func TestSpecter_NodeUnreachable(t *testing.T) {
	t.Parallel()
	s := start(t)
	k := s.token(t, s.user(t, "admin", true), 0)
	away := fault.New(fault.Unavailable, "node_unavailable", "the node does not answer").WithRetryAfter(5 * time.Second)
	s.node.status.Store(&nodestatus.Status{Problem: away})
	s.call(t, "GET", "/api/v1alpha/specter", k.bearer(), "").want(t, 200,
		`"info":{"chain":null,"problem":"the node does not answer","last_contact":null}`, `"network_info":{"subversion":"","version":999999}`)
	s.call(t, "GET", "/api/v1/node", k.bearer(), "").want(t, 200, `"reachable":false,"problem":"the node does not answer","problem_code":"node_unavailable","last_contact":null`)

	s.node.status.Store(&nodestatus.Status{Problem: away, LastContact: s.clock.now(), Snapshot: nodestatus.Snapshot{
		RawBlockchainInfo: []byte(`{"chain":"regtest"}`), RawNetworkInfo: []byte(`{"version":290403}`), RawMempoolInfo: []byte(`{"size":1}`),
	}})
	s.call(t, "GET", "/api/v1alpha/specter", k.bearer(), "").want(t, 200,
		`"info":{"chain":"regtest","mempool_info":{"size":1},`, `"last_contact":"2026-12-01T10:00:00Z"`, `"network_info":{"version":290403}`)
}

// TestSpecter_OwnWalletsOnly checks that an admin does not see wallets of other users.
func TestSpecter_OwnWalletsOnly(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin, other := s.user(t, "admin", true), s.user(t, "other", false)
	s.wallet(t, admin, "mine", "viewer")
	s.wallet(t, admin, "savings", "owner")
	s.wallet(t, other, "theirs", "owner")
	all := s.call(t, "GET", "/api/v1alpha/specter", s.token(t, admin, 0).bearer(), "").want(t, 200,
		`"wallets_alias":["mine","savings"]`, `"wallets_names":["The mine","The savings"]`, `"alias_name":{"mine":"The mine","savings":"The savings"}`)
	if strings.Contains(all.body, "theirs") {
		t.Errorf("the response has another user's wallet: %s", all.body)
	}
	s.call(t, "GET", "/api/v1alpha/specter", s.token(t, admin, 0, "savings").bearer(), "").want(t, http.StatusOK,
		`"wallets_alias":["savings"]`, `"name_alias":{"The savings":"savings"}`)
}
