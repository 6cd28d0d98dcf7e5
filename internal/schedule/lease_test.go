package schedule_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/specterd/specterd/internal/schedule"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// openTwice opens a database as two processes do.
func openTwice(t *testing.T) (a, b *store.Store) {
	path := testdb.SQLite(t)
	open := func() *store.Store {
		s, err := store.Open(t.Context(), store.Options{URL: path, Log: quiet(), Now: time.Now})
		testkit.Check(t, err)
		t.Cleanup(func() { testkit.Check(t, s.Close()) })
		return s
	}
	return open(), open()
}

// sharing returns a scheduler of a process that shares a database with others.
func sharing(leases schedule.Leases, holder string, log *slog.Logger) *schedule.Scheduler {
	return schedule.New(schedule.Options{Log: log, Now: time.Now, Leases: leases, Holder: holder})
}

// exclusive returns a job that is due every ten seconds.
func exclusive(run func(context.Context) error) schedule.Job {
	return schedule.Job{Name: "work", Next: schedule.Every(10*time.Second, time.Now()), Run: run, Exclusive: true}
}

// takeover is the maximum time until a process takes over the lease of a killed process.
const takeover = schedule.LeaseTime + schedule.LeaseTime/3

// TestExclusive checks that one of two processes does the work, always the same one, and that
// the other takes over after a stop within the time between two attempts.
func TestExclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openTwice(t)
		var runs [2]atomic.Int64
		job := func(i int) schedule.Job {
			return exclusive(func(context.Context) error { runs[i].Add(1); return nil })
		}
		stop := start(t, sharing(a, "a", quiet()), job(0))
		synctest.Wait()
		start(t, sharing(b, "b", quiet()), job(1))
		time.Sleep(time.Hour)
		if first, second := runs[0].Load(), runs[1].Load(); first < 300 || second != 0 {
			t.Errorf("%d runs in the first process and %d in the second", first, second)
		}
		stop()
		time.Sleep(schedule.LeaseTime / 3)
		if runs[1].Load() == 0 {
			t.Error("the second process did not take over")
		}
	})
}

// TestExclusive_Killed checks that a process takes over the lease of a killed process, but
// not before it ends.
func TestExclusive_Killed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openTwice(t)
		killed := time.Now()
		if taken, err := a.TakeLease(t.Context(), "work", "a", killed, killed.Add(schedule.LeaseTime)); !taken || err != nil {
			t.Fatal(taken, err)
		}
		var first atomic.Int64
		start(t, sharing(b, "b", quiet()), exclusive(func(context.Context) error {
			first.CompareAndSwap(0, int64(time.Since(killed)))
			return nil
		}))
		time.Sleep(time.Minute)
		if after := time.Duration(first.Load()); after < schedule.LeaseTime || after > takeover {
			t.Errorf("took over after %v, want between %v and %v", after, schedule.LeaseTime, takeover)
		}
	})
}

// TestExclusive_LongRun checks that no other process runs a job during a run that takes much
// longer than a lease.
func TestExclusive_LongRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openTwice(t)
		var running, runs atomic.Int64
		var stopping atomic.Bool
		job := exclusive(func(ctx context.Context) error {
			if running.Add(1) > 1 {
				t.Error("two runs at the same time")
			}
			defer running.Add(-1)
			select {
			case <-time.After(20 * schedule.LeaseTime):
				runs.Add(1)
			case <-ctx.Done(): // the lease is not renewed any more
				if !stopping.Load() {
					t.Error("the lease was lost")
				}
			}
			return nil
		})
		stops := []func(){start(t, sharing(a, "a", quiet()), job), start(t, sharing(b, "b", quiet()), job)}
		time.Sleep(time.Hour)
		stopping.Store(true)
		for _, stop := range stops {
			stop()
		}
		if n := runs.Load(); n < 11 {
			t.Errorf("%d runs", n)
		}
	})
}

// TestExclusive_Lost checks that the context of a run ends before the lease ends if the
// database does not respond, and soon if another process has the lease.
func TestExclusive_Lost(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, s *store.Store){
		"database closed": func(t *testing.T, s *store.Store) { testkit.Check(t, s.Close()) },
		"taken": func(t *testing.T, s *store.Store) {
			testkit.Check(t, s.ReleaseLease(t.Context(), "work", "a"))
			if taken, err := s.TakeLease(t.Context(), "work", "b", time.Now(), time.Now().Add(time.Minute)); !taken || err != nil {
				t.Error(taken, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := openTwice(t)
				log := &testkit.Log{}
				begin := time.Now()
				var lasted atomic.Int64
				stop := start(t, sharing(a, "a", slog.New(slog.NewJSONHandler(log, nil))), exclusive(func(ctx context.Context) error {
					lose(t, a)
					<-ctx.Done()
					lasted.CompareAndSwap(0, int64(time.Since(begin)))
					return ctx.Err()
				}))
				time.Sleep(time.Minute)
				stop()
				if took := time.Duration(lasted.Load()); took == 0 || took > schedule.LeaseTime {
					t.Errorf("the run lasted %v, and the lease %v", took, schedule.LeaseTime)
				}
				if text := log.String(); !strings.Contains(text, `"work failed; will retry","error":"the lease was lost during the run`) {
					t.Errorf("the log is %s", text)
				}
			})
		})
	}
}

// TestExclusive_Failed checks that another process does the work if one fails to.
func TestExclusive_Failed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := openTwice(t)
		failing := exclusive(func(context.Context) error { return errors.New("no space left") })
		failing.Retry = time.Hour
		start(t, sharing(a, "a", quiet()), failing)
		synctest.Wait()
		var runs atomic.Int64
		start(t, sharing(b, "b", quiet()), exclusive(func(context.Context) error { runs.Add(1); return nil }))
		time.Sleep(time.Minute)
		if n := runs.Load(); n < 5 {
			t.Errorf("the other process did the work %d times", n)
		}
	})
}
