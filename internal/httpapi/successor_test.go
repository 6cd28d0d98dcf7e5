package httpapi_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// rotated rotates a token and returns its successor.
func (s *server) rotated(t *testing.T, authorization string, k token, gracePeriod string) token {
	t.Helper()
	made := s.rotate(t, authorization, k.id, gracePeriod).want(t, 201)
	return token{made.text("id"), made.text("token")}
}

// TestSuccessors_Deleted checks that deleting a token, or rotating it with a password, revokes
// its successors from rotations with a token. A DELETE request does so even if the token no
// longer exists. Successors from rotations with a password are kept.
func TestSuccessors_Deleted(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p, other := s.user(t, "p", false), s.user(t, "other", false)
		for name, end := range map[string]func(stolen token){
			"by DELETE": func(stolen token) { s.call(t, "DELETE", tokens+"/"+stolen.id, p.basic(), "").want(t, 200) },
			"by v1alpha": func(stolen token) {
				s.call(t, "DELETE", "/api/v1alpha/token/"+stolen.id+"/", p.basic(), "").wantMessage(t, 200, "Token deleted")
			},
			"by a rotation with a password": func(stolen token) { s.rotated(t, p.basic(), stolen, "0s") },
			"in SQL":                        func(stolen token) { s.sql(t, "DELETE FROM tokens WHERE token_id = $1", stolen.id) },
		} {
			t.Run(name, func(t *testing.T) {
				stolen := s.token(t, p, 0)
				next := s.rotated(t, stolen.bearer(), stolen, "1 hour")
				last := s.rotated(t, next.bearer(), next, "0s")
				child := s.child(t, last)
				end(stolen)
				for _, k := range []token{stolen, next, last, child} {
					s.works(t, k, false)
				}
			})
		}
		t.Run("of a token that no longer exists", func(t *testing.T) {
			stolen := s.token(t, p, 0)
			next := s.rotated(t, stolen.bearer(), stolen, "0s")
			s.call(t, "DELETE", tokens+"/"+stolen.id, other.basic(), "").wantProblem(t, 404, "token_not_found")
			s.call(t, "DELETE", tokens+"/"+stolen.id, s.token(t, p, 0).bearer(), "").wantProblem(t, 404, "token_not_found")
			s.call(t, "DELETE", tokens+"/"+stolen.id, p.basic(), "").want(t, 200, `{"deleted":[{"id":"`+next.id, `"kept":[]}`)
			s.works(t, next, false)
			s.call(t, "DELETE", tokens+"/"+stolen.id, p.basic(), "").wantProblem(t, 404, "token_not_found")
		})
		t.Run("but not of a rotation with a password", func(t *testing.T) {
			leaked := s.token(t, p, 0)
			safe := s.rotated(t, p.basic(), leaked, "1 hour")
			s.call(t, "DELETE", tokens+"/"+leaked.id, p.basic(), "").want(t, 200, leaked.id, `"kept":[]`)
			s.works(t, safe, true)
		})
		t.Run("by a rotation with a password, after its grace period", func(t *testing.T) {
			stolen := s.token(t, p, 0)
			next := s.rotated(t, stolen.bearer(), stolen, "30 minutes")
			s.rotated(t, p.basic(), stolen, "5 minutes")
			s.works(t, next, true)
			s.clock.advance(5 * time.Minute)
			s.works(t, next, false)
		})
	})
}

// TestSuccessors_Kept checks that the deletion of a token keeps its successors with
// successors=keep, or if the request is made with a successor. A later deletion of the same
// token with a password deletes them, unless the first deletion was made with a password.
func TestSuccessors_Kept(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p := s.user(t, "p", false)
		for name, keep := range map[string]func(old, next token) answer{
			"the successor": func(old, next token) answer { return s.call(t, "DELETE", tokens+"/"+old.id, next.bearer(), "") },
			"the token": func(old, _ token) answer {
				return s.call(t, "DELETE", tokens+"/self?successors=keep", old.bearer(), "")
			},
			"the password": func(old, _ token) answer {
				return s.call(t, "DELETE", tokens+"/"+old.id+"?successors=keep", p.basic(), "")
			},
		} {
			t.Run(name, func(t *testing.T) {
				old := s.token(t, p, 0)
				next := s.rotated(t, old.bearer(), old, "1 hour")
				got := keep(old, next).want(t, 200, `{"deleted":[{"id":"`+old.id, `"kept":[{"id":"`+next.id)
				if got.status != 200 {
					return
				}
				s.works(t, old, false)
				s.works(t, next, true)
				again := s.call(t, "DELETE", tokens+"/"+old.id, p.basic(), "")
				if name == "the password" {
					again.wantProblem(t, 404, "token_not_found")
					s.works(t, next, true)
				} else {
					again.want(t, 200, next.id)
					s.works(t, next, false)
				}
			})
		}
		k := s.token(t, p, 0)
		s.call(t, "DELETE", tokens+"/self?successors=end", k.bearer(), "").wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"successors"`)
		next := s.rotated(t, k.bearer(), k, "1 hour")
		s.call(t, "DELETE", tokens+"/self", k.bearer(), "").want(t, 200, k.id, next.id)
		s.works(t, next, false)
	})
}

// TestToken_DeletesItself checks that a token can delete itself and its descendants, and no other
// tokens.
func TestToken_DeletesItself(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	k := s.token(t, p, auth.TokensWrite|auth.NodeRead)
	for _, other := range []token{s.token(t, p, 0), s.token(t, p, auth.NodeRead)} {
		s.call(t, "DELETE", tokens+"/"+other.id, k.bearer(), "").wantProblem(t, 403, "not_own_token")
		s.rotate(t, k.bearer(), other.id, "0s").wantProblem(t, 403, "not_own_token")
		s.works(t, other, true)
	}
	child := s.child(t, k, "tokens:write")
	s.call(t, "DELETE", tokens+"/"+k.id, child.bearer(), "").wantProblem(t, 403, "not_own_token")
	s.call(t, "DELETE", tokens+"/"+child.id, k.bearer(), "").want(t, 200, child.id)
	s.call(t, "DELETE", tokens+"/"+k.id, k.bearer(), "").want(t, 200, k.id)
	s.works(t, k, false)
}
