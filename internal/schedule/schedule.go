// Package schedule runs due work: work that must be done at a certain time, or regularly,
// without a request. It knows no SQL and nothing about the work.
//
// Invariant: no two runs of a job overlap in a process, and no two runs of an exclusive job
// overlap in all processes that share a database, provided that their clocks agree within
// LeaseTime.
package schedule

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/backoff"
)

// Job is one kind of due work.
type Job struct {
	// Name is a constant noun phrase, such as "scheduled backup". It is the subject of log
	// messages and the name of the lease.
	Name string
	// Next returns the time at which the next work is due, or the zero time if no work
	// waits. It is called after each run, after each Wake and at least every Poll; last is
	// the end of the last successful run in this process, or zero. See also [Every].
	Next func(ctx context.Context, last time.Time) (time.Time, error)
	// Run does the work that is due. If Next then returns a time in the past, Run is called
	// again at once.
	Run func(ctx context.Context) error
	// Poll is the maximum time between two calls of Next; 0 means DefaultPoll. Set it to the
	// time after which work must be found that another process has added.
	Poll time.Duration
	// Retry is the delay after an error of Next or Run; 0 means MinRetry. It doubles with
	// each further error up to MaxRetry, unless it is longer than that from the start.
	Retry time.Duration
	// Exclusive jobs are executed by only one of the processes that share a database: the
	// holder of the job's lease. It keeps the lease until it stops, dies or fails to
	// do the work.
	Exclusive bool
}

const (
	// DefaultPoll is short compared with a day: a timer stops while the machine is
	// suspended, and ignores changes to the clock.
	DefaultPoll = time.Minute
	// MinRetry is the delay after the first error by default.
	MinRetry = time.Second
	// MaxRetry is the delay after many errors by default.
	MaxRetry = 15 * time.Second
	// remindInterval is the interval at which a job that keeps failing is logged again.
	remindInterval = time.Hour
)

// Every returns a Job.Next for work that is due at first, and again each interval after the
// end of a run.
func Every(interval time.Duration, first time.Time) func(context.Context, time.Time) (time.Time, error) {
	return func(_ context.Context, last time.Time) (time.Time, error) {
		if last.IsZero() {
			return first, nil
		}
		return last.Add(interval), nil
	}
}

// Options are the dependencies of a Scheduler.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
	// Leases is nil if no other process uses the database.
	Leases Leases
	// Holder is the name of this process in leases, different from all other names.
	Holder string
}

// Scheduler runs jobs.
type Scheduler struct {
	Options
	wakes sync.Map // of chan struct{}, by name
}

// New returns a Scheduler without jobs.
func New(o Options) *Scheduler { return &Scheduler{Options: o} }

// Run runs jobs until ctx ends, each in a goroutine of its own.
func (s *Scheduler) Run(ctx context.Context, jobs ...Job) {
	var running sync.WaitGroup
	for _, j := range jobs {
		first := cmp.Or(j.Retry, MinRetry)
		t := &task{Job: j, s: s, retry: backoff.New(first, max(first, MaxRetry))}
		t.Poll = cmp.Or(j.Poll, DefaultPoll)
		if t.Exclusive = j.Exclusive && s.Leases != nil; t.Exclusive {
			t.Poll = min(t.Poll, renewInterval)
		}
		running.Go(func() { t.loop(ctx) })
	}
	running.Wait()
}

// Wake makes a job call Next at once, because there may be new work. It never blocks.
func (s *Scheduler) Wake(name string) {
	select {
	case s.wake(name) <- struct{}{}:
	default: // it will call Next in any case
	}
}

func (s *Scheduler) wake(name string) chan struct{} {
	c, _ := s.wakes.LoadOrStore(name, make(chan struct{}, 1))
	return c.(chan struct{})
}

// task is a job that is being run.
type task struct {
	Job
	s     *Scheduler
	retry *backoff.Backoff
	last  time.Time // end of the last successful run
	// logged is the time of the last message about a failure, zero if the job works.
	logged time.Time
	until  time.Time // end of the lease
}

func (t *task) loop(ctx context.Context) {
	defer t.release(ctx)
	for ctx.Err() == nil {
		if t.Exclusive {
			if taken, err := t.takeLease(ctx); !taken {
				if err != nil {
					t.report(ctx, err)
				}
				t.wait(ctx, time.Time{})
				continue
			}
		}
		due, err := t.step(ctx)
		t.report(ctx, err)
		if err != nil {
			t.release(ctx) // another process may succeed
			_ = t.retry.Wait(ctx)
			continue
		}
		t.retry.Reset()
		t.wait(ctx, due)
	}
}

// step does the work that is due, and returns when to call step again; zero if nothing is
// due.
func (t *task) step(ctx context.Context) (time.Time, error) {
	due, err := t.Next(ctx, t.last)
	if err != nil || due.IsZero() || due.After(t.s.Now()) {
		return due, err
	}
	if err := t.run(ctx); err != nil {
		return time.Time{}, err
	}
	t.last = t.s.Now()
	return t.last, nil
}

// report logs that the job fails or works again. It repeats the former every remindInterval.
func (t *task) report(ctx context.Context, err error) {
	now := t.s.Now()
	switch {
	case err != nil && ctx.Err() == nil && (t.logged.IsZero() || now.Sub(t.logged).Abs() >= remindInterval):
		t.logged = now
		t.s.Log.ErrorContext(ctx, t.Name+" failed; will retry", "error", err) //nolint:sloglint // the names of jobs are constant
	case err == nil && !t.logged.IsZero():
		t.logged = time.Time{}
		t.s.Log.InfoContext(ctx, t.Name+" works again") //nolint:sloglint // the names of jobs are constant
	}
}

// wait waits until due, but at most until the next poll, which varies so that processes that
// were started together do not poll together. Wake and the end of ctx end the wait.
func (t *task) wait(ctx context.Context, due time.Time) {
	d := t.Poll - rand.N(t.Poll/4) //nolint:gosec // jitter, not a secret
	if !due.IsZero() {
		d = min(d, due.Sub(t.s.Now()))
	}
	if d > 0 {
		pause(ctx, d, t.s.wake(t.Name))
	}
}

// pause waits for a time or until wake has a value. It reports false if ctx ends first.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-wake:
		return true
	case <-ctx.Done():
		return false
	}
}
