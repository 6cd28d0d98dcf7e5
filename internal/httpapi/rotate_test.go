package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// rotate rotates a token and returns the response.
func (s *server) rotate(t *testing.T, authorization, id, gracePeriod string) answer {
	t.Helper()
	body := "" // all fields are optional
	if gracePeriod != "" {
		body = fmt.Sprintf(`{"grace_period": %q}`, gracePeriod)
	}
	return s.call(t, "POST", tokens+"/"+id+"/rotate", authorization, body)
}

// works checks that a token is accepted, or refused if want is false.
func (s *server) works(t *testing.T, k token, want bool) {
	t.Helper()
	status := map[bool]int{true: 200, false: 401}[want]
	s.call(t, "GET", tokens+"/self", k.bearer(), "").want(t, status)
}

func TestRotate_SameRights(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p := s.user(t, "p", false)
		s.wallet(t, p, "vault", "owner")
		old := s.token(t, p, auth.NodeRead|auth.TokensWrite|auth.TokensRead, "vault")
		before := s.call(t, "GET", tokens+"/"+old.id, p.basic(), "").want(t, 200)
		s.clock.advance(10 * time.Minute)

		made := s.rotate(t, p.basic(), old.id, "5 minutes").want(t, 201)
		successor := token{made.text("id"), made.text("token")}
		for _, same := range []string{"description", "scopes", "wallets", "parent_id", "expires_at"} {
			if fmt.Sprint(made.fields[same]) != fmt.Sprint(before.fields[same]) {
				t.Errorf("%s was %v and is %v", same, before.fields[same], made.fields[same])
			}
		}
		if made.text("rotated_from") != old.id || successor.id == old.id || made.text("created_at") != "2026-12-01T10:10:00.25Z" {
			t.Errorf("the successor: %s", made.body)
		}
		s.works(t, old, true)
		s.works(t, successor, true)
		s.call(t, "GET", tokens+"/"+old.id, p.basic(), "").want(t, 200,
			fmt.Sprintf(`"description":"%s (rotated 2026-12-01T10:10:00Z, %.8s)"`, before.text("description"), old.id), `"expires_at":"2026-12-01T10:15:00Z"`)
		s.clock.advance(5 * time.Minute)
		s.works(t, old, false)
		s.works(t, successor, true)
	})
}

func TestRotate_GracePeriod(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	for _, c := range []struct {
		gracePeriod string
		end         string // expiry of the predecessor; empty if it is deleted
	}{
		{"", "2026-12-01T11:00:00Z"}, // the default is an hour, after which the token would have expired anyway
		{"30 minutes", "2026-12-01T10:30:00Z"},
		{"2 days", "2026-12-01T11:00:00Z"}, // not later than the token's own expiry
		{"0s", ""},
		{"0 seconds", ""},
	} {
		t.Run(fmt.Sprintf("%q", c.gracePeriod), func(t *testing.T) {
			old := s.token(t, p, 0)
			child := s.child(t, old, "node:read")
			made := s.rotate(t, old.bearer(), old.id, c.gracePeriod).want(t, 201, `"expires_at":"2026-12-01T11:00:00Z"`)
			s.works(t, token{made.text("id"), made.text("token")}, true)
			s.works(t, old, c.end != "")
			s.works(t, child, c.end != "")
			if c.end != "" {
				s.call(t, "GET", tokens+"/"+old.id, p.basic(), "").want(t, 200, `"expires_at":"`+c.end)
			} else {
				s.call(t, "GET", tokens+"/"+old.id, p.basic(), "").wantProblem(t, 404, "token_not_found")
			}
		})
	}
	for _, gracePeriod := range []string{"-1 hour", "x", "200 years", "10"} {
		t.Run(fmt.Sprintf("%q", gracePeriod), func(t *testing.T) {
			k := s.token(t, p, 0)
			s.rotate(t, p.basic(), k.id, gracePeriod).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"grace_period"`)
			s.works(t, k, true)
		})
	}
}

// TestRotate_DescendantsOfPredecessor checks that tokens created with the old token do
// not outlive it.
func TestRotate_DescendantsOfPredecessor(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	old := s.token(t, p, 0)
	child := s.child(t, old)
	grandchild := s.child(t, child)
	brief := s.child(t, child, "node:read")
	s.sql(t, "UPDATE tokens SET expires_at = $2 WHERE token_id = $1", brief.id, s.clock.now().Add(time.Minute).UnixMicro())
	s.rotate(t, p.basic(), old.id, "2 minutes").want(t, 201)
	s.call(t, "GET", tokens+"/"+grandchild.id, p.basic(), "").want(t, 200, `"expires_at":"2026-12-01T10:02:00Z"`)
	s.call(t, "GET", tokens+"/"+brief.id, p.basic(), "").want(t, 200, `"expires_at":"2026-12-01T10:01:00.25Z"`)
	s.clock.advance(2 * time.Minute)
	for _, k := range []token{old, child, grandchild, brief} {
		s.works(t, k, false)
	}
}

// TestRotate_Authorization tests the access rules of auth.Tokens.Rotate.
func TestRotate_Authorization(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, other := s.user(t, "p", false), s.user(t, "other", false)
	s.wallet(t, p, "vault", "owner")
	family := func() (grandparent, parent, k, child token) {
		grandparent = s.token(t, p, 0)
		parent = s.child(t, grandparent)
		k = s.child(t, parent, "tokens:write", "tokens:read", "node:read")
		return grandparent, parent, k, s.child(t, k, "tokens:write")
	}
	for _, c := range []struct {
		name   string
		caller func(grandparent, parent, k, child token) string
		status int
		says   string
	}{
		{"the user", func(_, _, _, _ token) string { return p.basic() }, 201, ""},
		{"itself", func(_, _, k, _ token) string { return k.bearer() }, 201, ""},
		{"its parent", func(_, parent, _, _ token) string { return parent.bearer() }, 201, ""},
		{"its grandparent", func(grandparent, _, _, _ token) string { return grandparent.bearer() }, 201, ""},
		{"its child", func(_, _, _, child token) string { return child.bearer() }, 403, "not_own_token"},
		{"another token of the user with every scope", func(_, _, _, _ token) string { return s.token(t, p, 0).bearer() }, 403, "not_own_token"},
		{"another token without tokens:write", func(_, _, _, _ token) string { return s.token(t, p, auth.NodeRead).bearer() }, 403, "insufficient_scope"},
		{"another user", func(_, _, _, _ token) string { return other.basic() }, 404, "token_not_found"},
		{"another user's token", func(_, _, _, _ token) string { return s.token(t, other, 0).bearer() }, 404, "token_not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			grandparent, parent, k, child := family()
			caller := c.caller(grandparent, parent, k, child)
			before := s.dump(t, false)
			made := s.rotate(t, caller, k.id, "1 minute").want(t, c.status, c.says)
			if c.status != 201 {
				if s.dump(t, false) != before {
					t.Error("the refused rotation changed the database")
				}
				return
			}
			want := parent.id
			if made.text("parent_id") != want {
				t.Errorf("the successor's parent is %s, want %s", made.text("parent_id"), want)
			}
			// The successor has the scopes of its predecessor and is deleted with its parent.
			if got := strings.Trim(fmt.Sprint(made.fields["scopes"]), "[]"); got != "tokens:read tokens:write node:read" {
				t.Errorf("scopes %s", got)
			}
			s.call(t, "DELETE", tokens+"/"+want, p.basic(), "").want(t, 200)
			s.works(t, token{made.text("id"), made.text("token")}, false)
		})
	}
	expired := s.tokenFor(t, p, time.Second, 0, nil)
	s.clock.advance(time.Second)
	s.rotate(t, p.basic(), expired.id, "").wantProblem(t, 409, "token_expired")
}

// TestRotate_Again checks that successors, and a token in its grace period, can be rotated.
func TestRotate_Again(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	k := s.token(t, p, 0)
	all := []token{k}
	for range 4 {
		made := s.rotate(t, p.basic(), all[len(all)-1].id, "30 minutes").want(t, 201)
		all = append(all, token{made.text("id"), made.text("token")})
	}
	s.rotate(t, p.basic(), k.id, "10 minutes").want(t, 201, "(rotated ", `"expires_at":"2026-12-01T10:30:00Z"`)
	for _, k := range all {
		s.works(t, k, true)
	}
	s.rotate(t, p.basic(), "self", "").wantProblem(t, 404, "token_not_found")
}
