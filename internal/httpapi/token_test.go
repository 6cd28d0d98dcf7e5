package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const tokens = "/api/v1/tokens"

func TestTokenLife(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p := s.user(t, "p", false)
		s.wallet(t, p, "vault", "owner")
		made := s.call(t, "POST", tokens, p.basic(), `{"description": "CI", "lifetime": "90 minutes", "scopes": ["tokens:*", "node:read"], "wallets": ["vault", "vault"]}`).
			want(t, 201, `"scopes":["tokens:read","tokens:write","node:read"],"parent_id":null,"rotated_from":null,`, `"wallets":["vault"]`,
				`"created_at":"2026-12-01T10:00:00.25Z","expires_at":"2026-12-01T11:30:00Z","expired":false,"imported":false,"policy":null,"last_used":null`)
		k := token{made.text("id"), made.text("token")}
		self := s.call(t, "GET", tokens+"/self", k.bearer(), "").want(t, 200)
		if self.fields["token"] != nil || self.text("id") != k.id {
			t.Errorf("self: %s", self.body)
		}
		for _, authorization := range []string{p.basic(), k.bearer()} {
			s.call(t, "GET", tokens+"/"+k.id, authorization, "").want(t, 200, `"description":"CI"`)
		}
		s.call(t, "POST", tokens, p.basic(), `{"description": "CI", "lifetime": "1 day"}`).wantProblem(t, 409, "description_exists")
		byTime := s.call(t, "POST", tokens, p.basic(), `{"description": "by time", "expires_at": "2027-01-01T01:00:00+01:00", "scopes": ["node:read"]}`).
			want(t, 201, `"expires_at":"2027-01-01T00:00:00Z"`, `"wallets":null`)

		s.call(t, "DELETE", tokens+"/"+byTime.text("id"), p.basic(), "").want(t, 200)
		s.call(t, "GET", "/api/v1/node", bearer(byTime.text("token")), "").wantProblem(t, 401, "unauthenticated")
		s.call(t, "DELETE", tokens+"/self", k.bearer(), "").want(t, 200)
		s.call(t, "DELETE", tokens+"/self", k.bearer(), "").wantProblem(t, 401, "unauthenticated")
		s.call(t, "GET", tokens+"/"+k.id, p.basic(), "").wantProblem(t, 404, "token_not_found")
		s.call(t, "DELETE", tokens+"/"+k.id, p.basic(), "").wantProblem(t, 404, "token_not_found")
	})
}

// TestTokenLastUse checks that the last use of a token is written within seconds, at most once
// a minute.
func TestTokenLastUse(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	k := s.token(t, p, 0)
	use := func(agent string) {
		s.do(t, request{method: "GET", path: "/api/v1/node", auth: []string{k.bearer()}, header: map[string]string{"User-Agent": agent}}).want(t, 200)
	}
	lastUse := func(agent string) func() bool {
		return func() bool {
			got := s.call(t, "GET", tokens+"/"+k.id, p.basic(), "").want(t, 200)
			return strings.Contains(got.body, fmt.Sprintf(`"address":"127.0.0.1","agent":%q}`, agent))
		}
	}
	use("robot/1\u00a0é")
	eventually(t, lastUse("robot/1?é"))
	s.clock.advance(59 * time.Second)
	use("robot/2")
	s.clock.advance(time.Second)
	use("robot/3")
	eventually(t, lastUse("robot/3"))
}

func TestTokenPages_ConcurrentCreation(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p, other := s.user(t, "p", false), s.user(t, "other", false)
		s.token(t, other, 0)
		var want, got []string
		add := func() {
			if len(want)%2 == 0 { // two consecutive tokens have the same creation time
				s.clock.advance(time.Microsecond)
			}
			want = append(want, s.token(t, p, 0).id)
		}
		for range 7 {
			add()
		}
		path := tokens + "?limit=2"
		for {
			page := s.call(t, "GET", path, p.basic(), "").want(t, 200)
			got = append(got, page.list("id")...)
			if page.text("next_cursor") == "" {
				break
			}
			if len(want) < 10 {
				s.clock.advance(time.Second)
				add()
			}
			path = tokens + "?limit=2&cursor=" + page.text("next_cursor")
		}
		if sorted(got); fmt.Sprint(got) != fmt.Sprint(sorted(want)) {
			t.Errorf("pages hold %v, want %v", got, want)
		}
		s.call(t, "GET", tokens+"?limit=1000", p.basic(), "").want(t, 200, `"next_cursor":null`)
		s.call(t, "GET", tokens, s.user(t, "new", false).basic(), "").want(t, 200, `{"items":[],"next_cursor":null}`)
	})
}

func sorted(ids []string) []string {
	slices.Sort(ids)
	return ids
}

// TestCreateToken_LimitedByParent checks that a token created with a token has at most the
// scopes, the wallets and the lifetime of its parent.
func TestCreateToken_LimitedByParent(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := s.user(t, "admin", true)
	s.wallet(t, admin, "vault", "owner")
	s.wallet(t, admin, "savings", "owner")
	password := admin.basic()
	made := s.call(t, "POST", tokens, password, `{"description": "parent", "lifetime": "1 hour", "scopes": ["tokens:write", "wallets:read"], "wallets": ["vault"]}`).want(t, 201)
	parent := token{made.text("id"), made.text("token")}
	forNone := s.tokenFor(t, admin, time.Hour, 0, []string{})
	for _, c := range []struct {
		name, fields, authorization string
		status                      int
		says                        string
	}{
		{"less", `"lifetime": "10 minutes", "scopes": ["wallets:read"], "wallets": []`, parent.bearer(), 201, `"scopes":["wallets:read"],"parent_id":"` + parent.id},
		{"as much", `"lifetime": "1 hour", "scopes": ["tokens:write", "wallets:read"]`, parent.bearer(), 201, `"wallets":["vault"]`},
		{"the default scopes that the parent has", `"expires_at": "2026-12-01T11:00:00Z"`, parent.bearer(), 201, `"scopes":["wallets:read"],"parent_id":"` + parent.id},
		{"another scope", `"lifetime": "1 minute", "scopes": ["wallets:read", "node:read"]`, parent.bearer(), 403, `"required_scope":"node:read"`},
		{"a whole group", `"lifetime": "1 minute", "scopes": ["tokens:*"]`, parent.bearer(), 403, `"required_scope":"tokens:read"`},
		{"an admin's scope", `"lifetime": "1 minute", "scopes": ["users:write"]`, parent.bearer(), 403, `"code":"scope_exceeded"`},
		{"another wallet", `"lifetime": "1 minute", "wallets": ["savings"]`, parent.bearer(), 400, `"field":"wallets"`},
		{"both wallets", `"lifetime": "1 minute", "wallets": ["vault", "savings"]`, parent.bearer(), 400, `"field":"wallets"`},
		{"a wallet, by a token for no wallet", `"lifetime": "1 minute", "wallets": ["vault"]`, forNone.bearer(), 400, `"field":"wallets"`},
		{"the parent's wallets by default", `"lifetime": "1 hour"`, parent.bearer(), 201, `"wallets":["vault"]`},
		{"no wallet", `"lifetime": "1 minute", "wallets": []`, parent.bearer(), 201, `"wallets":[]`},
		{"no limit, by a token for no wallet", `"lifetime": "1 minute"`, forNone.bearer(), 201, `"wallets":[]`},
		{"a second more", `"lifetime": "3601 seconds"`, parent.bearer(), 403, `"code":"expiry_exceeded"`},
		{"a later expiry", `"expires_at": "2026-12-01T11:00:01Z"`, parent.bearer(), 403, `"code":"expiry_exceeded"`},
		{"an unknown wallet", `"lifetime": "1 minute", "wallets": ["unknown"]`, password, 400, `"field":"wallets"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.call(t, "POST", tokens, c.authorization, fmt.Sprintf(`{"description": %q, %s}`, c.name, c.fields))
			if got.status != c.status || !strings.Contains(got.body, c.says) {
				t.Errorf("%s: %d %s, want %d %s", c.name, got.status, got.body, c.status, c.says)
			}
		})
	}
	ordinary := s.user(t, "ordinary", false)
	for _, scope := range []string{"users:read", "users:write", "audit:read", "users:*"} {
		s.call(t, "POST", tokens, ordinary.basic(), `{"description": "x", "lifetime": "1 day", "scopes": ["`+scope+`"]}`).
			wantProblem(t, 403, "scope_exceeded").want(t, 403, `"required_role":"admin"`)
	}
	noScopes := s.call(t, "POST", tokens, ordinary.basic(), `{"description": "y", "lifetime": "1 day", "scopes": ["tokens:write"]}`).want(t, 201)
	s.call(t, "POST", tokens, bearer(noScopes.text("token")), `{"description": "z", "lifetime": "1 hour"}`).wantProblem(t, 403, "scope_exceeded")
}

// TestDeleteToken_Descendants checks that the deletion of a token deletes all its descendants.
func TestDeleteToken_Descendants(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p := s.user(t, "p", false)
		root, bystander := s.token(t, p, 0), s.token(t, p, 0)
		family := []token{root}
		for range 5 {
			family = append(family, s.child(t, family[len(family)-1]))
		}
		sibling := s.child(t, family[1])
		s.call(t, "DELETE", tokens+"/"+family[2].id, bystander.bearer(), "").wantProblem(t, 403, "not_own_token")
		s.call(t, "DELETE", tokens+"/"+family[2].id, family[3].bearer(), "").wantProblem(t, 403, "not_own_token")
		s.call(t, "DELETE", tokens+"/"+family[2].id, family[1].bearer(), "").want(t, 200, family[2].id, family[5].id, `"kept":[]`)
		for i, k := range family {
			want := 200
			if i >= 2 {
				want = 401
			}
			s.call(t, "GET", tokens+"/self", k.bearer(), "").want(t, want)
		}
		s.call(t, "GET", tokens+"/self", sibling.bearer(), "").want(t, 200)
		s.call(t, "DELETE", "/api/v1alpha/token/"+root.id, p.basic(), "").want(t, 200)
		s.call(t, "GET", tokens+"/self", sibling.bearer(), "").want(t, 401)
		s.call(t, "GET", tokens+"/self", bystander.bearer(), "").want(t, 200)
	})
}
