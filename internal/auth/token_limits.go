package auth

import (
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// DefaultMaxLifetime is the maximum lifetime of a new token if none is configured.
// It does not apply to tokens created through v1alpha.
const DefaultMaxLifetime = 365 * 24 * time.Hour

// TokenLimits are the operator's limits on tokens.
type TokenLimits struct {
	// MaxLifetime is the maximum lifetime of a new token. If it is 0,
	// DefaultMaxLifetime applies, or the constant MaxLifetime to tokens with
	// CreateTokenParams.AnyLifetime.
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
		return text.Count(int64(d/day), "day")
	}
	return d.String()
}

// idle reports whether a token was unused for too long. If it was never used, the
// time since its creation counts.
func (l TokenLimits) idle(t *Token, now time.Time) bool {
	since := t.LastUse.At
	if since.IsZero() {
		since = t.CreatedAt
	}
	return l.Idle > 0 && now.Sub(since) >= l.Idle
}

// RemainingLife returns the time until the token expires, or zero if it has expired
// or is rejected because it was unused for too long.
func (s *Tokens) RemainingLife(t *Token) time.Duration {
	now := s.now()
	if s.limits.idle(t, now) {
		return 0
	}
	return t.RemainingLife(now)
}
