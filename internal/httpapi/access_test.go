package httpapi_test

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestRoutes_OfWallets checks that a route requires a role in a wallet if and only if its
// path has {alias}, because the server resolves the alias only for such a role. Route.Check,
// which the server calls at its start, must reject other combinations.
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

// TestAccess_AfterBody changes the wallet that an alias refers to, and the caller's role in
// it, while the body of a request is being sent. The request must apply to the new wallet,
// and be authorized with the new role.
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
