package app

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
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/privatefile"
)

var errNothingToArchive = errors.New("nothing to archive")

// ArchiveAudit moves audit events that are older than before to a new file at path.
// Without such events, it creates no file.
func (a *App) ArchiveAudit(ctx context.Context, who *auth.Principal, before time.Time, path string) (auth.AuditReport, error) {
	audit := auth.NewAudit(a.Store)
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
	read, err := VerifyArchives([]string{path}, "")
	if err != nil {
		return auth.AuditReport{}, err
	}
	if len(read.Problems) > 0 || read.Entries != written.Entries || read.Last.Hash != written.Last.Hash {
		return auth.AuditReport{}, fmt.Errorf("%s could not be verified after writing; the database is unchanged", path)
	}
	return written, audit.RemoveArchived(ctx, who, a.Now(), written, filepath.Base(path))
}

// VerifyArchives verifies archives as one chain. They may be given in any order. Found
// in the report is set if an entry has the given hash. It returns an error if a file
// cannot be read or parsed.
func VerifyArchives(paths []string, hash string) (r auth.AuditReport, err error) {
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

// ArchiveDue archives the audit events of all days that ended before the retention
// period. It does nothing if the archive of today exists or the clock is unreliable.
func (a *App) ArchiveDue(ctx context.Context) error {
	if !a.Watch.Settled() {
		return nil
	}
	before := a.Now().UTC().Add(-a.Config.AuditRetention).Truncate(24 * time.Hour)
	folder := filepath.Join(a.Config.DataFolder, "audit")
	path := filepath.Join(folder, "audit-before-"+before.Format(time.DateOnly)+".jsonl")
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := privatefile.MkdirAll(folder); err != nil {
		return fmt.Errorf("create the directory for archives: %w", err)
	}
	r, err := a.ArchiveAudit(ctx, auth.Program("specterd"), before, path)
	if err == nil && r.Entries > 0 {
		a.Log.InfoContext(ctx, "audit log archived", "file", path, "entries", r.Entries, "last_hash", r.Last.Hash)
	}
	return err
}
