package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/privatefile"
)

func (p *program) auditArchiveCommand() *cobra.Command {
	var before, out string
	cmd := &cobra.Command{
		Use: "archive --before DATE --out FILE", Short: "Move old audit events into a file", Args: cobra.NoArgs,
		Long: `Move old events of the audit log into a new file, as JSON Lines.

Only the file's owner can read the file (0600). It is verified before the events are
removed from the database, and the removal is itself recorded in the audit log.
"audit verify" starts after the last archived event; "audit verify --file" verifies
archives.`,
		Example: "  specterd audit archive --before 2026-01-01 --out audit-2025.jsonl\n  specterd audit verify --file audit-2024.jsonl --file audit-2025.jsonl",
		RunE: p.withApp(func(cmd *cobra.Command, a *app, _ []string) error {
			if before == "" || out == "" {
				return errors.New("--before and --out are required")
			}
			limit, err := time.Parse(time.DateOnly, before)
			if err != nil {
				return errors.New("--before must be a date such as 2026-01-31; the day begins at midnight UTC")
			}
			path, err := filepath.Abs(out)
			if err != nil {
				return err
			}
			r, err := a.archiveAudit(cmd.Context(), operator(), limit, path)
			if err != nil {
				return err
			}
			if r.Entries == 0 {
				fmt.Fprintln(p.stdout, "No events are older than that date; no file was written.")
				return nil
			}
			fmt.Fprintf(p.stdout, "Moved %d events, up to position %d, into %s.\nThe hash of the last event is\n%s\n", r.Entries, r.Last.Position, path, r.Last.Hash)
			return nil
		}),
	}
	cmd.Flags().StringVar(&before, "before", "", "archive events older than this date (UTC), such as 2026-01-31")
	cmd.Flags().StringVar(&out, "out", "", "file to write, which must not exist yet")
	return cmd
}

var errNothingToArchive = errors.New("nothing to archive")

// archiveAudit moves events older than a time into a file, if there are any.
func (a *app) archiveAudit(ctx context.Context, who *auth.Principal, before time.Time, path string) (auth.AuditReport, error) {
	audit := auth.NewAudit(a.store)
	if err := audit.Seal(ctx); err != nil {
		return auth.AuditReport{}, err
	}
	var written auth.AuditReport
	err := backup.Save(path, func(out io.Writer) error {
		var err error
		if written, err = audit.WriteArchive(ctx, before, out); err == nil && written.Entries == 0 {
			err = errNothingToArchive
		}
		return err
	})
	if errors.Is(err, errNothingToArchive) {
		return auth.AuditReport{}, nil
	}
	if err != nil {
		return auth.AuditReport{}, fmt.Errorf("archive the audit log: %w", err)
	}
	read, err := verifyArchives([]string{path}, "")
	if err != nil {
		return auth.AuditReport{}, err
	}
	if len(read.Problems) > 0 || read.Entries != written.Entries || read.Last.Hash != written.Last.Hash {
		return auth.AuditReport{}, fmt.Errorf("%s could not be verified after writing; the database is unchanged", path)
	}
	return written, audit.RemoveArchived(ctx, who, a.now(), written, filepath.Base(path))
}

// verifyArchives verifies archives as one chain, in the order of their events.
func verifyArchives(paths []string, hash string) (r auth.AuditReport, err error) {
	type archive struct {
		*os.File
		begin int64
	}
	var archives []archive
	for _, path := range paths {
		file, err := os.Open(path) //nolint:gosec // the operator says which file
		if err != nil {
			return r, err
		}
		defer file.Close() //nolint:errcheck // read only
		begin, err := auth.ArchiveBegin(file)
		if err == nil {
			_, err = file.Seek(0, io.SeekStart)
		}
		if err != nil {
			return r, fmt.Errorf("%s: %w", path, err)
		}
		archives = append(archives, archive{file, begin})
	}
	slices.SortFunc(archives, func(a, b archive) int { return cmp.Compare(a.begin, b.begin) })
	for _, file := range archives {
		if err := r.VerifyArchive(file, hash); err != nil {
			return r, fmt.Errorf("%s: %w", file.Name(), err)
		}
	}
	return r, nil
}

// archiveInterval is how often the server checks whether events are due for archiving.
const archiveInterval = time.Hour

// onSchedule makes the scheduled backups and archives until ctx ends.
func (a *app) onSchedule(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { a.backUpOnSchedule(ctx) })
	if a.cfg.AuditRetention == 0 {
		return
	}
	running.Go(func() {
		ticker := time.NewTicker(archiveInterval)
		defer ticker.Stop()
		for {
			if err := a.archiveDue(ctx); err != nil && ctx.Err() == nil {
				a.log.ErrorContext(ctx, "audit log archiving failed", "error", err)
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// archiveDue archives the events of the days before the retention period, once a day.
func (a *app) archiveDue(ctx context.Context) error {
	if !a.watch.Settled() {
		return nil
	}
	before := a.now().UTC().Add(-a.cfg.AuditRetention).Truncate(24 * time.Hour)
	folder := filepath.Join(a.cfg.DataFolder, "audit")
	path := filepath.Join(folder, "audit-before-"+before.Format(time.DateOnly)+".jsonl")
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := privatefile.MkdirAll(folder); err != nil {
		return fmt.Errorf("create the directory for archives: %w", err)
	}
	r, err := a.archiveAudit(ctx, auth.Program("specterd"), before, path)
	if err == nil && r.Entries > 0 {
		a.log.InfoContext(ctx, "audit log archived", "file", path, "entries", r.Entries, "last_hash", r.Last.Hash)
	}
	return err
}
