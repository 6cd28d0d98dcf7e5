package auth

import (
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// DefaultMaxLifetime is the maximum lifetime of a new token unless configured; it
// does not apply to tokens created through v1alpha.
const DefaultMaxLifetime = 365 * 24 * time.Hour

// TokenLimits are the operator's limits on tokens.
type TokenLimits struct {
	// MaxLifetime is the maximum lifetime of a new token; 0 means
	// DefaultMaxLifetime, or the constant MaxLifetime for a CreateTokenParams with
	// AnyLifetime.
	MaxLifetime time.Duration
	// Idle is the time after which an unused token is rejected; 0 means no limit.
	Idle time.Duration
}

// SetLimits sets the limits for new tokens. It must be called before the first use.
func (s *Tokens) SetLimits(l TokenLimits) { s.limits = l }

// SetLimits sets the limits for accepted tokens. It must be called before the first
// login.
func (l *Login) SetLimits(limits TokenLimits) { l.limits = limits }

// check returns an Invalid fault for a token whose lifetime is too long.
func (l TokenLimits) check(params CreateTokenParams) error {
	most := l.MaxLifetime
	if most == 0 {
		if params.AnyLifetime {
			return nil
		}
		most = DefaultMaxLifetime
	}
	if params.Lifetime > most {
		return fault.InvalidField("lifetime", "must be at most %s (SPECTER_TOKEN_MAX_LIFETIME)", lifetimeText(most))
	}
	return nil
}

// lifetimeText formats a duration, in days if possible.
func lifetimeText(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// idle reports whether a token was unused for too long. The period starts at
// creation if it was never used.
func (l TokenLimits) idle(t *Token, now time.Time) bool {
	since := t.LastUse.At
	if since.IsZero() {
		since = t.CreatedAt
	}
	return l.Idle > 0 && now.Sub(since) >= l.Idle
}

// RemainingLife is the time until the token is rejected if it stays in use; zero if
// it has expired or has been idle for too long.
func (s *Tokens) RemainingLife(t *Token) time.Duration {
	now := s.now()
	if s.limits.idle(t, now) {
		return 0
	}
	return t.RemainingLife(now)
}
