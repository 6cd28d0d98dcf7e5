package app

import (
	"context"
	"errors"
	"io"

	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/store"
)

// BackUpExisting opens an existing database and backs it up. It does not migrate the
// database, so that a backup can be made before a migration. It also records the time of
// the backup; if only that fails, notRecorded is the reason.
func (a *App) BackUpExisting(ctx context.Context, path string) (m backup.Manifest, notRecorded, err error) {
	if err := a.CheckExists(); err != nil {
		return m, nil, err
	}
	if a.Store, err = store.Open(ctx, a.StoreOptions()); err != nil {
		return m, nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := a.checkComplete(ctx); err != nil {
		return m, nil, err
	}
	return a.backUpAndRecord(ctx, path)
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

// backUpAndRecord writes a backup and records its time in the database, for doctor and the
// metrics. If only the second fails, the backup is complete, and notRecorded is the reason.
func (a *App) backUpAndRecord(ctx context.Context, path string) (m backup.Manifest, notRecorded, err error) {
	if m, err = a.BackUp(ctx, path); err != nil {
		return m, nil, err
	}
	return m, a.Store.RecordBackup(ctx, a.Now()), nil
}

// backups returns the schedule of backups.
func (a *App) backups() *backup.Schedule {
	return &backup.Schedule{
		Folder: backup.Folder(a.Config.Backup.Folder), Every: a.Config.Backup.Every, Keep: a.Config.Backup.Keep, Log: a.Log, Now: a.Now,
		Make: func(ctx context.Context, path string) error {
			_, notRecorded, err := a.backUpAndRecord(ctx, path)
			if notRecorded != nil {
				a.Log.WarnContext(ctx, "time of the backup not recorded", "error", notRecorded)
			}
			return err
		},
	}
}
