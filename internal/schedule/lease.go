package schedule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// LeaseTime is the time after which another process takes over the exclusive jobs of a
	// process that was killed.
	LeaseTime = 15 * time.Second

	renewInterval = LeaseTime / 3
	// releasePatience is how long the end of a job may wait for the database.
	releasePatience = 3 * time.Second
)

// Leases stores leases in the database that the processes share.
type Leases interface {
	// TakeLease acquires or renews the lease of a job until a time. It reports false if
	// another holder has a lease that has not ended at now.
	TakeLease(ctx context.Context, name, holder string, now, until time.Time) (taken bool, err error)
	// ReleaseLease ends the lease of a job if the holder has it.
	ReleaseLease(ctx context.Context, name, holder string) error
}

// errLeaseLost is the cause with which the context of a run ends if the lease could not be
// renewed.
var errLeaseLost = errors.New("the lease was lost during the run")

// run calls Run. Meanwhile, it renews the lease of an exclusive job, and ends the context of
// Run before the lease ends.
func (t *task) run(ctx context.Context) error {
	if !t.Exclusive {
		return t.Run(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { t.renewLease(ctx, cancel) })
	err := t.Run(ctx)
	lost := context.Cause(ctx)
	cancel(nil)
	renewing.Wait()
	if err != nil && errors.Is(lost, errLeaseLost) {
		return fmt.Errorf("%w: %w", lost, err)
	}
	return err
}

func (t *task) renewLease(ctx context.Context, cancel context.CancelCauseFunc) {
	for pause(ctx, renewInterval, nil) {
		taken, err := t.takeLease(ctx)
		if err == nil && !taken || err != nil && t.s.Now().Add(renewInterval).After(t.until) {
			cancel(errLeaseLost)
			return
		}
	}
}

// takeLease acquires or renews the lease.
func (t *task) takeLease(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, renewInterval)
	defer cancel()
	now := t.s.Now()
	until := now.Add(LeaseTime)
	taken, err := t.s.Leases.TakeLease(ctx, t.Name, t.s.Holder, now, until)
	if err != nil {
		return false, fmt.Errorf("take the lease: %w", err)
	}
	if taken {
		t.until = until
	}
	return taken, nil
}

// release ends the lease, if there is one.
func (t *task) release(ctx context.Context) {
	if t.until.IsZero() {
		return
	}
	t.until = time.Time{}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releasePatience)
	defer cancel()
	_ = t.s.Leases.ReleaseLease(ctx, t.Name, t.s.Holder) // otherwise it ends at t.until anyway
}
