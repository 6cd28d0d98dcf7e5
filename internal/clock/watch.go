// Package clock detects jumps of the system time by comparing it with a clock that is
// never set. The system time determines when tokens and proposals expire. The package
// changes neither clock.
//
// A jump may correct a wrong clock or disturb a correct one; the two cannot be
// distinguished. Decisions that can be reversed therefore use the system time as it is:
// an expired token is rejected, and accepted again once the clock is back. Irreversible
// actions wait while the clock is in doubt: expiring proposals, deleting stored responses
// of idempotent requests, deleting signing keys, archiving audit events, announcing that
// tokens will expire.
package clock

import (
	"log/slog"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

const (
	// Jump is the largest tolerated deviation of the system time. Beyond it, the
	// system time is in doubt.
	Jump = 10 * time.Minute
	// Doubt is the maximum time for which the system time is in doubt. After that,
	// specterd trusts it again: the jump was a correction, or an operator has had time to
	// fix the clock.
	Doubt = time.Hour
	// lookEvery is the interval at which Run checks the system time.
	lookEvery = 10 * time.Second
)

// Watch detects jumps of the system time since the Watch was created, by means of a
// steady clock. A nil Watch trusts the system time.
type Watch struct {
	log    *slog.Logger
	wall   func() time.Time
	steady func() time.Duration

	mu     sync.Mutex
	origin time.Time     // the system time at which the steady clock was zero
	apart  time.Duration // the deviation of the system time; zero while the clock is trusted
	at     time.Time     // the time of detection, according to the system clock before the jump
	until  time.Duration // the steady time until which the clock is in doubt
}

// NewWatch returns a Watch that trusts the current system time. The function steady
// must return the time since a fixed moment, including the time that the machine
// sleeps; see [Steady].
func NewWatch(log *slog.Logger, wall func() time.Time, steady func() time.Duration) *Watch {
	w := &Watch{log: log, wall: wall, steady: steady}
	w.origin = w.originNow()
	return w
}

// originNow returns the system time at which the steady clock was zero. It strips
// Go's monotonic reading; with it, Sub would not notice changes to the system time.
func (w *Watch) originNow() time.Time { return w.wall().Round(0).Add(-w.steady()) }

// Settled reports whether the system time is trusted.
func (w *Watch) Settled() bool { return w.Problem() == nil }

// Problem returns a fault while the system time is in doubt, and nil otherwise.
func (w *Watch) Problem() *fault.Error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.check()
	if w.apart == 0 {
		return nil
	}
	left := w.until - w.steady()
	return fault.New(fault.Unavailable, "clock_jumped",
		"this machine's clock jumped %s by %v at %s (by the clock before that), which affects the expiry of tokens and proposals; check it (timedatectl). This warning ends when the clock is back, after at most %v, or at the next start",
		direction(w.apart), w.apart.Abs().Round(time.Second), w.at.UTC().Format(time.RFC3339), left.Round(time.Second)).WithRetryAfter(left)
}

// check detects jumps, and ends the doubt about the system time once the clock is back or
// Doubt has elapsed.
func (w *Watch) check() {
	steady, origin := w.steady(), w.originNow()
	apart := origin.Sub(w.origin)
	switch {
	case apart.Abs() <= Jump:
		if w.apart != 0 {
			w.log.Info("the clock is back", "was_off_by", w.apart.Round(time.Second).String())
			w.apart = 0
		}
	case w.apart == 0 || (apart-w.apart).Abs() > Jump:
		w.apart, w.at, w.until = apart, w.origin.Add(steady), steady+Doubt
		w.log.Error("system clock jumped; check it (timedatectl), because it affects the expiry of tokens and proposals",
			"direction", direction(apart), "by", apart.Abs().Round(time.Second).String(), "from", w.at.UTC().Format(time.RFC3339), "to", origin.Add(steady).UTC().Format(time.RFC3339))
	case steady >= w.until:
		w.log.Warn("system clock jumped earlier and is trusted from now on", "by", apart.Round(time.Second).String())
		w.origin, w.apart = origin, 0
	}
}

func direction(d time.Duration) string {
	if d < 0 {
		return "back"
	}
	return "forward"
}

// Trusted returns now, or the time before the jump while the system time is in doubt.
func (w *Watch) Trusted(now time.Time) time.Time {
	if w == nil {
		return now
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.check()
	if w.apart == 0 {
		return now
	}
	return w.at
}
