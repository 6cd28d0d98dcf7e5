package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
)

// world is a server with a caller who may do everything that their role allows,
// and somebody else of the same role.
type world struct {
	*server
	caller, other person
	good          token // of the caller, with every scope
}

// requests say, for each route, what to ask so that nothing but the credential
// can be wrong. Whose is the person to whom the thing asked for belongs.
var requests = map[string]func(t *testing.T, w *world, whose person) (path, body string){
	"GET /api/healthz/liveness":       plain("/api/healthz/liveness"),
	"GET /api/healthz/readyness":      plain("/api/healthz/readyness"),
	"GET /api/v1alpha/token":          plain("/api/v1alpha/token/"),
	"POST /api/v1alpha/token":         fresh("/api/v1alpha/token/", `{"jwt_token_description": %q, "jwt_token_life": "6 minutes"}`),
	"GET /api/v1alpha/token/{id}":     ofToken("/api/v1alpha/token/%s/", ""),
	"GET /api/v1alpha/specter":        plain("/api/v1alpha/specter"),
	"GET /api/v1/tokens":              plain("/api/v1/tokens"),
	"POST /api/v1/tokens":             fresh("/api/v1/tokens", `{"description": %q, "lifetime": "6 minutes", "scopes": ["node:read"]}`),
	"GET /api/v1/tokens/self":         plain("/api/v1/tokens/self"),
	"DELETE /api/v1/tokens/self":      plain("/api/v1/tokens/self"),
	"GET /api/v1/tokens/{id}":         ofToken("/api/v1/tokens/%s", ""),
	"DELETE /api/v1/tokens/{id}":      ofToken("/api/v1/tokens/%s", ""),
	"GET /api/v1/users":               plain("/api/v1/users"),
	"POST /api/v1/users":              fresh("/api/v1/users", `{"name": %q, "password": "correct horse of the new"}`),
	"GET /api/v1/users/me":            plain("/api/v1/users/me"),
	"PATCH /api/v1/users/me":          ownPassword,
	"GET /api/v1/users/{name}":        ofUser("/api/v1/users/%s", ""),
	"PATCH /api/v1/users/{name}":      ofUser("/api/v1/users/%s", `{"admin": true}`),
	"DELETE /api/v1/users/{name}":     ofUser("/api/v1/users/%s", ""),
	"GET /api/v1/node":                plain("/api/v1/node"),
	"DELETE /api/v1alpha/token/{id}":  ofToken("/api/v1alpha/token/%s/", ""),
	"POST /api/v1/tokens/{id}/rotate": ofToken("/api/v1/tokens/%s/rotate", `{}`),
}

func plain(path string) func(*testing.T, *world, person) (string, string) { return withBody(path, "") }

func withBody(path, body string) func(*testing.T, *world, person) (string, string) {
	return func(*testing.T, *world, person) (string, string) { return path, body }
}

func fresh(path, body string) func(*testing.T, *world, person) (string, string) {
	return func(*testing.T, *world, person) (string, string) {
		return path, fmt.Sprintf(body, unique("something new"))
	}
}

func ofToken(path, body string) func(*testing.T, *world, person) (string, string) {
	return func(t *testing.T, w *world, whose person) (string, string) {
		return fmt.Sprintf(path, w.token(t, whose, 0).id), body
	}
}

func ofUser(path, body string) func(*testing.T, *world, person) (string, string) {
	return func(t *testing.T, w *world, _ person) (string, string) {
		name := unique("somebody")
		return fmt.Sprintf(path, w.user(t, name, false).Name), body
	}
}

// ownPassword changes the caller's password to what it was.
func ownPassword(_ *testing.T, w *world, _ person) (string, string) {
	return "/api/v1/users/me", fmt.Sprintf(`{"password": %q}`, w.caller.password)
}

func TestEveryRouteHasARequest(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		keys = append(keys, to.Method+" "+to.Path)
		if requests[to.Method+" "+to.Path] == nil {
			t.Errorf("add to the map requests what a right request for %s %s is", to.Method, to.Path)
		}
	}
	for key := range requests {
		if !slices.Contains(keys, key) {
			t.Errorf("the map requests has %s, and the table of routes has not", key)
		}
	}
}

func TestEveryRouteThatTakesATokenHasAScope(t *testing.T) {
	t.Parallel()
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		takesAnyScope := to.Credentials == route.OwnToken || to.Credentials == route.AnyToken
		if wants := to.Credentials.TakesBearer() && !takesAnyScope; wants != (to.Scope != 0) {
			t.Errorf("%s %s: scope %q", to.Method, to.Path, to.Scope)
		}
		if len(to.Scope.Names()) > 1 {
			t.Errorf("%s %s has more than one scope", to.Method, to.Path)
		}
		if to.Role.OfWallet() != strings.Contains(to.Path, "{alias}") {
			t.Errorf("%s %s: role %q", to.Method, to.Path, to.Role)
		}
	}
}

// TestMatrix makes, for every route, a right request with every kind of
// credential, and checks who is let in, what the others are told, and that
// whoever is refused changed nothing.
func TestMatrix(t *testing.T) {
	t.Parallel()
	routes := httpapi.Routes(httpapi.Options{})
	const servers = 4
	for n := range servers {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.user(t, "root", true)
			for i := n; i < len(routes); i += servers {
				t.Run(routes[i].Method+" "+routes[i].Path, func(t *testing.T) { s.tryAll(t, routes[i], i) })
			}
		})
	}
}

func (s *server) tryAll(t *testing.T, to route.Route, n int) {
	w := &world{server: s}
	admins := to.Role == route.Admin
	w.caller, w.other = w.user(t, fmt.Sprintf("caller%02d", n), admins), w.user(t, fmt.Sprintf("other%02d", n), admins)
	w.good = w.token(t, w.caller, 0)
	for _, c := range credentials {
		if c.only == nil || c.only(to) {
			w.try(t, to, c)
		}
	}
}

func (w *world) try(t *testing.T, to route.Route, c credential) {
	t.Helper()
	t.Run(c.name, func(t *testing.T) {
		whose := w.caller
		if c.foreign {
			whose = w.other
		}
		path, body := requests[to.Method+" "+to.Path](t, w, whose)
		headers := c.headers(t, w, to)
		before := w.acts(t)
		got := w.do(t, request{method: to.Method, path: path, auth: headers, body: body})
		want := c.verdict(to)
		want.check(t, got, to, len(headers) > 0)
		if want != letIn && w.acts(t) != before {
			t.Error("the refused request did something")
		}
	})
}

// acts counts what was done so far: every act is recorded in its transaction.
func (w *world) acts(t *testing.T) (n int) {
	t.Helper()
	check(t, w.statement(t, "SELECT count(*) FROM audit WHERE action <> 'login'").QueryRow().Scan(&n)) //nolint:sqlclosecheck // the statement is kept
	return n
}

// verdict is what becomes of a request.
type verdict string

const (
	letIn        verdict = "let in"
	unknown      verdict = "not authenticated"
	scopeMissing verdict = "the scope is missing"
	adminsOnly   verdict = "the role is missing"
	notFound     verdict = "not among the caller's"
)

func (v verdict) check(t *testing.T, got answer, to route.Route, tried bool) {
	t.Helper()
	challenges := got.header.Values("WWW-Authenticate")
	alpha := strings.HasPrefix(to.Path, "/api/v1alpha/")
	switch v {
	case letIn:
		got.want(t, to.Handler.Status)
		if got.status != http.StatusNoContent && got.fields == nil {
			t.Errorf("no JSON object: %s", got.body)
		}
		wantChallenges(t, challenges)
	case unknown:
		got.wantRefused(t, to.Path)
		wantUnknownChallenges(t, challenges, to, tried)
	case notFound:
		if alpha {
			got.wantMessage(t, http.StatusNotFound, "Token does not exist, make sure to enter correct token id")
		} else {
			got.wantProblem(t, http.StatusNotFound, "token_not_found")
		}
		wantChallenges(t, challenges)
	default:
		v.checkForbidden(t, got, to, alpha)
	}
}

func (v verdict) checkForbidden(t *testing.T, got answer, to route.Route, alpha bool) {
	t.Helper()
	code, field, value, text := "scope_missing", "required_scope", to.Scope.String(), "the token lacks the scope "+to.Scope.String()
	if v == adminsOnly {
		code, field, value, text = "role_missing", "required_role", "admin", "only admins may do this"
	}
	if alpha {
		got.wantMessage(t, http.StatusForbidden, text)
	} else if got.wantProblem(t, http.StatusForbidden, code); got.text(field) != value {
		t.Errorf("%s is %q, want %q", field, got.text(field), value)
	}
	var challenges []string // another token does not help who is no admin
	if v != adminsOnly {
		challenges = []string{`Bearer realm="specterd", error="insufficient_scope", scope="` + to.Scope.String() + `"`}
	}
	wantChallenges(t, got.header.Values("WWW-Authenticate"), challenges...)
}

// wantUnknownChallenges: one for each scheme that the route takes (RFC 9110,
// section 11.6.1), with an error only for who tried (RFC 6750, section 3.1).
func wantUnknownChallenges(t *testing.T, got []string, to route.Route, tried bool) {
	t.Helper()
	var want []string
	switch {
	case to.Credentials.TakesBearer() && tried:
		want = append(want, `Bearer realm="specterd", error="invalid_token"`)
	case to.Credentials.TakesBearer():
		want = append(want, `Bearer realm="specterd"`)
	}
	if to.Credentials.TakesBasic() {
		want = append(want, `Basic realm="specterd", charset="UTF-8"`)
	}
	wantChallenges(t, got, want...)
}

func wantChallenges(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("WWW-Authenticate %q, want %q", got, want)
	}
}
