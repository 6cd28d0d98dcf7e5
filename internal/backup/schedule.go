package backup

import (
	"context"
	"log/slog"
	"time"

	"github.com/specterd/specterd/internal/privatefile"
)

// Schedule makes a backup when the newest one in Folder is as old as Every.
type Schedule struct {
	Folder Folder
	Every  time.Duration
	Keep   int // number of backups to keep
	// Make writes a backup to path.
	Make func(ctx context.Context, path string) error
	Log  *slog.Logger
	Now  func() time.Time
}

const (
	// schedulePoll is how often Run checks whether a backup is due. A timer for a whole
	// day would stop while the machine is suspended, and would ignore changes to the
	// clock.
	schedulePoll = time.Minute
	// scheduleRetry is the maximum time between a failed backup and the next attempt.
	scheduleRetry = time.Hour
)

// Run makes backups when they are due until ctx ends. It logs failures.
func (s *Schedule) Run(ctx context.Context) {
	tick := time.NewTicker(schedulePoll)
	defer tick.Stop()
	var failed time.Time
	for {
		if s.Now().Sub(failed).Abs() >= min(s.Every, scheduleRetry) {
			failed = time.Time{}
			if err := s.Step(ctx); err != nil && ctx.Err() == nil {
				failed = s.Now()
				s.Log.ErrorContext(ctx, "scheduled backup failed; will retry",
					"folder", string(s.Folder), "again_in", min(s.Every, scheduleRetry).String(), "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Step makes a backup if one is due, and then deletes the oldest ones beyond Keep. A
// failure to delete is only logged.
func (s *Schedule) Step(ctx context.Context) error {
	now := s.Now()
	newest, err := s.Folder.Newest(now)
	if err != nil {
		return err
	}
	if now.Sub(newest) < s.Every {
		return nil
	}
	if err := privatefile.MkdirAll(string(s.Folder)); err != nil {
		return err
	}
	path := s.Folder.Name(now)
	if err := s.Make(ctx, path); err != nil {
		return err
	}
	s.Log.InfoContext(ctx, "backup made", "path", path, "took", s.Now().Sub(now).String())
	if err := s.Folder.Prune(now, s.Keep); err != nil {
		s.Log.WarnContext(ctx, "deleting old backups failed", "folder", string(s.Folder), "error", err)
	}
	return nil
}
