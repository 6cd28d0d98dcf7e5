package clock_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// fakeClocks are the system time and the steady clock of a machine.
type fakeClocks struct {
	wall   time.Time
	steady time.Duration
}

func (h *fakeClocks) pass(d time.Duration) { h.wall, h.steady = h.wall.Add(d), h.steady+d }
func (h *fakeClocks) set(d time.Duration)  { h.wall = h.wall.Add(d) }

func TestWatch(t *testing.T) {
	h := &fakeClocks{wall: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC), steady: time.Hour}
	log := &testkit.Log{}
	w := clock.NewWatch(slog.New(slog.NewJSONHandler(log, nil)), func() time.Time { return h.wall }, func() time.Duration { return h.steady })
	logged := 0
	// wants checks the problem and the new log lines.
	wants := func(what, says string, lines ...string) {
		t.Helper()
		f := w.Problem()
		if (f == nil) != (says == "") || f != nil && (!strings.Contains(f.Message, says) || f.RetryAfter <= 0) || w.Settled() != (f == nil) {
			t.Errorf("%s: got %v, want %q", what, f, says)
		}
		got := log.String()[logged:]
		logged = len(log.String())
		if strings.Count(got, "\n") != len(lines) {
			t.Errorf("%s: logged %q, want %q", what, got, lines)
		}
		for _, line := range lines {
			if !strings.Contains(got, line) {
				t.Errorf("%s: logged %q, want %q", what, got, line)
			}
		}
	}
	wants("at first", "")
	h.pass(1000 * time.Hour)
	wants("long after", "")
	h.set(clock.Jump)
	wants("a small step", "")
	h.set(time.Second)
	wants("another, together too far", "forward by 10m1s at 2027-01-12T02:00:00Z", `"level":"ERROR"`)
	wants("said once", "forward")
	h.set(-time.Minute)
	wants("it is back", "", "the clock is back")
	h.set(-9*time.Minute - time.Second)
	wants("where it was", "")

	h.set(-2 * time.Hour)
	wants("back", "back by 2h0m0s", `"direction":"back"`)
	h.set(48 * time.Hour)
	wants("then forward", "forward by 46h0m0s", `"direction":"forward"`)
	h.pass(clock.Doubt - time.Second)
	wants("still in doubt", "after at most 1s")
	h.pass(time.Second)
	wants("trusted", "", "is trusted from now on")
	h.pass(time.Hour)
	wants("from now on", "")
	h.set(-46 * time.Hour)
	wants("wrongly", "back by 46h0m0s", `"level":"ERROR"`)
}

func TestWatch_Nil(t *testing.T) {
	var w *clock.Watch
	if !w.Settled() || w.Problem() != nil {
		t.Error("a nil Watch reports doubt")
	}
}

// TestSteady checks that Steady advances, and that the clocks of this machine agree.
func TestSteady(t *testing.T) {
	w := clock.NewWatch(slog.New(slog.DiscardHandler), time.Now, clock.Steady)
	before := clock.Steady()
	testkit.Eventually(t, "time passes", func() bool { return clock.Steady() > before })
	if f := w.Problem(); f != nil {
		t.Error(f)
	}
}
