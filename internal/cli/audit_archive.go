package cli

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) auditArchiveCommand() *cobra.Command {
	var before, out string
	cmd := &cobra.Command{
		Use: "archive --before DATE --out FILE", Short: "Move old audit events into a file", Args: cobra.NoArgs,
		Long: `Move old events of the audit log into a new file, as JSON Lines.

Only the file's owner can read the file (0600). It is verified before the events are
removed from the database, and the removal is itself recorded in the audit log.
"audit verify" starts after the last archived event; "audit verify --file" verifies
archives.`,
		Example: "  specterd audit archive --before 2026-01-01 --out audit-2025.jsonl\n  specterd audit verify --file audit-2024.jsonl --file audit-2025.jsonl",
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
			limit, err := time.Parse(time.DateOnly, before)
			if err != nil {
				return errUsage("--before must be a date such as 2026-01-31; the day begins at midnight UTC")
			}
			path, err := filepath.Abs(out)
			if err != nil {
				return err
			}
			r, err := a.ArchiveAudit(cmd.Context(), operator(), limit, path)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(auditArchiveOf(r, path))
			}
			if r.Entries == 0 {
				fmt.Fprintln(p.stdout, "No events are older than that date; no file was written.")
				return nil
			}
			fmt.Fprintf(p.stdout, "Moved %s, up to position %d, into %s.\nThe hash of the last event is\n%s\n", text.Count(r.Entries, "event"), r.Last.Position, path, r.Last.Hash)
			return nil
		}),
	}
	cmd.Flags().StringVar(&before, "before", "", "archive events older than this date (UTC), such as 2026-01-31")
	cmd.Flags().StringVar(&out, "out", "", "file to write, which must not exist yet")
	for _, name := range []string{"before", "out"} {
		_ = cmd.MarkFlagRequired(name) // fails only for unknown flags
	}
	return addJSON(cmd)
}

// auditArchive is the output of audit archive --json.
type auditArchive struct {
	File    *string     `json:"file"` // nil if no events were old enough
	Entries int64       `json:"entries"`
	Last    *chainPlace `json:"last"`
}

func auditArchiveOf(r auth.AuditReport, path string) auditArchive {
	if r.Entries == 0 {
		return auditArchive{}
	}
	return auditArchive{&path, r.Entries, chainPlaceOf(r.Last)}
}
