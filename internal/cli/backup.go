package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup [FILE]", Args: cobra.MaximumNArgs(1),
		Short: "Write a backup of the database into one file",
		Long: `Write a backup of the database into one file. The server may be running.

The backup is a consistent snapshot: users with the hashes of their passwords, wallets
with members, labels and history, proposals, and the audit log. It has everything that
"specterd restore" requires. A backup of SQLite or PostgreSQL can be restored to
either. It also has the wallets' descriptors in readable form (descriptors.txt), to
recover the wallets without specterd.

The backup contains neither the key that signs tokens nor any private key. It does
reveal all addresses of the wallets and who their members are. Only you can read the
file (0600).

An existing file is not overwritten. Without FILE, the backup is written into the
directory of the scheduled backups (SPECTER_BACKUP_FOLDER), under a name of the same
format. To schedule backups by the server, set SPECTER_BACKUP_EVERY=24h.`,
		Example: `  specterd backup /mnt/elsewhere/specterd-2026-11-22.zip
  specterd restore --check /mnt/elsewhere/specterd-2026-11-22.zip`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := p.newApp(cmd.Flags(), false)
			if err != nil {
				return err
			}
			if err := a.CheckExists(); err != nil {
				return err // before backupPath creates a directory
			}
			path, err := backupPath(a, args)
			if err != nil {
				return err
			}
			m, notRecorded, err := a.BackUpExisting(cmd.Context(), path)
			if err != nil {
				return err
			}
			if notRecorded != nil {
				fmt.Fprintln(p.stderr, "The backup is complete, but doctor and the metrics will not report it:", notRecorded)
			}
			fmt.Fprintf(p.stdout, "Wrote %s: %s.\n", path, describeBackup(m))
			return nil
		},
	}
	addDataFlags(cmd.Flags())
	return cmd
}

// backupPath returns the path given as an argument, or a new path in the backup
// directory.
func backupPath(a *app.App, args []string) (string, error) {
	if len(args) == 1 {
		return filepath.Abs(args[0])
	}
	if err := privatefile.MkdirAll(a.Config.Backup.Folder); err != nil {
		return "", fmt.Errorf("create the directory for backups: %w", err)
	}
	return backup.Folder(a.Config.Backup.Folder).Name(a.Now()), nil
}

// describeBackup summarizes the contents of a backup in one line.
func describeBackup(m backup.Manifest) string {
	var parts []string
	for _, table := range []struct{ name, what string }{
		{"users", "user"}, {"wallets", "wallet"}, {"transactions", "transaction"}, {"proposals", "proposal"}, {"tokens", "token"}, {"audit", "audit event"},
	} {
		rows := m.RowsOf(table.name)
		if table.name == "proposals" {
			rows += m.RowsOf("psbts") // the table's name before schema 21
		}
		parts = append(parts, text.Count(rows, table.what))
	}
	return strings.Join(parts, ", ")
}
