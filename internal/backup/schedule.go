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

// retryInterval is the maximum time between a failed backup and the next attempt.
const retryInterval = time.Hour

// Retry returns the time between a failed backup and the next attempt.
func (s *Schedule) Retry() time.Duration { return min(s.Every, retryInterval) }

// Next returns the time at which the next backup is due, according to the files in Folder.
func (s *Schedule) Next(context.Context, time.Time) (time.Time, error) {
	newest, err := s.Folder.Newest(s.Now())
	return newest.Add(s.Every), err
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
