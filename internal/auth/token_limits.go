package auth

import (
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// DefaultMaxLifetime is the longest that a new token may live unless it is set, but for
// those of Specter Desktop's API.
const DefaultMaxLifetime = 365 * 24 * time.Hour

// TokenLimits are an operator's limits to the life of tokens.
type TokenLimits struct {
	// MaxLifetime is the longest that a new token may live; 0 is DefaultMaxLifetime, or
	// MaxLifetime for a TokenOrder with AnyLifetime.
	MaxLifetime time.Duration
	// Idle is how long a token may be unused before it is refused; 0 is no limit.
	Idle time.Duration
}

// SetLimits sets the limits for new tokens. It must be called before the first use.
func (s *Tokens) SetLimits(l TokenLimits) { s.limits = l }

// SetLimits sets the limits that tokens must meet. It must be called before the first
// login.
func (l *Login) SetLimits(limits TokenLimits) { l.limits = limits }

// check returns an Invalid fault for a token that is to live longer than it may.
func (l TokenLimits) check(order TokenOrder) error {
	most := l.MaxLifetime
	if most == 0 {
		if order.AnyLifetime {
			return nil
		}
		most = DefaultMaxLifetime
	}
	if order.Lifetime > most {
		return fault.InvalidField("lifetime", "must be at most %s (SPECTER_TOKEN_MAX_LIFETIME)", lifetimeText(most))
	}
	return nil
}

// lifetimeText writes a length of time in days if it is that.
func lifetimeText(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// idle reports whether a token has not been used for too long. One that was never used
// counts from when it was made.
func (l TokenLimits) idle(t *Token, now time.Time) bool {
	since := t.LastUse.At
	if since.IsZero() {
		since = t.CreatedAt
	}
	return l.Idle > 0 && now.Sub(since) >= l.Idle
}

// RemainingLife is how long a token is still accepted, provided that it is used; zero
// when it has expired or has been unused for too long.
func (s *Tokens) RemainingLife(t *Token) time.Duration {
	now := s.now()
	if s.limits.idle(t, now) {
		return 0
	}
	return t.RemainingLife(now)
}
