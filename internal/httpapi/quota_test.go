package httpapi_test

import (
	"fmt"
	"testing"
)

func TestQuota(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		root := s.token(t, s.user(t, "admin", true), 0).bearer()
		p := s.user(t, "p", false)
		add := func(n int) answer {
			t.Helper()
			return s.call(t, "POST", tokens, p.basic(), fmt.Sprintf(`{"description": "t%d", "lifetime": "1 hour"}`, n))
		}
		for n := range 3 {
			add(n).want(t, 201)
		}
		const me = users + "/me"
		s.call(t, "GET", me, p.basic(), "").want(t, 200, `"tokens":{"limit":10000,"own":false,"used":3,"per_wallet":false}`, `"labels":{"limit":1000000,"own":false,"used":0,"per_wallet":true}`)
		s.call(t, "PATCH", userPath("p"), root, `{"quotas": {"tokens": 3, "wallets": 0}}`).
			want(t, 200, `"tokens":{"limit":3,"own":true,"used":3,"per_wallet":false}`, `"wallets":{"limit":0,"own":true,"used":0,"per_wallet":false}`)
		add(3).wantProblem(t, 409, "quota_exceeded").want(t, 409, `"details":{"limit":"3","quota":"tokens"}`,
			`"detail":"the quota tokens is exceeded: at most 3 tokens, expired ones included; delete some, or ask an admin for a higher limit"`)
		s.call(t, "POST", "/api/v1alpha/token", p.basic(), `{"jwt_token_description": "x", "jwt_token_life": "1 hour"}`).want(t, 409, `"message":"the quota tokens is exceeded`)
		s.call(t, "GET", userPath("p"), root, "").want(t, 200, `"tokens":{"limit":3,"own":true,"used":3,"per_wallet":false}`)
		s.call(t, "PATCH", userPath("p"), root, `{"quotas": {"tokens": null}}`).want(t, 200, `"tokens":{"limit":10000,"own":false,"used":3,"per_wallet":false}`, `"wallets":{"limit":0,"own":true`)
		add(3).want(t, 201)
		for body, says := range map[string]string{
			`{"quotas": {"coffee": 3}}`:          "must name only wallets, tokens, open_proposals, ",
			`{"quotas": {"tokens": -1}}`:         "tokens must be between 0 and 1000000000",
			`{"quotas": {"tokens": 1000000001}}`: "tokens must be between 0 and 1000000000",
			`{"quotas": {"coffee": null}}`:       "must name only",
		} {
			s.call(t, "PATCH", userPath("p"), root, body).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"quotas"`, says)
		}
		s.call(t, "PATCH", userPath("p"), root, `{"quotas": {}}`).wantProblem(t, 400, "no_changes")
	})
}
