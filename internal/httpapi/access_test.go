package httpapi_test

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestRoutes_OfWallets checks that the alias in a path is resolved for every route that has
// one, because the role of the route is one in a wallet, and that the server refuses to
// start otherwise.
func TestRoutes_OfWallets(t *testing.T) {
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		testkit.Check(t, to.Check())
		if strings.Contains(to.Path, "{alias}") != to.Role.OfWallet() {
			t.Errorf("%s %s requires the role %q", to.Method, to.Path, to.Role)
		}
		if to.Role.OfWallet() {
			to.Role = route.AnyRole
		} else {
			to.Role = route.Viewer
		}
		if err := to.Check(); err == nil {
			t.Errorf("%s %s may have the role %q", to.Method, to.Path, to.Role)
		}
	}
}

// TestAccess_AfterBody changes which wallet an alias refers to, and the caller's role there,
// while the body of a request is being sent. The request must concern the wallet, and have
// the role, of the second check.
func TestAccess_AfterBody(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		alice := s.user(t, "alice", false)
		first, second := s.wallet(t, alice, "first", "owner"), s.wallet(t, alice, "second", "owner")
		r := request{method: "PATCH", path: "/api/v1/wallets/first", auth: []string{s.token(t, alice, 0).bearer()}, body: `{"name": "renamed"}`}
		alias := func(id, alias string) {
			s.sql(t, "UPDATE members SET alias = $2 WHERE wallet_id = $1", id, alias)
		}
		got, _ := s.inTwoParts(t, r, func() {
			alias(first, "x")
			alias(second, "first")
			alias(first, "second")
		})
		got.want(t, 200)
		for alias, name := range map[string]string{"first": "renamed", "second": "The first"} {
			if v := s.call(t, "GET", "/api/v1/wallets/"+alias, r.auth[0], "").want(t, 200); v.text("name") != name {
				t.Errorf("the wallet %s has the name %s", alias, v.text("name"))
			}
		}
		r.body = `{"name": "renamed again"}`
		got, _ = s.inTwoParts(t, r, func() { s.sql(t, "UPDATE members SET role = 'viewer' WHERE wallet_id = $1", second) })
		got.wantProblem(t, 403, "insufficient_role")
	})
}
