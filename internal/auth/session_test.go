package auth

import (
	"testing"
	"time"
)

// TestSession_LimitsBeforeLastSeen checks that a clock that was set back, before the last
// request, does not make a session younger.
func TestSession_LimitsBeforeLastSeen(t *testing.T) {
	begin := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		lastSeen, now     time.Duration
		expired, isProved bool
	}{
		"at first":               {0, 0, false, true},
		"before it began":        {0, -time.Hour, false, true},
		"proof over":             {ProofLifetime, ProofLifetime, false, false},
		"proof over, set back":   {ProofLifetime, -time.Hour, false, false},
		"idle":                   {0, SessionIdle, true, false},
		"in use":                 {time.Hour, time.Hour + SessionIdle - 1, false, false},
		"end of life":            {SessionLifetime, SessionLifetime, true, false},
		"end of life, set back":  {SessionLifetime, 0, true, false},
		"nearly the end of life": {SessionLifetime - 1, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := Session{CreatedAt: begin, ProvedAt: begin, LastSeenAt: begin.Add(c.lastSeen)}
			if now := begin.Add(c.now); s.Expired(now) != c.expired || s.ProvedWithin(now) != c.isProved {
				t.Errorf("expired: %t, proved: %t", s.Expired(now), s.ProvedWithin(now))
			}
		})
	}
}
