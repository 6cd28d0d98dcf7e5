package schedule_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/specterd/specterd/internal/schedule"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// work is a job with one due time, which records its runs.
type work struct {
	mu   sync.Mutex
	due  time.Time // zero if nothing is due
	runs []time.Time
	fail error
}

func (w *work) Next(context.Context, time.Time) (time.Time, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.due, nil
}

func (w *work) Run(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = append(w.runs, time.Now())
	if w.fail == nil {
		w.due = time.Time{}
	}
	return w.fail
}

// set changes the due time.
func (w *work) set(due time.Time, fail error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due, w.fail = due, fail
}

// took returns the times of all runs, and forgets them.
func (w *work) took() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	runs := w.runs
	w.runs = nil
	return runs
}

// start runs jobs in the background until stop is called or the test ends.
func start(t *testing.T, s *schedule.Scheduler, jobs ...schedule.Job) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx, jobs...) })
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestScheduler checks that work is done at the time at which it is due, and that new work is
// found after Poll, or at once after Wake.
func TestScheduler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const poll = 15 * time.Second
		s := schedule.New(schedule.Options{Log: quiet(), Now: time.Now})
		w := &work{due: time.Now().Add(time.Hour + time.Millisecond)}
		due := w.due
		start(t, s, schedule.Job{Name: "work", Next: w.Next, Run: w.Run, Poll: poll})
		time.Sleep(2 * time.Hour)
		if runs := w.took(); len(runs) != 1 || !runs[0].Equal(due) {
			t.Errorf("due at %v, runs at %v", due, runs)
		}

		w.set(time.Now().Add(-time.Hour), nil) // by another process
		added := time.Now()
		time.Sleep(poll)
		if runs := w.took(); len(runs) != 1 || runs[0].Equal(added) {
			t.Errorf("added at %v, runs at %v, want one within %v", added, runs, poll)
		}

		w.set(time.Now(), nil)
		s.Wake("work")
		s.Wake("work") // does not block
		s.Wake("other work")
		synctest.Wait()
		if runs := w.took(); len(runs) != 1 || !runs[0].Equal(time.Now()) {
			t.Errorf("woken at %v, runs at %v", time.Now(), runs)
		}
	})
}

// TestScheduler_Backlog checks that a job whose work is still due runs again at once.
func TestScheduler_Backlog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, begin := 100, time.Now()
		start(t, schedule.New(schedule.Options{Log: quiet(), Now: time.Now}), schedule.Job{
			Name: "work",
			Next: func(context.Context, time.Time) (time.Time, error) {
				if left == 0 {
					return time.Time{}, nil
				}
				return begin, nil
			},
			Run: func(context.Context) error { left--; return nil },
		})
		synctest.Wait()
		if left != 0 || !time.Now().Equal(begin) {
			t.Errorf("after %v, %d are left", time.Since(begin), left)
		}
	})
}

// TestEvery checks the times of regular work that takes ten minutes.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		stop := start(t, schedule.New(schedule.Options{Log: quiet(), Now: time.Now}), schedule.Job{
			Name: "work", Next: schedule.Every(time.Hour, begin.Add(5*time.Minute)),
			Run: func(context.Context) error {
				at = append(at, time.Since(begin))
				time.Sleep(10 * time.Minute)
				return nil
			},
		})
		time.Sleep(3 * time.Hour)
		stop()
		if want := []time.Duration{5 * time.Minute, 75 * time.Minute, 145 * time.Minute}; !slices.Equal(at, want) {
			t.Errorf("runs after %v, want %v", at, want)
		}
	})
}

// TestScheduler_Errors checks that errors of Next and Run delay a job more and more, that the
// first one is logged and then one an hour, and that the end of the errors is logged.
func TestScheduler_Errors(t *testing.T) {
	for name, inNext := range map[string]bool{"Next": true, "Run": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &testkit.Log{}
				w := &work{due: time.Now(), fail: errors.New("no space left")}
				next := w.Next
				if inNext {
					next = func(context.Context, time.Time) (time.Time, error) { return time.Time{}, w.Run(t.Context()) }
				}
				start(t, schedule.New(schedule.Options{Log: slog.New(slog.NewJSONHandler(log, nil)), Now: time.Now}), schedule.Job{Name: "work", Next: next, Run: w.Run})
				time.Sleep(59 * time.Minute)
				logged := func(failures, recoveries int) {
					t.Helper()
					text := log.String()
					if strings.Count(text, "\n") != failures+recoveries || strings.Count(text, `"level":"ERROR","msg":"work failed; will retry","error":"no space left"`) != failures ||
						strings.Count(text, `"msg":"work works again"`) != recoveries {
						t.Errorf("want %d failures and %d recoveries; the log is\n%s", failures, recoveries, text)
					}
				}
				logged(1, 0)
				runs := w.took()
				for i := range runs[1:] {
					delay := min(schedule.MinRetry<<min(i, 10), schedule.MaxRetry)
					if took := runs[i+1].Sub(runs[i]); took < delay/2 || took > delay*3/2 {
						t.Errorf("delay %d is %v, want %v within 50 %%", i, took, delay)
					}
				}
				time.Sleep(time.Hour)
				logged(2, 0)
				w.set(time.Now(), nil)
				time.Sleep(time.Minute)
				logged(2, 1)
				time.Sleep(time.Hour)
				logged(2, 1)
			})
		})
	}
}

// TestScheduler_Retry checks the time until the next attempt if it is set.
func TestScheduler_Retry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &work{due: time.Now(), fail: errors.New("no")}
		start(t, schedule.New(schedule.Options{Log: quiet(), Now: time.Now}), schedule.Job{Name: "work", Next: w.Next, Run: w.Run, Retry: time.Hour})
		time.Sleep(24 * time.Hour)
		runs := w.took()
		for i := range runs[1:] {
			if took := runs[i+1].Sub(runs[i]); took < time.Hour/2 || took > 3*time.Hour/2 {
				t.Errorf("tried again after %v", took)
			}
		}
		if len(runs) < 16 {
			t.Errorf("%d attempts in a day", len(runs))
		}
	})
}
