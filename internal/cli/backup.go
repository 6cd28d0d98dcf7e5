package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

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
			if wantsJSON(cmd) {
				return p.printJSON(backupOf(path, m))
			}
			fmt.Fprintf(p.stdout, "Wrote %s: %s.\n", path, describeBackup(m))
			return nil
		},
	}
	addDataFlags(cmd.Flags())
	return addJSON(cmd)
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

// describedTables are the tables whose numbers of rows describe a backup.
var describedTables = []struct{ name, what string }{
	{"users", "user"}, {"wallets", "wallet"}, {"transactions", "transaction"}, {"proposals", "proposal"}, {"tokens", "token"}, {"audit", "audit event"},
}

// rowsOf returns the number of rows of a table in a backup.
func rowsOf(m backup.Manifest, table string) int64 {
	rows := m.RowsOf(table)
	if table == "proposals" {
		rows += m.RowsOf("psbts") // the table's name before schema 21
	}
	return rows
}

// describeBackup summarizes the contents of a backup in one line.
func describeBackup(m backup.Manifest) string {
	var parts []string
	for _, table := range describedTables {
		parts = append(parts, text.Count(rowsOf(m, table.name), table.what))
	}
	return strings.Join(parts, ", ")
}

// shownBackup is a backup in the output of --json.
type shownBackup struct {
	File    string           `json:"file"`
	MadeAt  time.Time        `json:"made_at"`
	Program string           `json:"program"`
	Engine  string           `json:"engine"`
	Schema  int64            `json:"schema"`
	Rows    map[string]int64 `json:"rows"`
}

func backupOf(path string, m backup.Manifest) shownBackup {
	out := shownBackup{path, m.MadeAt.UTC(), m.Program, m.Engine, m.Schema, map[string]int64{}}
	for _, table := range describedTables {
		out.Rows[table.name] = rowsOf(m, table.name)
	}
	return out
}
