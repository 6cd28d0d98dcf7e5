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

// TestSession_Valid checks each condition of a session separately; the database's triggers change
// the access version together with the others.
func TestSession_Valid(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(c *Credential)
		valid  bool
	}{
		"unchanged":          {func(*Credential) {}, true},
		"no session":         {func(c *Credential) { c.Session = nil }, false},
		"disabled":           {func(c *Credential) { c.Active = false }, false},
		"of another user":    {func(c *Credential) { c.UserID = "other" }, false},
		"another version":    {func(c *Credential) { c.AccessVersion++ }, false},
		"idle for half hour": {func(c *Credential) { c.Session.LastSeenAt = now.Add(-SessionIdle) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			one := Credential{
				Token: Token{UserID: "u"}, Active: true, AccessVersion: 7,
				Session: &Session{UserID: "u", AccessVersion: 7, CreatedAt: now.Add(-time.Hour), LastSeenAt: now},
			}
			if c.change(&one); one.sessionValid(now) != c.valid {
				t.Errorf("valid: %t", !c.valid)
			}
		})
	}
}
