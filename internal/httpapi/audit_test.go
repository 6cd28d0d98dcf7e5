package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	const audit = "/api/v1/audit"
	onEachEngine(t, func(t *testing.T, s *server) {
		admin, bob := s.user(t, "admin", true), s.user(t, "bob", false)
		root := s.token(t, admin, 0)
		made := s.call(t, "POST", tokens, bob.basic(), `{"description": "x", "lifetime": "1 hour", "scopes": ["node:read"]}`).want(t, 201).text("id")
		s.call(t, "GET", audit, s.token(t, bob, 0).bearer(), "").wantProblem(t, 403, "insufficient_role")

		list := audit + "?user=bob&action=token&target=" + made
		eventually(t, func() bool {
			return strings.Contains(s.call(t, "GET", list, root.bearer(), "").want(t, 200).body, `"hash":"`)
		})
		s.call(t, "GET", list, root.bearer(), "").want(t, 200, `"user":"bob","token_id":null,"address":"127.0.0.1","action":"token.create","target":"`+made+`","outcome":"ok"`)

		var ids []any
		for path := audit + "?limit=2"; ; {
			page := s.call(t, "GET", path, root.bearer(), "").want(t, 200)
			for _, item := range page.fields["items"].([]any) {
				ids = append(ids, item.(map[string]any)["id"])
			}
			next, more := page.fields["next_cursor"].(string)
			if !more {
				break
			}
			path = fmt.Sprintf("%s?limit=2&cursor=%s", audit, next)
		}
		for i, id := range ids[1:] {
			if id.(float64) >= ids[i].(float64) {
				t.Errorf("wrong order: %v", ids)
			}
		}
		for path, code := range map[string]string{
			"?limit=0": "invalid_input", "?cursor=MA": "invalid_input", "?cursor=x": "invalid_input", "?since=yesterday": "invalid_input",
			"?until=1": "invalid_input", "?outcome=perhaps": "invalid_input", "?who=bob": "unknown_parameter",
		} {
			s.call(t, "GET", audit+path, root.bearer(), "").wantProblem(t, 400, code)
		}
	})
}
