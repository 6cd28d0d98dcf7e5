package httpapi_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi"
)

// TestPasswordRequired checks that a token, with any scopes, cannot create users, set passwords,
// grant the admin role or delete other users' wallets. It can enable, disable or delete users
// and revoke the admin role.
func TestPasswordRequired(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		admin := s.user(t, "admin", true)
		k := s.token(t, admin, 0).bearer()
		s.user(t, "bob", false)
		s.user(t, "boss", true)
		s.wallet(t, s.user(t, "owner", false), "sole", "owner")
		before := s.dump(t, false)
		requests := []request{
			{method: "POST", path: users, body: `{"name": "mallory", "password": "correct horse, mine"}`},
			{method: "POST", path: users, body: `{"name": "mallory", "password": "correct horse, mine", "admin": true}`},
			{method: "PATCH", path: userPath("admin"), body: `{"password": "correct horse, mine"}`},
			{method: "PATCH", path: userPath("bob"), body: `{"password": "correct horse, mine"}`},
			{method: "PATCH", path: userPath("bob"), body: `{"password": "correct horse, mine", "disabled": true}`},
			{method: "PATCH", path: userPath("bob"), body: `{"admin": true}`},
			{method: "PATCH", path: userPath("boss"), body: `{"admin": true}`},
			{method: "PATCH", path: users + "/me", body: `{"password": "correct horse, mine"}`},
			{method: "DELETE", path: userPath("owner") + "?wallets=delete"},
			{method: "DELETE", path: userPath("bob") + "?wallets=delete"},
		}
		for i, r := range requests {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				r.auth = []string{k}
				s.do(t, r).wantProblem(t, 403, "password_required").want(t, 403, "HTTP Basic")
				if s.dump(t, false) != before {
					t.Fatalf("%s %s changed the database", r.method, r.path)
				}
			})
		}
		for _, body := range []string{`{"disabled": true}`, `{"disabled": false}`, `{"admin": false}`} {
			s.call(t, "PATCH", userPath("boss"), k, body).want(t, 200)
		}
		s.call(t, "DELETE", userPath("bob"), k, "").want(t, 204)
	})
}

// TestRoleScopes checks that the scopes that a token needs to give a role are the scopes of all
// routes that the role allows.
func TestRoleScopes(t *testing.T) {
	t.Parallel()
	roles := []auth.WalletRole{auth.RoleViewer, auth.RoleProposer, auth.RoleSigner, auth.RoleOwner}
	// For members below the role owner, these routes affect only their own alias or membership, or
	// require that a policy names them as approvers of its changes.
	own := []string{"ChangeWallet", "DeleteMember", "ApprovePolicyChange"}
	want := map[auth.WalletRole]auth.Scopes{}
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		for _, role := range roles {
			if to.Role.OfWallet() && role.Covers(auth.WalletRole(to.Role)) && (role == auth.RoleOwner || !slices.Contains(own, to.Handler.Name)) {
				want[role] |= to.Scope
			}
		}
	}
	for _, role := range roles {
		if got := role.Scopes(); got != want[role] {
			t.Errorf("%s: the table has the scopes %s, but the routes have %s", role, got, want[role])
		}
	}
}

// TestRoles_RequiredScopes checks that a token can give a role only if it has all scopes that the
// role makes usable, and that it can remove a member without these scopes.
func TestRoles_RequiredScopes(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p, bob := s.user(t, "p", false), s.user(t, "bob", false)
		s.wallet(t, p, "vault", "owner")
		s.member(t, p, "vault", bob, auth.RoleViewer)
		path, invitations := "/api/v1/wallets/vault/members/bob", "/api/v1/wallets/vault/invitations"
		roles := []auth.WalletRole{auth.RoleViewer, auth.RoleProposer, auth.RoleSigner, auth.RoleOwner}
		for _, role := range roles {
			scopes := auth.MembersWrite | role.Scopes()
			k := s.token(t, p, scopes).bearer()
			for _, given := range roles {
				for _, got := range []answer{
					s.call(t, "PUT", path, k, fmt.Sprintf(`{"role": %q}`, given)),
					s.call(t, "POST", invitations, k, fmt.Sprintf(`{"user": %q, "role": %q}`, unique("guest"), given)),
				} {
					if scopes.Has(given.Scopes()) {
						if got.status != 200 && got.status != 201 {
							t.Errorf("%s by a token for %s: %d %s", given, role, got.status, got.body)
						}
						continue
					}
					got.wantProblem(t, 403, "scope_exceeded")
					if missing := (given.Scopes() &^ scopes).String(); got.text("required_scope") != missing {
						t.Errorf("%s by a token for %s: required_scope %q, want %q", given, role, got.text("required_scope"), missing)
					}
				}
			}
		}
		s.call(t, "PUT", path, s.token(t, p, auth.DefaultScopes).bearer(), `{"role": "viewer"}`).wantProblem(t, 403, "insufficient_scope")
		s.call(t, "DELETE", path, s.token(t, p, auth.DefaultScopes).bearer(), "").wantProblem(t, 403, "insufficient_scope")
		s.call(t, "DELETE", path, s.token(t, bob, auth.DefaultScopes).bearer(), "").wantProblem(t, 403, "insufficient_scope")
		s.call(t, "DELETE", path, s.token(t, p, auth.MembersWrite).bearer(), "").want(t, 204)
	})
}
