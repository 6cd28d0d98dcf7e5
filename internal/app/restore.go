package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/text"
)

// Restore restores a backup into the configured data directory and database, which must
// be empty. If it fails, it removes the files and directories that it created.
func (a *App) Restore(ctx context.Context, who *auth.Principal, f *backup.File, name string) (r store.Restored, err error) {
	if a.UsesPostgres() || a.HasConfiguredKeys() {
		keys, err := a.ReadKeys()
		if err != nil {
			return r, err
		}
		if slices.Contains(f.SigningKeys, auth.Fingerprint(keys[0])) {
			return r, fmt.Errorf("%s: %w", a.KeyLocation(), store.ErrOldKey)
		}
	}
	if err := a.refuseFolderInUse(); err != nil {
		return r, err
	}
	made := a.missing() // list the missing files before creating any
	defer func() {
		err = errors.Join(err, a.Close())
		if err != nil {
			for _, path := range made {
				_ = os.Remove(path) // removes a directory only if it is empty
			}
		}
	}()
	if err := privatefile.MkdirAll(a.Config.DataFolder); err != nil {
		return r, fmt.Errorf("create the data directory %s: %w", a.Config.DataFolder, err)
	}
	if !a.UsesPostgres() {
		holder := fmt.Sprintf("process %d, restoring a backup", os.Getpid())
		if a.lock, err = store.Lock(ctx, string(a.Config.DatabaseURL), holder, 0); err != nil {
			return r, err
		}
	}
	if a.Store, err = store.Open(ctx, a.StoreOptions()); err != nil {
		return r, err
	}
	if err := a.Store.CheckEmpty(ctx); errors.Is(err, store.ErrNotEmpty) {
		return r, a.notEmpty(err.Error())
	} else if err != nil {
		return r, err
	}
	return a.Store.Restore(ctx, f, store.RestoreOptions{
		Key: a.keyOfRestored,
		Event: func(tokens int) auth.Event {
			detail := fmt.Sprintf("made at %s; %s removed", f.MadeAt.UTC().Format(time.RFC3339), text.Count(tokens, "token"))
			return who.Event(a.Now(), "backup.restore", name, detail)
		},
	})
}

// missing returns the files and directories that a restore would have to create, the
// data directory last.
func (a *App) missing() []string {
	paths := []string{a.KeyFile(), a.marker(), a.Config.DataFolder}
	if db := string(a.Config.DatabaseURL); !a.UsesPostgres() {
		paths = append([]string{db, db + "-wal", db + "-shm", db + ".lock"}, paths...)
	}
	return slices.DeleteFunc(paths, func(path string) bool {
		_, err := os.Lstat(path)
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// refuseFolderInUse returns an error if the data directory had a database that is now
// missing. CheckEmpty returns the error for an existing database.
func (a *App) refuseFolderInUse() error {
	if a.UsesPostgres() {
		return nil
	}
	if _, err := os.Stat(string(a.Config.DatabaseURL)); err == nil {
		return nil
	}
	for _, path := range []string{a.marker(), a.KeyFile()} {
		if _, err := os.Stat(path); err == nil {
			return a.notEmpty(path + " exists")
		}
	}
	return nil
}

func (a *App) notEmpty(why string) error {
	if a.UsesPostgres() {
		return fmt.Errorf("a restore requires an empty database, but %s; create a database with createdb, set SPECTER_DATABASE_URL to it, and run this again", why)
	}
	return fmt.Errorf("a restore requires an empty data directory, but %s is in use: %s. Stop specterd, move the directory with: mv %[1]s %[1]s.old; and run this again. Or choose another directory with --data-folder", a.Config.DataFolder, why)
}

// keyOfRestored creates the signing key of a restored database unless the operator
// provides one, and marks the data directory as in use. It returns the key's fingerprint.
func (a *App) keyOfRestored() (string, error) {
	keys, err := a.keysOrNew()
	if err != nil {
		return "", err
	}
	if err := a.markInUse("restored a backup"); err != nil {
		return "", err
	}
	return auth.Fingerprint(keys[0]), nil
}
