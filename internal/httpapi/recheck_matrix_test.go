package httpapi_test

import (
	"cmp"
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// ending is a way to revoke a credential while the body of a request is being sent.
type ending struct {
	name    string
	end     func(t *testing.T, w *world, p testUser, k token)
	verdict verdict
	only    func(to route.Route) bool
}

func endingBySQL(name string, v verdict, only func(route.Route) bool, statement string, id func(p testUser, k token) string) ending {
	return ending{name, func(t *testing.T, w *world, p testUser, k token) { w.sql(t, statement, id(p, k)) }, v, only}
}

func userID(p testUser, _ token) string  { return p.ID }
func tokenID(_ testUser, k token) string { return k.id }

// tokenEndings contains every change that makes the server refuse a request with a token.
var tokenEndings = []ending{
	endingBySQL("token deleted", unknown, nil, "DELETE FROM tokens WHERE token_id = $1", tokenID),
	endingBySQL("token expired", unknown, nil, "UPDATE tokens SET expires_at = 1 WHERE token_id = $1", tokenID),
	endingBySQL("user disabled", unknown, nil, "UPDATE users SET disabled_at = 1 WHERE user_id = $1", userID),
	endingBySQL("user deleted", unknown, nil, "DELETE FROM users WHERE user_id = $1", userID),
	endingBySQL("scopes taken", scopeMissing, func(to route.Route) bool { return to.Credentials.NeedsScope() },
		"UPDATE tokens SET scopes = '' WHERE token_id = $1", tokenID),
	endingBySQL("role taken", adminsOnly, forAdmins, "UPDATE users SET is_admin = FALSE WHERE user_id = $1", userID),
	endingBySQL("membership ended", notFound, isOnVault, "DELETE FROM members WHERE user_id = $1", userID),
	{"role in the wallet lowered", func(t *testing.T, w *world, p testUser, _ token) {
		w.sql(t, "UPDATE members SET role = 'viewer' WHERE user_id = $1", p.ID)
	}, roleMissing, func(to route.Route) bool { return isOnVault(to) && to.Role != route.Viewer }},
	{"token limited to other wallets", func(t *testing.T, w *world, _ testUser, k token) {
		w.sql(t, "UPDATE tokens SET wallet_ids = '' WHERE token_id = $1", k.id)
	}, notFound, isOnVault},
}

// passwordEndings contains every change that makes the server refuse a request with a
// password.
var passwordEndings = []ending{
	{"password reset", func(t *testing.T, w *world, p testUser, _ token) {
		password := "correct horse after the reset"
		_, err := w.Users.Change(t.Context(), auth.Operator("test"), p.Name, auth.UserChange{Password: &password})
		testkit.Check(t, err)
	}, unknown, nil},
	endingBySQL("password changed in a shell", unknown, nil, "UPDATE users SET password_hash = 'x' WHERE user_id = $1", userID),
	endingBySQL("user disabled", unknown, nil, "UPDATE users SET disabled_at = 1 WHERE user_id = $1", userID),
	endingBySQL("user deleted", unknown, nil, "DELETE FROM users WHERE user_id = $1", userID),
}

// TestRecheck_Matrix makes a valid request to every route that makes changes, and revokes the
// credential in every way while the body is being sent. The response must be the same as for
// a request that is made after the revocation, and the request must change nothing.
func TestRecheck_Matrix(t *testing.T) {
	t.Parallel()
	bitcoind := testkit.Bitcoind(t)
	payer := newNodeWallet(t, bitcoind)
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{server: start(t, setting(t), onNode(bitcoind)), bitcoind: bitcoind, vaults: &vaults{of: map[string]vault{}}, purse: payer}
			w.user(t, "root", true)
			owner := w.user(t, "owner", false)
			for _, to := range httpapi.Routes(httpapi.Options{}) {
				if to.Method != http.MethodGet {
					t.Run(to.Method+" "+to.Path, func(t *testing.T) { w.endAll(t, to, owner) })
				}
			}
		})
	}
}

// endAll tries all endings with one route. It skips requests whose body the server does not
// read.
func (w *world) endAll(t *testing.T, to route.Route, owner testUser) {
	w.caller = owner
	bodies := []bool{false}
	if to.Handler.TakesIdempotencyKey {
		bodies = []bool{false, true}
	}
	for _, withKey := range bodies {
		if !w.asksForBody(t, to, withKey) {
			continue // the server executes the request as soon as the header arrives
		}
		if to.Credentials.TakesBearer() {
			for _, e := range tokenEndings {
				w.tryEnding(t, to, e, withKey, false)
			}
		}
		if to.Credentials.TakesBasic() {
			for _, e := range passwordEndings {
				w.tryEnding(t, to, e, withKey, true)
			}
		}
	}
}

// newCaller returns a new user who may use the route, a token of that user, and a valid request
// to the route.
func (w *world) newCaller(t *testing.T, to route.Route, withKey bool) (testUser, token, request) {
	t.Helper()
	p := w.user(t, unique("entrant"), to.Role == route.Admin)
	whose := p
	if isOnVault(to) {
		whose = w.caller
		v := w.vaultOf(t, whose)
		w.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, 'owner', $3, 0)", v.id, p.ID, v.alias)
	} else {
		w.caller = p
	}
	path, body := requests[to.Method+" "+to.Path](t, w, whose)
	r := request{method: to.Method, path: path, header: map[string]string{}, body: cmp.Or(body, "{}")}
	if to.Handler.Text != nil {
		r.header["Content-Type"] = to.Handler.Text.Types[0]
	}
	if withKey {
		r.header["Idempotency-Key"] = unique("key")
	}
	return p, w.token(t, p, 0), r
}

// asksForBody makes a valid request whose credential stays valid, and reports whether the
// server read its body. If the request has an idempotency key, asksForBody then repeats it with
// a token that is deleted before the body is complete, and checks that the response is not
// replayed.
func (w *world) asksForBody(t *testing.T, to route.Route, withKey bool) (asked bool) {
	t.Helper()
	p, k, r := w.newCaller(t, to, withKey)
	r.auth = []string{k.bearer()}
	if to.Credentials.TakesBasic() { // a password has more rights than a token
		r.auth = []string{p.basic()}
	}
	got, asked := w.inTwoParts(t, r, func() {})
	letIn.check(t, got, to, true)
	if to.Handler.NeedsBody && !asked {
		t.Errorf("the body was not read: %d %s", got.status, got.body)
	}
	if withKey {
		r.auth = []string{w.token(t, p, 0).bearer()}
		w.do(t, r).want(t, got.status)
		again, _ := w.inTwoParts(t, r, func() { w.sql(t, "DELETE FROM tokens WHERE user_id = $1", p.ID) })
		unknown.check(t, again, to, true)
	}
	return asked
}

func (w *world) tryEnding(t *testing.T, to route.Route, e ending, withKey, withPassword bool) {
	t.Helper()
	if e.only != nil && !e.only(to) {
		return
	}
	name := e.name
	if withPassword {
		name += " after a password"
	}
	if withKey {
		name += ", with a key"
	}
	t.Run(name, func(t *testing.T) {
		p, k, r := w.newCaller(t, to, withKey)
		r.auth = []string{k.bearer()}
		if withPassword {
			r.auth = []string{p.basic()}
		}
		var acts int
		var rows string
		got, _ := w.inTwoParts(t, r, func() {
			e.end(t, w, p, k)
			acts, rows = w.acts(t), w.left(t)
		})
		e.verdict.check(t, got, to, !withPassword || strings.HasPrefix(to.Path, "/api/v1alpha/")) // invalid_token applies to tokens only
		if w.acts(t) != acts || w.left(t) != rows {
			t.Error("the refused request changed the database")
		}
	})
}

// left dumps the tables that the requests can change.
func (w *world) left(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, table := range []string{"users", "members", "tokens", "idempotency", "proposals", "reserved", "labels", "frozen"} {
		w.dumpTable(t, &text, table)
	}
	return text.String()
}
