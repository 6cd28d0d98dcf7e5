package httpapi_test

import (
	"testing"
	"time"
)

// TestTimePrecision checks that the response that creates an object has the same times as
// later responses, even if the clock has nanosecond precision.
func TestTimePrecision(t *testing.T) {
	t.Parallel()
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, setting(t))
			admin := s.user(t, "root", true)
			s.user(t, "bob", false)
			s.clock.advance(123_456_789 * time.Nanosecond)
			s.wallet(t, admin, "vault", "owner")
			bearer := s.token(t, admin, 0).bearer()
			for what, c := range map[string]struct{ credential, path, body string }{
				"token":      {admin.basic(), "/api/v1/tokens", `{"description": "x", "lifetime": "1 hour"}`},
				"user":       {admin.basic(), "/api/v1/users", `{"name": "carol", "password": "correct horse, first"}`},
				"invitation": {bearer, "/api/v1/wallets/vault/invitations", `{"user": "bob", "role": "viewer"}`},
			} {
				t.Run(what, func(t *testing.T) {
					made := s.call(t, "POST", c.path, c.credential, c.body).want(t, 201)
					for _, field := range []string{"created_at", "expires_at"} {
						if at := made.text(field); at != "" {
							s.call(t, "GET", c.path, c.credential, "").want(t, 200, `"`+field+`":"`+at+`"`)
						}
					}
					if made.text("created_at") == "" {
						t.Errorf("%s: no time in %s", what, made.body)
					}
				})
			}
		})
	}
}
