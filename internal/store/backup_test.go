package store

import (
	"database/sql"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"
)

// nextVersion is the SQLite engine with an additional migration.
type nextVersion struct {
	sqliteEngine
	migration string
}

func (e nextVersion) migrations() (migrationSource, error) {
	source, err := e.sqliteEngine.migrations()
	if err != nil {
		return source, err
	}
	files := fstest.MapFS{"00999_next.sql": {Data: []byte(e.migration)}}
	names, err := fs.Glob(source.files, "*.sql")
	if err != nil {
		return source, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(source.files, name)
		if err != nil {
			return source, err
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	source.files = files
	return source, nil
}

// TestBackupBeforeMigration checks that the database is backed up before a migration, and
// that a failed migration changes nothing.
func TestBackupBeforeMigration(t *testing.T) {
	dir := t.TempDir()
	o := Options{
		URL: filepath.Join(dir, "x.db"), BackupFolder: filepath.Join(dir, "backups"),
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	open := func() *Store {
		s, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.RecordFirstStart(t.Context()); err != nil {
		t.Fatal(err)
	}

	bad := open()
	bad.engine = nextVersion{s.engine.(sqliteEngine), "-- +goose Up\nDROP TABLE tokens;\nSELECT nonsense FROM nowhere;"}
	if err := bad.Migrate(t.Context()); err == nil {
		t.Fatal("a broken migration returned no error")
	}
	if _, err := s.rw.ExecContext(t.Context(), "SELECT * FROM tokens"); err != nil {
		t.Errorf("a migration that failed left something behind: %v", err)
	}

	good := open()
	good.engine = nextVersion{s.engine.(sqliteEngine), "-- +goose Up\nDELETE FROM settings;"}
	if err := good.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	copies, err := filepath.Glob(filepath.Join(o.BackupFolder, "*.db"))
	if err != nil || len(copies) == 0 {
		t.Fatalf("copies %v, %v", copies, err)
	}
	backup, err := sql.Open("sqlite", copies[len(copies)-1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = backup.Close() })
	var value string
	if err := backup.QueryRowContext(t.Context(), "SELECT name FROM settings").Scan(&value); err != nil || value != "first_start" {
		t.Errorf("the copy has %q, %v", value, err)
	}
	if info, err := os.Stat(copies[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy's rights are %v, %v", info.Mode(), err)
	}
}
