package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/store"
)

func (p *program) backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup [FILE]", Args: cobra.MaximumNArgs(1),
		Short: "Write all that the database has into one file; works beside a running server",
		Long: `Write all that the database has into one file; works beside a running server.

It is the database as it is at one moment: users with the hashes of their passwords,
wallets with members, labels and history, proposals, the audit record. It is all that
"specterd restore" needs, on SQLite and PostgreSQL, whichever of them it is from. The
wallets' descriptors are in it for people, too (descriptors.txt), for when there is no
specterd any more.

The key that signs tokens is not in it, and no private key. But whoever reads it knows
all addresses of the wallets, and whose they are; only you can read the file (0600).

A file that is there already is not overwritten. Without FILE it goes into the folder
that the server's own backups are in (SPECTER_BACKUP_FOLDER), under a name like theirs.
To have the server make them: SPECTER_BACKUP_EVERY=24h.`,
		Example: `  specterd backup /mnt/elsewhere/specterd-2026-11-22.zip
  specterd restore --check /mnt/elsewhere/specterd-2026-11-22.zip`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := p.plainApp(cmd)
			if err != nil {
				return err
			}
			path, err := backupPath(a, args)
			if err != nil {
				return err
			}
			m, err := a.backUpExisting(cmd.Context(), path)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Wrote %s: %s.\n", path, describeBackup(m))
			return nil
		},
	}
	addDataFlags(cmd.Flags())
	return cmd
}

// plainApp is the settings, and nothing opened yet.
func (p *program) plainApp(cmd *cobra.Command) (*app, error) {
	cfg, err := config.Load(cmd.Flags(), p.getenv)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: max(cfg.LogLevel, slog.LevelWarn)}))
	return &app{cfg: cfg, log: log, level: new(slog.LevelVar), now: time.Now}, nil
}

// backupPath returns the path that was given, or one in the folder for backups.
func backupPath(a *app, args []string) (string, error) {
	if len(args) == 1 {
		return filepath.Abs(args[0])
	}
	if err := privatefile.MkdirAll(a.cfg.Backup.Folder); err != nil {
		return "", fmt.Errorf("make the folder for backups: %w", err)
	}
	return backup.Folder(a.cfg.Backup.Folder).Name(a.now()), nil
}

// backUpExisting opens a database that is there, and backs it up. It migrates
// nothing: a backup is what people want to have before that.
func (a *app) backUpExisting(ctx context.Context, path string) (m backup.Manifest, err error) {
	if !a.usesPostgres() {
		if _, err := os.Stat(string(a.cfg.DatabaseURL)); errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("there is no database %s: there is nothing to back up; look whether SPECTER_DATA_FOLDER and SPECTER_DATABASE_URL are those of the server", string(a.cfg.DatabaseURL))
		}
	}
	if a.store, err = store.Open(ctx, a.storeOptions()); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	return a.backUp(ctx, path)
}

// backUp writes a backup of the open database.
func (a *app) backUp(ctx context.Context, path string) (m backup.Manifest, err error) {
	err = backup.Save(path, func(out io.Writer) error {
		return a.store.Snapshot(ctx, func(src backup.Source) error {
			m, err = backup.Write(ctx, out, src, "specterd "+version, a.now())
			return err
		})
	})
	return m, err
}

// backUpOnSchedule makes the backups that are due until ctx ends, if any are wanted.
func (a *app) backUpOnSchedule(ctx context.Context) {
	if a.cfg.Backup.Every == 0 {
		return
	}
	schedule := backup.Schedule{
		Folder: backup.Folder(a.cfg.Backup.Folder), Every: a.cfg.Backup.Every, Keep: a.cfg.Backup.Keep, Log: a.log, Now: a.now,
		Make: func(ctx context.Context, path string) error {
			_, err := a.backUp(ctx, path)
			return err
		},
	}
	schedule.Run(ctx)
}

// describeBackup says what is in a backup, in one line.
func describeBackup(m backup.Manifest) string {
	var parts []string
	for _, table := range []struct{ name, what string }{
		{"users", "users"}, {"wallets", "wallets"}, {"transactions", "transactions"}, {"proposals", "proposals"}, {"tokens", "tokens"}, {"audit", "entries of the audit record"},
	} {
		rows := m.RowsOf(table.name)
		if table.name == "proposals" {
			rows += m.RowsOf("psbts") // its name before schema 21
		}
		parts = append(parts, fmt.Sprintf("%d %s", rows, table.what))
	}
	return strings.Join(parts, ", ")
}
