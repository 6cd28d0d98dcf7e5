package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
)

// TestUserTokens checks that an admin can list and delete the tokens of other users, with a
// password or with a token that has the scope users:read or users:write. The responses have
// neither secrets nor wallet names.
func TestUserTokens(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		admin, p := s.user(t, "admin", true), s.user(t, "Bob", false)
		s.wallet(t, p, "secret_plan", "owner")
		path := userPath("bob") + "/tokens"
		reader, writer := s.token(t, admin, auth.UsersRead).bearer(), s.token(t, admin, auth.UsersWrite).bearer()
		all := []token{s.token(t, p, auth.NodeRead|auth.TokensWrite, "secret_plan"), s.token(t, p, 0), s.token(t, p, 0)}
		got := s.call(t, "GET", path, reader, "").want(t, 200, `"scopes":["tokens:write","node:read"],"parent_id":null`, `"wallet_count":1}`, `"wallet_count":null}`, `"next_cursor":null`)
		for _, secret := range []string{"secret_plan", all[0].secret, "hash"} {
			if strings.Contains(got.body, secret) {
				t.Errorf("the response contains %q: %s", secret, got.body)
			}
		}
		if ids := got.list("id"); fmt.Sprint(sorted(ids)) != fmt.Sprint(sorted([]string{all[0].id, all[1].id, all[2].id})) {
			t.Errorf("tokens %v", ids)
		}
		first := s.call(t, "GET", path+"?limit=2", admin.basic(), "").want(t, 200)
		rest := s.call(t, "GET", path+"?limit=2&cursor="+first.text("next_cursor"), admin.basic(), "").want(t, 200, `"next_cursor":null`)
		if len(first.list("id")) != 2 || len(rest.list("id")) != 1 {
			t.Errorf("pages of %d and %d", len(first.list("id")), len(rest.list("id")))
		}

		next := s.rotated(t, all[0].bearer(), all[0], "0s")
		s.call(t, "DELETE", path+"/"+all[0].id, writer, "").want(t, 200, next.id, `"kept":[]`)
		s.works(t, next, false)
		s.call(t, "DELETE", path+"/"+all[0].id, writer, "").wantProblem(t, 404, "token_not_found").want(t, 404, "this user has no token with this id")
		s.call(t, "DELETE", userPath("admin")+"/tokens/"+all[1].id, writer, "").wantProblem(t, 404, "token_not_found")
		s.call(t, "DELETE", path, writer, "").want(t, 204)
		s.works(t, all[1], false)
		s.works(t, all[2], false)
		s.call(t, "GET", path, reader, "").want(t, 200, `{"items":[],"next_cursor":null}`)
		s.call(t, "GET", users+"/me", p.basic(), "").want(t, 200)
		for _, method := range []string{"GET", "DELETE"} {
			s.call(t, method, userPath("nobody")+"/tokens", admin.basic(), "").wantProblem(t, 404, "user_not_found")
			s.call(t, method, path, s.token(t, p, 0).bearer(), "").wantProblem(t, 403, "insufficient_role")
		}
	})
}
