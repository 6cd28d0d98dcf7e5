package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/store"
)

// BackUpExisting opens an existing database and backs it up. It does not migrate the
// database, so that a backup can be made before a migration.
func (a *App) BackUpExisting(ctx context.Context, path string) (m backup.Manifest, err error) {
	if !a.UsesPostgres() {
		if _, err := os.Stat(string(a.Config.DatabaseURL)); errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("no database at %s; check that SPECTER_DATA_FOLDER and SPECTER_DATABASE_URL are the same as for the server", string(a.Config.DatabaseURL))
		}
	}
	if a.Store, err = store.Open(ctx, a.StoreOptions()); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return a.BackUp(ctx, path)
}

// BackUp writes a backup of the open database.
func (a *App) BackUp(ctx context.Context, path string) (m backup.Manifest, err error) {
	err = backup.Save(path, func(out io.Writer) error {
		return a.Store.Snapshot(ctx, func(src backup.Source) error {
			m, err = backup.Write(ctx, out, src, "specterd "+a.Version, a.Now())
			return err
		})
	})
	return m, err
}

// backups returns the schedule of backups.
func (a *App) backups() *backup.Schedule {
	return &backup.Schedule{
		Folder: backup.Folder(a.Config.Backup.Folder), Every: a.Config.Backup.Every, Keep: a.Config.Backup.Keep, Log: a.Log, Now: a.Now,
		Make: func(ctx context.Context, path string) error {
			_, err := a.BackUp(ctx, path)
			return err
		},
	}
}
