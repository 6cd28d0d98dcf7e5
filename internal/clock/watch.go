// Package clock watches the time of day, by which tokens and proposals end, for
// jumps against a clock that nobody sets. It changes nothing about either.
//
// A jump may be the mending of a clock that was wrong as well as the breaking of one
// that was right, and nobody here can tell. So what can be undone goes by the time of
// day as it is: a token that has ended by it is refused, and accepted again when the
// clock is back. What cannot be undone waits while the clock is in doubt: ending
// proposals, forgetting answers to requests that may be repeated, dropping keys.
package clock

import (
	"log/slog"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

const (
	// Jump is by how much the time of day has to move on its own to be in doubt.
	Jump = 10 * time.Minute
	// Doubt is how long it is in doubt, unless it comes back: then the clock was
	// mended and not broken, or somebody had the time to see to it.
	Doubt = time.Hour
	// lookEvery is how often Run looks.
	lookEvery = 10 * time.Second
)

// Watch compares the time of day with a steady clock since it was made. A nil Watch
// believes the time of day.
type Watch struct {
	log    *slog.Logger
	wall   func() time.Time
	steady func() time.Duration

	mu     sync.Mutex
	origin time.Time     // what the time of day was when the steady clock was zero
	apart  time.Duration // how far the time of day has jumped from that; zero while it is believed
	at     time.Time     // when that was noted, by the clock from before
	until  time.Duration // by the steady clock
}

// NewWatch returns a Watch that believes the time of day as it is now. Steady is the
// time since some moment, and goes on while the machine sleeps; see Steady.
func NewWatch(log *slog.Logger, wall func() time.Time, steady func() time.Duration) *Watch {
	w := &Watch{log: log, wall: wall, steady: steady}
	w.origin = w.originNow()
	return w
}

// originNow rounds Go's own monotonic reading away, which would make any two times
// agree.
func (w *Watch) originNow() time.Time { return w.wall().Round(0).Add(-w.steady()) }

// Settled reports whether the time of day can be believed.
func (w *Watch) Settled() bool { return w.Problem() == nil }

// Problem returns what is to be said while the time of day is in doubt, and nil
// while it is not.
func (w *Watch) Problem() *fault.Error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look()
	if w.apart == 0 {
		return nil
	}
	left := w.until - w.steady()
	return fault.New(fault.Unavailable, "clock_jumped",
		"this machine's clock jumped %s by %v at %s (by the clock before that), and tokens and proposals end by it; see that it is right (timedatectl). This is said until it is back, for %v at most, or until the next start",
		direction(w.apart), w.apart.Abs().Round(time.Second), w.at.UTC().Format(time.RFC3339), left.Round(time.Second)).After(left)
}

// look notes jumps, and when they are over.
func (w *Watch) look() {
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
		w.log.Error("the clock jumped; tokens and proposals end by it. See that it is right (timedatectl)",
			"direction", direction(apart), "by", apart.Abs().Round(time.Second).String(), "from", w.at.UTC().Format(time.RFC3339), "to", origin.Add(steady).UTC().Format(time.RFC3339))
	case steady >= w.until:
		w.log.Warn("the clock jumped a while ago, and is taken for right from now on", "by", apart.Round(time.Second).String())
		w.origin, w.apart = origin, 0
	}
}

func direction(d time.Duration) string {
	if d < 0 {
		return "back"
	}
	return "forward"
}
