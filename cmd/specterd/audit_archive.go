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
		Use: "archive --before DATE --out FILE", Short: "Move old entries into a file", Args: cobra.NoArgs,
		Long: `Move old entries of the audit log into a file, as JSON Lines.

The file is new, for its owner only, and verified before the entries are removed
from the database. The removal is an entry of the log. "audit verify" continues
after the last archived entry, and "audit verify --file" verifies archives.`,
		Example: "  specterd audit archive --before 2026-01-01 --out audit-2025.jsonl\n  specterd audit verify --file audit-2024.jsonl --file audit-2025.jsonl",
		RunE: p.withApp(func(cmd *cobra.Command, a *app, _ []string) error {
			if before == "" || out == "" {
				return errors.New("--before and --out are required")
			}
			limit, err := time.Parse(time.DateOnly, before)
			if err != nil {
				return errors.New("--before must be a date such as 2026-01-31, which stands for its beginning in UTC")
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
				fmt.Fprintln(p.stdout, "There are no entries of before that date; no file was written.")
				return nil
			}
			fmt.Fprintf(p.stdout, "Moved %d entries, up to position %d, into %s.\nThe hash of the last is\n%s\n", r.Entries, r.Last.Position, path, r.Last.Hash)
			return nil
		}),
	}
	cmd.Flags().StringVar(&before, "before", "", "archive the entries of before this date (UTC), such as 2026-01-31")
	cmd.Flags().StringVar(&out, "out", "", "the file to write; it must not exist")
	return cmd
}

var errNothingToArchive = errors.New("nothing to archive")

// archiveAudit moves the entries of before a time into a file, if there are any.
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
		return auth.AuditReport{}, fmt.Errorf("%s does not read as it was written; nothing was removed from the database", path)
	}
	return written, audit.RemoveArchived(ctx, who, a.now(), written, filepath.Base(path))
}

// verifyArchives verifies archives together, in the order of their entries.
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
		defer file.Close() //nolint:errcheck // was only read
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

// archiveInterval is how often the server checks whether entries are to be archived.
const archiveInterval = time.Hour

// onSchedule makes the backups and the archives that are due, until ctx ends.
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
				a.log.ErrorContext(ctx, "audit log could not be archived", "error", err)
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// archiveDue archives the entries of days that are older than the retention, once a day.
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
		return fmt.Errorf("create the folder for archives: %w", err)
	}
	r, err := a.archiveAudit(ctx, auth.Program("specterd"), before, path)
	if err == nil && r.Entries > 0 {
		a.log.InfoContext(ctx, "audit log archived", "file", path, "entries", r.Entries, "last_hash", r.Last.Hash)
	}
	return err
}
