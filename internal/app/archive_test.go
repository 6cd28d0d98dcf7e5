package app_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
)

// TestAuditRetention checks that the server moves events that are older than the retention
// period into a file, at most once a day.
func TestAuditRetention(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a := app.New(config.Config{
		DataFolder: folder, DatabaseURL: config.Secret(filepath.Join(folder, "specterd.db")), BcryptCost: 4,
		AuditRetention: 30 * 24 * time.Hour,
	}, "test", slog.New(slog.DiscardHandler), time.Now)
	check(a.Open(t.Context(), app.Creating))
	t.Cleanup(func() { check(a.Close()) })
	now := time.Date(2027, 3, 31, 12, 0, 0, 0, time.UTC)
	a.Now = func() time.Time { return now }
	audit := auth.NewAudit(a.Store)
	verify := func() auth.AuditReport {
		t.Helper()
		check(audit.Seal(t.Context()))
		r, err := audit.Verify(t.Context(), "")
		check(err)
		if len(r.Problems) > 0 {
			t.Error(r.Problems)
		}
		return r
	}
	first := verify().Entries // events of the first start, which are older
	recent := auth.Event{At: now.Add(-29 * 24 * time.Hour), Action: "recent"}
	check(a.Store.WriteEvents(t.Context(), []auth.Event{recent}, nil))
	for range 2 {
		check(a.ArchiveDue(t.Context()))
		if r := verify(); r.Entries != 2 || r.Anchor.Position != first {
			t.Errorf("in the database: %+v", r)
		}
	}
	path := filepath.Join(folder, "audit", "audit-before-2027-03-01.jsonl")
	info, err := os.Stat(path)
	check(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
	if r, err := app.VerifyArchives([]string{path}, ""); err != nil || r.Entries != first || len(r.Problems) > 0 {
		t.Errorf("in the file: %+v, %v", r, err)
	}
	now = now.Add(24 * time.Hour)
	check(a.ArchiveDue(t.Context()))
	if files, err := os.ReadDir(filepath.Join(folder, "audit")); err != nil || len(files) != 1 {
		t.Errorf("%d files after a day without old events, %v", len(files), err)
	}
}
