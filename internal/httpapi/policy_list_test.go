package httpapi_test

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
)

// TestPolicyLists_IfMatch checks that a list is only changed or deleted in a version that the
// caller knows: otherwise the answer is 412, and nothing changes.
func TestPolicyLists_IfMatch(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p := s.user(t, "p", false)
		s.wallet(t, p, "vault", "owner")
		bearer := s.token(t, p, auth.PoliciesRead|auth.PoliciesWrite).bearer()
		const suppliers, other = "/api/v1/wallets/vault/lists/suppliers", "/api/v1/wallets/vault/lists/other"
		const paper, glue = `{"entries": [{"address": "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x", "label": "paper"}]}`, `{"entries": []}`
		ask := func(method, path, match, body string) answer {
			t.Helper()
			return s.do(t, request{method: method, path: path, auth: []string{bearer}, header: map[string]string{"If-Match": match}, body: body})
		}
		tag := func() string { return s.call(t, "GET", suppliers, bearer, "").want(t, 200).header.Get("Etag") }
		refused := func(method, path, match, body string, status int, code string) {
			t.Helper()
			before := s.dump(t, false)
			ask(method, path, match, body).wantProblem(t, status, code)
			if after := s.dump(t, false); after != before {
				t.Errorf("%s %s with If-Match %s changed\n%s\nto\n%s", method, path, match, before, after)
			}
		}

		refused("PUT", suppliers, `"00"`, paper, 412, "policy_list_modified") // does not exist
		s.call(t, "PUT", suppliers, bearer, paper).want(t, 200)
		first := tag()
		ask("PUT", suppliers, first, glue).want(t, 200)
		for _, match := range []string{first, `"00"`, `""`, `"00", ` + first} {
			refused("PUT", suppliers, match, paper, 412, "policy_list_modified")
			refused("DELETE", suppliers, match, "", 412, "policy_list_modified")
		}
		refused("DELETE", other, tag(), "", 412, "policy_list_modified") // the version of another list
		for _, match := range []string{strings.Trim(first, `"`), "", `"`, `"00",`} {
			refused("PUT", suppliers, match, paper, 400, "invalid_input")
		}
		ask("PUT", suppliers, `"00", `+tag(), paper).want(t, 200)
		if again := tag(); again != first {
			t.Errorf("the same entries have the ETags %s and %s", first, again)
		}
		ask("PUT", suppliers, "*", glue).want(t, 200)
		ask("DELETE", suppliers, tag(), "").want(t, 200)
		s.call(t, "GET", suppliers, bearer, "").wantProblem(t, 404, "list_not_found")
	})
}
