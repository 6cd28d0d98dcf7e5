package httpapi_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// TestToken_DatabaseRowIsAuthoritative changes rows from another connection, as an operator
// with an SQL shell does, and checks that the next request with a token uses the changed rows.
func TestToken_DatabaseRowIsAuthoritative(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		alice := s.user(t, "alice", false)
		past := s.clock.now().Add(-time.Second).UnixMicro()
		for _, c := range []struct {
			name   string
			change func(t *testing.T, p testUser, parent, child token)
		}{
			{"the token is deleted", func(t *testing.T, _ testUser, _, child token) {
				s.sql(t, "DELETE FROM tokens WHERE token_id = $1", child.id)
			}},
			{"the token's expiry is in the past", func(t *testing.T, _ testUser, _, child token) {
				s.sql(t, "UPDATE tokens SET expires_at = $2 WHERE token_id = $1", child.id, past)
			}},
			{"the token's hash is changed", func(t *testing.T, _ testUser, _, child token) {
				s.sql(t, "UPDATE tokens SET token_hash = $2 WHERE token_id = $1", child.id, []byte("no hash of any token, 32 bytes.."))
			}},
			{"the token's id is changed", func(t *testing.T, _ testUser, _, child token) {
				s.sql(t, "UPDATE tokens SET token_id = $2 WHERE token_id = $1", child.id, unique("id"))
			}},
			{"the parent is deleted", func(t *testing.T, _ testUser, parent, _ token) {
				s.sql(t, "DELETE FROM tokens WHERE token_id = $1", parent.id)
			}},
			{"the user is disabled", func(t *testing.T, p testUser, _, _ token) {
				s.sql(t, "UPDATE users SET disabled_at = $2 WHERE user_id = $1", p.ID, past)
			}},
			{"the user is deleted", func(t *testing.T, p testUser, _, _ token) {
				s.sql(t, "DELETE FROM users WHERE user_id = $1", p.ID)
			}},
		} {
			t.Run(c.name, func(t *testing.T) {
				p := s.user(t, unique("bob"), false)
				parent, others := s.token(t, p, 0), s.token(t, alice, 0)
				child := s.child(t, parent)
				s.call(t, "GET", "/api/v1/tokens/self", child.bearer(), "").want(t, 200)
				c.change(t, p, parent, child)
				s.call(t, "GET", "/api/v1/tokens/self", child.bearer(), "").wantProblem(t, 401, "unauthenticated")
				s.call(t, "GET", "/api/v1/tokens/self", others.bearer(), "").want(t, 200)
			})
		}
		testRowLimits(t, s)
	})
}

func testRowLimits(t *testing.T, s *server) {
	t.Run("scopes are removed", func(t *testing.T) {
		k := s.token(t, s.user(t, unique("carol"), false), 0)
		s.call(t, "GET", "/api/v1/node", k.bearer(), "").want(t, 200)
		s.sql(t, "UPDATE tokens SET scopes = 'wallets:read nonsense' WHERE token_id = $1", k.id)
		got := s.call(t, "GET", "/api/v1/node", k.bearer(), "").wantProblem(t, 403, "insufficient_scope")
		if got.text("required_scope") != "node:read" {
			t.Errorf("required_scope %q", got.text("required_scope"))
		}
		s.sql(t, "UPDATE tokens SET scopes = 'node:read' WHERE token_id = $1", k.id)
		s.call(t, "GET", "/api/v1/node", k.bearer(), "").want(t, 200)
	})
	t.Run("an admin becomes an ordinary user", func(t *testing.T) {
		p := s.user(t, unique("dora"), true)
		k := s.token(t, p, auth.UsersRead)
		s.call(t, "GET", "/api/v1/users", k.bearer(), "").want(t, 200)
		s.sql(t, "UPDATE users SET is_admin = FALSE WHERE user_id = $1", p.ID)
		s.call(t, "GET", "/api/v1/users", k.bearer(), "").wantProblem(t, 403, "insufficient_role")
	})
	t.Run("a user is enabled again", func(t *testing.T) {
		p := s.user(t, unique("eve"), false)
		k := s.token(t, p, 0)
		s.sql(t, "UPDATE users SET disabled_at = 1 WHERE user_id = $1", p.ID)
		s.call(t, "GET", "/api/v1/users/me", p.basic(), "").wantProblem(t, 401, "unauthenticated")
		s.sql(t, "UPDATE users SET disabled_at = NULL WHERE user_id = $1", p.ID)
		s.call(t, "GET", "/api/v1/users/me", p.basic(), "").want(t, 200)
		s.call(t, "GET", "/api/v1/users/me", k.bearer(), "").want(t, 200)
	})
	t.Run("a later expiry in the row does not extend the signed expiry", func(t *testing.T) {
		k := s.token(t, s.user(t, unique("fay"), false), 0)
		s.sql(t, "UPDATE tokens SET expires_at = $2 WHERE token_id = $1", k.id, s.clock.now().Add(48*time.Hour).UnixMicro())
		s.clock.advance(2 * time.Hour)
		s.call(t, "GET", "/api/v1/tokens/self", k.bearer(), "").wantProblem(t, 401, "unauthenticated")
	})
}
