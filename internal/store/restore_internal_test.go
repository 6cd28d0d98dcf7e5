package store

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
)

// TablesAt is exported for tests that make backups of old schemas.
var TablesAt = tablesAt

// ExitInRestore restores like Restore, but stops after the rows were loaded, as if the
// process had ended.
func ExitInRestore(ctx context.Context, s *Store, f *backup.File, o RestoreOptions) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	died := errors.New("died")
	l := newLoader(s, f)
	o.Event = func(int) auth.Event {
		cancel()
		return auth.Event{}
	}
	if err = l.restore(ctx, p, o); errors.Is(err, context.Canceled) {
		return nil
	}
	return errors.Join(died, err)
}

// TestSnapshot_OldSchema checks that a new program can back up an old database
// without migrating it.
func TestSnapshot_OldSchema(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{URL: filepath.Join(t.TempDir(), "x.db"), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	p, err := s.provider()
	if err == nil {
		_, err = p.UpTo(t.Context(), 5)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = s.Snapshot(t.Context(), func(src backup.Source) error {
		facts, err := src.Facts(t.Context())
		if err != nil || facts.Schema != 5 {
			t.Errorf("got %+v, %v", facts, err)
		}
		wallets, err := src.Wallets(t.Context())
		if err != nil || len(wallets) > 0 {
			t.Errorf("got %v, %v", wallets, err)
		}
		tables, err := src.Tables(t.Context())
		for _, table := range tables {
			for _, err := range src.Rows(t.Context(), table) {
				if err != nil {
					t.Error(err)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if state, err := s.Schema(t.Context()); err != nil || state.Version != 5 {
		t.Errorf("the schema is %+v, %v", state, err)
	}
}
