package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/schedule"
	"github.com/specterd/specterd/internal/spending"
)

// hourly is the interval of work that is never urgent. Keys are dropped an hour after the
// start for the first time, when a clock that was wrong at boot has been corrected: a dropped
// key cannot be restored.
const hourly = time.Hour

// scheduler returns the scheduler of this process. On SQLite there is no other process, as
// long as the serving lock is held.
func (a *App) scheduler() *schedule.Scheduler {
	o := schedule.Options{Log: a.Log, Now: a.Now}
	if a.UsesPostgres() {
		host, _ := os.Hostname() // only for administrators who read the table
		o.Leases, o.Holder = a.Store, fmt.Sprintf("%s, process %d, %s", host, os.Getpid(), rand.Text())
	}
	return schedule.New(o)
}

// The names of jobs that the service of spending policies wakes.
const (
	releaseJob = "releasing proposals"
	changeJob  = "applying changes of spending policies"
)

// expiryPoll is the maximum time until a process finds a proposal that another one created
// and that expires at once.
const expiryPoll = 15 * time.Second

// runDueWork runs all due work until ctx ends.
func (a *App) runDueWork(ctx context.Context, due *schedule.Scheduler, n *Node, proposals *proposal.Service, spends *spending.Service) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { due.Run(ctx, append(a.maintenance(), a.recordNodeEvents(n))...) })
	proposals.CompleteUpgrade(ctx) // before any of them expires
	due.Run(ctx,
		schedule.Job{Name: "ending expired proposals", Next: proposals.NextExpiry, Run: proposals.ExpireOverdue, Poll: expiryPoll},
		schedule.Job{Name: changeJob, Next: spends.NextChange, Run: spends.ApplyDue, Poll: expiryPoll},
		schedule.Job{Name: releaseJob, Next: proposals.NextRelease, Run: proposals.ReleaseDue, Poll: expiryPoll})
}

// maintenance returns the jobs that concern the database and the data directory.
func (a *App) maintenance() []schedule.Job {
	now := a.Now()
	jobs := []schedule.Job{
		// Every process has signing keys in memory, and may have its own key file.
		{Name: "dropping old signing keys", Next: schedule.Every(hourly, now.Add(hourly)), Run: a.DropOldKeys, Retry: hourly},
		{Name: "deleting old events", Next: schedule.Every(hourly, now.Add(hourly)), Run: a.PruneEvents, Retry: hourly, Exclusive: true},
		{Name: "deleting ended sessions", Next: schedule.Every(hourly, now.Add(hourly)), Run: a.Store.DeleteEndedSessions, Retry: hourly, Exclusive: true},
		{Name: "announcing tokens that will expire", Next: a.nextExpiringToken, Run: a.Store.RecordExpiringTokens},
	}
	if a.Config.AuditRetention != 0 {
		jobs = append(jobs, schedule.Job{Name: "audit log archiving", Next: schedule.Every(hourly, now), Run: a.ArchiveDue, Retry: hourly, Exclusive: true})
	}
	if a.Config.Backup.Every != 0 {
		backups := a.backups()
		jobs = append(jobs, schedule.Job{Name: "scheduled backup", Next: backups.Next, Run: backups.Step, Retry: backups.Retry(), Exclusive: true})
	}
	return jobs
}
