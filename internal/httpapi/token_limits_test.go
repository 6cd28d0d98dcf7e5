package httpapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const tooLong = "must be at most %s (SPECTER_TOKEN_MAX_LIFETIME)"

// TestTokenMaxLifetime checks the default limits: 365 days in v1 and 100 years in v1alpha.
func TestTokenMaxLifetime(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	s.make(t, p, `"lifetime": "1 year"`).want(t, 201)
	s.make(t, p, `"lifetime": "366 days"`).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"lifetime"`, fmt.Sprintf(tooLong, "365 days"))
	s.make(t, p, `"expires_at": "2027-12-01T10:00:00Z"`).want(t, 201)
	s.make(t, p, `"expires_at": "2027-12-01T10:00:01Z"`).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"expires_at"`, fmt.Sprintf(tooLong, "365 days"))
	s.alphaToken(t, p, `"long"`, "100 years").want(t, 201)
}

// TestTokenMaxLifetime_Configured checks that a configured limit applies to both API versions, but
// not to existing tokens.
func TestTokenMaxLifetime_Configured(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	old := s.tokenFor(t, p, 100*24*time.Hour, 0, nil)
	s.Tokens.SetLimits(auth.TokenLimits{MaxLifetime: 36 * time.Hour})
	s.make(t, p, `"lifetime": "36 hours"`).want(t, 201)
	s.make(t, p, `"lifetime": "2 days"`).wantProblem(t, 400, "invalid_input").want(t, 400, fmt.Sprintf(tooLong, "36h0m0s"))
	s.alphaToken(t, p, `"short"`, "36 hours").want(t, 201)
	s.alphaToken(t, p, `"long"`, "2 days").wantMessage(t, 400, "jwt_token_life: "+fmt.Sprintf(tooLong, "36h0m0s"))
	s.clock.advance(40 * 24 * time.Hour)
	s.works(t, old, true)

	more := start(t)
	more.Tokens.SetLimits(auth.TokenLimits{MaxLifetime: 2 * 365 * 24 * time.Hour})
	q := more.user(t, "q", false)
	more.make(t, q, `"lifetime": "2 years"`).want(t, 201)
	more.make(t, q, `"lifetime": "731 days"`).wantProblem(t, 400, "invalid_input")
}

// make requests a new token from v1. fields contains the members that specify the lifetime.
func (s *server) make(t *testing.T, p testUser, fields string) answer {
	t.Helper()
	return s.call(t, "POST", tokens, p.basic(), fmt.Sprintf(`{"description": %q, "scopes": ["node:read"], %s}`, unique("x"), fields))
}

// TestTokenIdleLimit checks that a token that exceeds the idle limit is refused and shown as
// expired. For an unused token the limit counts from its creation.
func TestTokenIdleLimit(t *testing.T) {
	t.Parallel()
	s := start(t)
	limits := auth.TokenLimits{Idle: 48 * time.Hour}
	s.Tokens.SetLimits(limits)
	s.Login.SetLimits(limits)
	p := s.user(t, "p", false)
	used, unused := s.tokenFor(t, p, 30*24*time.Hour, 0, nil), s.tokenFor(t, p, 30*24*time.Hour, 0, nil)
	lastUse := func() (micros int64) {
		testkit.Check(t, s.statement(t, "SELECT coalesce(max(last_used_at), 0) FROM tokens").QueryRow().Scan(&micros)) //nolint:sqlclosecheck // the statement is cached
		return micros
	}
	for range 3 {
		s.clock.advance(47 * time.Hour)
		now := s.clock.now().UnixMicro()
		s.works(t, used, true)
		eventually(t, func() bool { return lastUse() == now })
	}
	s.works(t, unused, false)
	s.call(t, "GET", tokens+"/"+unused.id, p.basic(), "").want(t, 200, `"expired":true`)
	s.call(t, "GET", "/api/v1alpha/token/"+unused.id, p.basic(), "").want(t, 200, `"jwt_token_life_remaining":0,"expiry_status":"Expired"`)
	s.call(t, "GET", tokens+"/"+used.id, p.basic(), "").want(t, 200, `"expired":false`)
	s.clock.advance(48*time.Hour - time.Microsecond)
	s.call(t, "GET", tokens+"/"+used.id, p.basic(), "").want(t, 200, `"expired":false`)
	s.clock.advance(time.Microsecond)
	s.works(t, used, false)

	// A rotation with a password creates a valid successor of an idle token.
	s.works(t, s.rotated(t, p.basic(), unused, "0s"), true)
}
