package httpapi_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi/route"
)

// withWalletRoutes adds a test route for each role in a wallet.
func withWalletRoutes(s *setup) {
	s.routes = func(routes []route.Route) []route.Route {
		for _, role := range []route.Role{route.Viewer, route.Proposer, route.Signer, route.Owner} {
			routes = append(routes, route.Route{
				Method: "GET", Path: "/api/v1/wallets/{alias}/for-" + string(role), Credentials: route.BasicOrBearer,
				Scope: auth.WalletsRead, Role: role, Summary: "Say hello to a " + string(role),
				Handler: route.OK(func(context.Context, struct {
					Alias string `path:"alias" json:"-"`
				},
				) (greeting, error) {
					return greeting{"hello"}, nil
				}),
			})
		}
		return routes
	}
}

type greeting struct {
	Message string `json:"message"`
}

// TestWalletRoles checks that access to a wallet depends on the caller's role in it and on the
// scopes and wallets of the token.
func TestWalletRoles(t *testing.T) {
	t.Parallel()
	s := start(t, withWalletRoutes)
	roles := []string{"viewer", "proposer", "signer", "owner"}
	for _, role := range roles {
		t.Run(role, func(t *testing.T) {
			p, other := s.user(t, "a "+role, false), s.user(t, "no "+role, true)
			vault := s.wallet(t, p, "vault", role)
			s.wallet(t, p, "savings", "owner")
			s.wallet(t, other, "theirs", "owner")
			callers := []struct {
				name, authorization string
				member              bool
			}{
				{"password", p.basic(), true},
				{"token without a limit", s.token(t, p, 0).bearer(), true},
				{"token for the wallet", s.token(t, p, 0, "vault").bearer(), true},
				{"token for both wallets", s.token(t, p, 0, "savings", "vault").bearer(), true},
				{"token for the other wallet", s.token(t, p, 0, "savings").bearer(), false},
				{"token for no wallet", s.tokenFor(t, p, time.Hour, 0, []string{}).bearer(), false},
				{"password of another user", other.basic(), false},
				{"token of another user", s.token(t, other, 0).bearer(), false},
			}
			for _, needed := range roles {
				for _, c := range callers {
					t.Run(c.name, func(t *testing.T) {
						got := s.call(t, "GET", "/api/v1/wallets/vault/for-"+needed, c.authorization, "")
						switch {
						case !c.member:
							got.wantProblem(t, 404, "wallet_not_found")
						case slices.Index(roles, role) < slices.Index(roles, needed):
							if got.wantProblem(t, 403, "insufficient_role"); got.text("required_role") != needed {
								t.Errorf("required_role %q, want %q", got.text("required_role"), needed)
							}
						default:
							got.want(t, 200, "hello")
						}
					})
				}
				s.call(t, "GET", "/api/v1/wallets/vault/for-"+needed, s.token(t, p, auth.AllScopes&^auth.AdminScopes&^auth.WalletsRead).bearer(), "").
					wantProblem(t, 403, "insufficient_scope")
				s.call(t, "GET", "/api/v1/wallets/theirs/for-"+needed, p.basic(), "").wantProblem(t, 404, "wallet_not_found")
				s.call(t, "GET", "/api/v1/wallets/"+vault+"/for-"+needed, p.basic(), "").wantProblem(t, 404, "wallet_not_found")
			}
		})
	}
}

// TestForeignWallets_SameAsUnknown checks that the responses for another user's wallet, for an
// unknown wallet and for a wallet that the token excludes are identical.
func TestForeignWallets_SameAsUnknown(t *testing.T) {
	t.Parallel()
	s := start(t, withWalletRoutes)
	p, stranger := s.user(t, "p", false), s.user(t, "stranger", false)
	s.wallet(t, stranger, "theirs", "owner")
	limited := s.tokenFor(t, p, time.Hour, 0, []string{})
	s.wallet(t, p, "mine", "owner")
	var bodies []string
	for _, ask := range []struct{ alias, authorization string }{
		{"theirs", p.basic()}, {"nobodys", p.basic()}, {"mine", limited.bearer()},
	} {
		got := s.do(t, request{
			method: "GET", path: "/api/v1/wallets/" + ask.alias + "/for-viewer",
			auth: []string{ask.authorization}, header: map[string]string{"X-Request-Id": "same"},
		})
		bodies = append(bodies, got.wantProblem(t, 404, "wallet_not_found").body)
	}
	if bodies[0] != bodies[1] || bodies[1] != bodies[2] {
		t.Errorf("the responses distinguish the wallets: %q", bodies)
	}
}

// TestWalletRoles_MembershipChanges checks that a change or the deletion of a membership takes
// effect with the next request.
func TestWalletRoles_MembershipChanges(t *testing.T) {
	t.Parallel()
	s := start(t, withWalletRoutes)
	p := s.user(t, "p", false)
	id := s.wallet(t, p, "vault", "owner")
	k := s.token(t, p, 0, "vault")
	ask := func() answer { return s.call(t, "GET", "/api/v1/wallets/vault/for-owner", k.bearer(), "") }
	ask().want(t, 200)
	s.sql(t, "UPDATE members SET role = 'signer' WHERE wallet_id = $1", id)
	ask().wantProblem(t, 403, "insufficient_role")
	s.sql(t, "DELETE FROM members WHERE wallet_id = $1", id)
	ask().wantProblem(t, 404, "wallet_not_found")
}
