package backup_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// names returns the entries of a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	testkit.Check(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// TestSchedule checks that a backup is made when the newest one is old enough, that only the
// newest ones are kept, and that files with other names are not touched.
func TestSchedule(t *testing.T) {
	t.Parallel()
	clock := now
	dir := filepath.Join(t.TempDir(), "backups")
	var fails error
	s := &backup.Schedule{
		Folder: backup.Folder(dir), Every: 24 * time.Hour, Keep: 2, Now: func() time.Time { return clock }, Log: slog.New(slog.DiscardHandler),
		Make: func(_ context.Context, path string) error {
			return backup.Save(path, func(out io.Writer) error {
				_, err := io.WriteString(out, "x")
				return errors.Join(err, fails)
			})
		},
	}
	step := func(after time.Duration, want ...string) {
		t.Helper()
		clock = clock.Add(after)
		if err := s.Step(t.Context()); !errors.Is(err, fails) {
			t.Error(err)
		}
		if got := names(t, dir); !slices.Equal(got, want) {
			t.Errorf("at %v: files %v, want %v", clock, got, want)
		}
	}
	const first, second, third, fourth = "specterd-backup-20261122T094710Z.zip", "specterd-backup-20261123T094710Z.zip", "specterd-backup-20261124T101710Z.zip", "specterd-backup-20261125T111710Z.zip"
	step(0, first)
	step(23*time.Hour, first)
	step(time.Hour, first, second)
	step(24*time.Hour-time.Second, first, second)
	if next, err := s.Next(t.Context(), time.Time{}); err != nil || !next.Equal(clock.Add(time.Second).Truncate(time.Second)) {
		t.Errorf("at %v, the next backup is due at %v, %v; want in a second", clock, next, err)
	}

	fails = errors.New("no space left on device")
	clock = clock.Add(time.Second)
	step(0, first, second) // a failure leaves no partial file and deletes nothing
	step(time.Hour/2, first, second)
	fails = nil
	step(0, second, third)

	// These are files with other names, abandoned partial files, and a backup with a future
	// time.
	others := []string{
		"before-migration-from-7-20261122T094710.000000Z.db", "specterd-backup-20200101T000000Z.zip.old", "specterd-backup-2020.zip", "my.zip",
		"specterd-backup-20400101T000000Z.zip", ".specterd-backup-1.partial", ".specterd-backup-2.partial",
	}
	for _, name := range others {
		testkit.Check(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	testkit.Check(t, os.Mkdir(filepath.Join(dir, "specterd-backup-20190101T000000Z.zip"), 0o700))
	testkit.Check(t, os.Chtimes(filepath.Join(dir, ".specterd-backup-1.partial"), now, now))
	testkit.Check(t, os.Chtimes(filepath.Join(dir, ".specterd-backup-2.partial"), clock.Add(25*time.Hour), clock.Add(25*time.Hour)))
	want := slices.Concat(others, []string{"specterd-backup-20190101T000000Z.zip", third, fourth})
	want = slices.DeleteFunc(want, func(name string) bool { return name == ".specterd-backup-1.partial" })
	slices.Sort(want)
	step(25*time.Hour, want...)
	if newest, err := s.Folder.Newest(clock); err != nil || !newest.Equal(clock.Truncate(time.Second)) {
		t.Errorf("the newest is from %v, %v", newest, err)
	}
}
