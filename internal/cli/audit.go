package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "List, verify and archive the audit log",
	}
	addDataFlags(cmd.PersistentFlags())
	cmd.AddCommand(p.auditListCommand(), p.auditVerifyCommand(), p.auditArchiveCommand())
	return cmd
}

func (p *program) auditListCommand() *cobra.Command {
	var f auth.AuditFilter
	limit := 50
	cmd := &cobra.Command{
		Use: "list", Short: "List the latest audit events, oldest first", Args: cobra.NoArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
			if limit < 1 {
				return errUsage("--limit must be 1 or more")
			}
			entries, err := auth.NewAudit(a.Store).List(cmd.Context(), f, 0, limit)
			if err != nil {
				return err
			}
			slices.Reverse(entries)
			return printRows(
				p, cmd, entries, v1.ShowAuditEntry,
				col("AT", func(e auth.Entry) string { return e.At.UTC().Format("2006-01-02 15:04:05Z") }),
				col("USER", func(e auth.Entry) string { return orDash(e.UserName) }),
				col("FROM", func(e auth.Entry) string { return orDash(e.Address) }),
				col("ACTION", func(e auth.Entry) string { return e.Action }),
				col("OUTCOME", func(e auth.Entry) string { return e.Outcome }),
				col("TARGET", func(e auth.Entry) string { return orDash(e.Target) }),
				col("DETAIL", func(e auth.Entry) string { return orDash(e.Detail) }),
			)
		}),
	}
	flags := cmd.Flags()
	flags.IntVar(&limit, "limit", limit, "maximum number of events, 1 or more")
	flags.StringVar(&f.UserName, "user", "", "only actions of this user")
	flags.StringVar(&f.Action, "action", "", "only this action, such as token.create, or this group of actions, such as token")
	flags.StringVar(&f.Target, "target", "", "only actions on this target: a user name, or the id of a token, wallet or proposal")
	flags.StringVar(&f.Outcome, "outcome", "", "only actions with this outcome: ok or refused")
	return addJSON(cmd)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// errAudit is returned if the verification found a problem.
var errAudit = errors.New("the audit log was altered")

// auditHashDigits is the length of a hash of the audit log in hexadecimal digits.
const auditHashDigits = 64

// errAuditHash is returned for a mistyped hash. Its exit status differs from the status
// for errAudit, on which scripts may raise an alarm.
var errAuditHash = exitError{exitUsage, errors.New("--hash must have 64 hexadecimal digits; nothing was verified")}

func (p *program) auditVerifyCommand() *cobra.Command {
	var hash string
	var files []string
	cmd := &cobra.Command{
		Use: "verify", Short: "Verify that no audit event was changed or removed", Args: cobra.NoArgs,
		Long: `Verify that no event of the audit log was changed or removed.

The hash of each event covers the event and the hash of the previous event. An event
therefore cannot be changed or removed without recomputing all later hashes. To detect
an attacker who can recompute them in the database, or who removes the latest events,
keep the hash that this command prints in another place, and pass it as --hash at the
next verification.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			hash = strings.ToLower(strings.TrimSpace(hash))
			if hash != "" && (len(hash) != auditHashDigits || strings.Trim(hash, "0123456789abcdef") != "") {
				return errAuditHash
			}
			if len(files) > 0 {
				r, err := app.VerifyArchives(files, hash)
				if err != nil {
					return err
				}
				return p.printAudit(cmd, r, hash)
			}
			return p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
				audit := auth.NewAudit(a.Store)
				if err := audit.Seal(cmd.Context()); err != nil {
					return err
				}
				r, err := audit.Verify(cmd.Context(), hash)
				if err != nil {
					return err
				}
				return p.printAudit(cmd, r, hash)
			})(cmd, args)
		},
	}
	cmd.Flags().StringArrayVar(&files, "file", nil, "verify this archive and not the database; may be repeated")
	cmd.Flags().StringVar(&hash, "hash", "", "hash from an earlier verification, which must be in the chain")
	return addJSON(cmd)
}

// printAudit prints the result of a verification, and returns errAudit if there are problems.
func (p *program) printAudit(cmd *cobra.Command, r auth.AuditReport, hash string) error {
	if hash != "" && !r.Found && hash != r.Anchor.Hash {
		r.Problems = append(r.Problems, "no event has the hash "+hash+": events were removed or rewritten, or the hash is from another database")
	}
	if wantsJSON(cmd) {
		err := p.printJSON(auditReportOf(r))
		if len(r.Problems) > 0 {
			return errors.Join(err, errAudit)
		}
		return err
	}
	for _, problem := range r.Problems {
		fmt.Fprintln(p.stdout, problem)
	}
	if len(r.Problems) > 0 {
		return errAudit
	}
	fmt.Fprintf(p.stdout, "Verified %s: none is missing or altered.\n", text.Count(r.Entries, "event"))
	if r.Anchor.Position > 0 {
		fmt.Fprintf(p.stdout, "The events continue an archive that ends at position %d with the hash\n%s\n", r.Anchor.Position, r.Anchor.Hash)
	}
	if r.Entries > 0 {
		fmt.Fprintf(p.stdout, "The last event is from %s. Its hash is\n%s\n", r.Last.At.UTC().Format(timeLayout), r.Last.Hash)
	}
	return nil
}

// auditReport is the output of audit verify --json.
type auditReport struct {
	Entries  int64       `json:"entries"`
	Anchor   *chainPlace `json:"anchor"` // end of the archive that the entries continue; nil without one
	Last     *chainPlace `json:"last"`   // nil without entries
	Problems []string    `json:"problems"`
}

// chainPlace is a position in the hash chain of the audit log.
type chainPlace struct {
	Position int64  `json:"position"`
	Hash     string `json:"hash"`
}

func chainPlaceOf(e auth.Entry) *chainPlace {
	if e.Position == 0 {
		return nil
	}
	return &chainPlace{e.Position, e.Hash}
}

func auditReportOf(r auth.AuditReport) auditReport {
	out := auditReport{Entries: r.Entries, Anchor: chainPlaceOf(r.Anchor), Problems: append([]string{}, r.Problems...)}
	if r.Entries > 0 {
		out.Last = chainPlaceOf(r.Last)
	}
	return out
}
