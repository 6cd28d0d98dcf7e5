package backup

import (
	"context"
	"log/slog"
	"time"

	"github.com/specterd/specterd/internal/privatefile"
)

// Schedule makes a backup whenever the newest in a folder is as old as Every.
type Schedule struct {
	Folder Folder
	Every  time.Duration
	Keep   int // how many stay
	// Make makes a backup of that path.
	Make func(ctx context.Context, path string) error
	Log  *slog.Logger
	Now  func() time.Time
}

const (
	// schedulePoll is how often the time is looked at: a timer of a day would not
	// go on while the machine sleeps, nor know of a clock that was set.
	schedulePoll = time.Minute
	// scheduleRetry is how long after a failure the next try is, at most.
	scheduleRetry = time.Hour
)

// Run makes backups until ctx ends.
func (s *Schedule) Run(ctx context.Context) {
	tick := time.NewTicker(schedulePoll)
	defer tick.Stop()
	var failed time.Time
	for {
		if s.Now().Sub(failed).Abs() >= min(s.Every, scheduleRetry) {
			failed = time.Time{}
			if err := s.Step(ctx); err != nil && ctx.Err() == nil {
				failed = s.Now()
				s.Log.ErrorContext(ctx, "the scheduled backup failed; nothing of it is left, and it will be tried again",
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

// Step makes a backup if one is due, and deletes the oldest of those that are too
// many.
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
		s.Log.WarnContext(ctx, "old backups could not be deleted", "folder", string(s.Folder), "error", err)
	}
	return nil
}
