package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// world is a server with a caller, another user of the same role, and the node and wallets
// that valid requests need.
type world struct {
	*server
	caller, other testUser
	bitcoind      *testkit.Node
	vaults        *vaults
	purse         *nodeWallet
	good          token // token of the caller with every scope
}

func TestMatrix_EveryRoute(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		keys = append(keys, to.Method+" "+to.Path)
		if requests[to.Method+" "+to.Path] == nil {
			t.Errorf("add a valid request for %s %s to the map requests", to.Method, to.Path)
		}
	}
	for key := range requests {
		if !slices.Contains(keys, key) {
			t.Errorf("the map requests has %s, which is not in the table of routes", key)
		}
	}
}

func TestRoutes_ScopePerTokenRoute(t *testing.T) {
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

// TestMatrix makes a valid request to every route with every kind of credential. It checks
// which requests are accepted, which errors the others get, and that refused requests change
// nothing.
func TestMatrix(t *testing.T) {
	t.Parallel()
	routes := httpapi.Routes(httpapi.Options{})
	bitcoind := testkit.Bitcoind(t)
	payer := newNodeWallet(t, bitcoind)
	const servers = 4
	for n := range servers {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := &world{server: start(t, onNode(bitcoind)), bitcoind: bitcoind, vaults: &vaults{of: map[string]vault{}}, purse: payer}
			w.user(t, "root", true)
			people := map[bool][2]testUser{}
			for _, admins := range []bool{false, true} {
				name := map[bool]string{false: "user", true: "boss"}[admins]
				people[admins] = [2]testUser{w.user(t, "caller_"+name, admins), w.user(t, "other_"+name, admins)}
			}
			for i := n; i < len(routes); i += servers {
				t.Run(routes[i].Method+" "+routes[i].Path, func(t *testing.T) { w.tryAll(t, routes[i], people[routes[i].Role == route.Admin]) })
			}
		})
	}
}

func (w *world) tryAll(t *testing.T, to route.Route, people [2]testUser) {
	w.caller, w.other = people[0], people[1]
	w.clock.advance(auth.MaxFailures * auth.FailureForgottenAfter) // so that the failed logins of the previous route no longer count
	w.good = w.token(t, w.caller, 0)
	for _, c := range credentials {
		if c.only == nil || c.only(to) {
			w.try(t, to, c)
		}
	}
	w.tryMedia(t, to)
}

// exportFormats are formats of exported wallets with each media type, which the format determines.
var exportFormats = map[string]string{"application/json": "core", "application/jsonl": "labels", "text/plain": "descriptor"}

// tryMedia requests each media type of a streaming route.
func (w *world) tryMedia(t *testing.T, to route.Route) {
	t.Helper()
	for _, media := range to.Handler.Media {
		path, body := requests[to.Method+" "+to.Path](t, w, w.caller)
		path = strings.Replace(path, "/export?format=descriptor", "/export?format="+exportFormats[media.Type], 1)
		method := to.Method
		if media.Type == "text/event-stream" { // the response to GET does not end
			method = "HEAD"
		}
		got := w.do(t, request{method: method, path: path, auth: []string{w.good.bearer()}, header: map[string]string{"Accept": media.Type}, body: body})
		got.want(t, to.Handler.Status)
		if contentType := got.header.Get("Content-Type"); !strings.HasPrefix(contentType, media.Type) {
			t.Errorf("%s %s: content type %s, want %s", to.Method, to.Path, contentType, media.Type)
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
		r := request{method: to.Method, path: path, auth: headers, body: body}
		if to.Handler.Text != nil {
			r.header = map[string]string{"Content-Type": to.Handler.Text.Types[0]}
		}
		got := w.do(t, r)
		want := c.verdict(to)
		tried := len(headers) > 0
		if len(headers) == 1 && !strings.HasPrefix(to.Path, "/api/v1alpha/") {
			scheme, _, _ := strings.Cut(headers[0], " ")
			tried = !strings.EqualFold(scheme, "Basic")
		}
		want.check(t, got, to, tried)
		if want != letIn && want != unseen && w.acts(t) != before {
			t.Error("the refused request wrote an audit event")
		}
	})
}

// acts returns the number of audit events other than logins. It shows whether a request
// changed something, because every change writes an audit event in the same transaction.
func (w *world) acts(t *testing.T) (n int) {
	t.Helper()
	testkit.Check(t, w.statement(t, "SELECT count(*) FROM audit WHERE action <> 'login'").QueryRow().Scan(&n)) //nolint:sqlclosecheck // the statement is cached
	return n
}

// verdict is the expected outcome of a request.
type verdict string

const (
	letIn          verdict = "accepted"
	unseen         verdict = "accepted, but the response is withheld"
	unknown        verdict = "not authenticated"
	scopeMissing   verdict = "the scope is missing"
	adminsOnly     verdict = "the role is missing"
	roleMissing    verdict = "the role in the wallet is missing"
	notFound       verdict = "not found for the caller"
	byPasswordOnly verdict = "a password is required"
	notOwnToken    verdict = "neither the token of the request nor one of its descendants"
)

func (v verdict) check(t *testing.T, got answer, to route.Route, tried bool) {
	t.Helper()
	challenges := got.header.Values("WWW-Authenticate")
	alpha := strings.HasPrefix(to.Path, "/api/v1alpha/")
	switch v {
	case unseen:
		if got.want(t, http.StatusNoContent); got.body != "" || got.header.Get("Content-Type") != "" {
			t.Errorf("the response has a body: %s %s", got.header.Get("Content-Type"), got.body)
		}
		wantChallenges(t, challenges)
	case letIn:
		if got.status != to.Handler.OtherStatus || got.status == 0 {
			got.want(t, to.Handler.Status)
		}
		if strings.HasSuffix(got.header.Get("Content-Type"), "/json") && got.fields == nil && !strings.HasPrefix(got.body, "[") {
			t.Errorf("the body is not a JSON object: %s", got.body)
		}
		wantChallenges(t, challenges)
	case unknown:
		got.wantRefused(t, to.Path)
		wantUnknownChallenges(t, challenges, to, tried)
	case notFound:
		wantNotFound(t, got, to, alpha)
		wantChallenges(t, challenges)
	default:
		v.checkForbidden(t, got, to, alpha)
	}
}

func wantNotFound(t *testing.T, got answer, to route.Route, alpha bool) {
	t.Helper()
	switch {
	case alpha && strings.HasSuffix(to.Path, "/psbt"):
		got.wantMessage(t, http.StatusForbidden, "The wallet does not belong to the user in the request.")
	case alpha && to.Role.OfWallet():
		got.want(t, http.StatusForbidden, `{"message":"Wallet `, ` does not exist"}`)
	case alpha:
		got.wantMessage(t, http.StatusNotFound, "Token does not exist, make sure to enter correct token id")
	case to.Role.OfWallet():
		got.wantProblem(t, http.StatusNotFound, "wallet_not_found")
	case strings.Contains(to.Path, "{address}"):
		got.wantProblem(t, http.StatusNotFound, "address_not_found")
	case strings.Contains(to.Path, "/invitations/"):
		got.wantProblem(t, http.StatusNotFound, "invitation_not_found")
	case strings.Contains(to.Path, "/webhooks/"):
		got.wantProblem(t, http.StatusNotFound, "webhook_not_found")
	default:
		got.wantProblem(t, http.StatusNotFound, "token_not_found")
	}
}

func (v verdict) checkForbidden(t *testing.T, got answer, to route.Route, alpha bool) {
	t.Helper()
	code, field, value, text := "insufficient_scope", "required_scope", to.Scope.String(), "the token lacks the scope "+to.Scope.String()
	switch v {
	case adminsOnly:
		code, field, value, text = "insufficient_role", "required_role", "admin", "only admins may do this"
	case roleMissing:
		code, field, value = "insufficient_role", "required_role", string(to.Role)
	case notOwnToken:
		code, field, value = "not_own_token", "required_scope", ""
	case byPasswordOnly:
		code, field, value = "password_required", "required_scope", ""
	}
	if alpha && v == roleMissing {
		got.want(t, http.StatusForbidden, "your role in this wallet is ", "the role "+value+" is required")
	} else if alpha {
		got.wantMessage(t, http.StatusForbidden, text)
	} else if got.wantProblem(t, http.StatusForbidden, code); got.text(field) != value {
		t.Errorf("%s is %q, want %q", field, got.text(field), value)
	}
	var challenges []string // none if the role is missing, because another token of the user would not help
	if v == scopeMissing {
		challenges = []string{`Bearer realm="specterd", error="insufficient_scope", scope="` + to.Scope.String() + `"`}
	}
	wantChallenges(t, got.header.Values("WWW-Authenticate"), challenges...)
}

// wantUnknownChallenges checks that a response has one challenge for each scheme of the route
// (RFC 9110, section 11.6.1). The challenge of Bearer must have an error code only if tried is
// true; a request without a token gets none (RFC 6750, section 3.1).
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
