package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
)

func (p *program) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "List and verify the record of who did what; works beside a running server",
	}
	addDataFlags(cmd.PersistentFlags())
	cmd.AddCommand(p.auditListCommand(), p.auditVerifyCommand(), p.auditArchiveCommand())
	return cmd
}

func (p *program) auditListCommand() *cobra.Command {
	var f auth.AuditFilter
	limit := 50
	cmd := &cobra.Command{
		Use: "list", Short: "List the latest entries, the oldest of them first", Args: cobra.NoArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app, _ []string) error {
			if limit < 1 {
				return errors.New("--limit has to be 1 or more")
			}
			entries, err := auth.NewAudit(a.store).List(cmd.Context(), f, 0, limit)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "AT\tUSER\tFROM\tACTION\tOUTCOME\tTARGET\tDETAIL")
			for i := range entries {
				e := entries[len(entries)-1-i]
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.At.UTC().Format("2006-01-02 15:04:05Z"),
					orDash(e.UserName), orDash(e.Address), e.Action, e.Outcome, orDash(e.Target), orDash(e.Detail))
			}
			return w.Flush()
		}),
	}
	flags := cmd.Flags()
	flags.IntVar(&limit, "limit", limit, "how many")
	flags.StringVar(&f.UserName, "user", "", "only what this user did")
	flags.StringVar(&f.Action, "action", "", "only this action, such as token.create, or a group of them, such as token")
	flags.StringVar(&f.Target, "target", "", "only what was done to this: a user's name, or the id of a token, a wallet or a proposal")
	flags.StringVar(&f.Outcome, "outcome", "", "only what ended so: ok or refused")
	return cmd
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// errAudit makes the command fail where the record is not as it was.
var errAudit = errors.New("the audit record is not as it was written")

func (p *program) auditVerifyCommand() *cobra.Command {
	var hash string
	var files []string
	cmd := &cobra.Command{
		Use: "verify", Short: "Look whether all entries are there and as they were written", Args: cobra.NoArgs,
		Long: `Look whether all entries are there and as they were written.

Each entry has a hash of itself and of the hash before it, so that none can be
changed or taken away without all that follow being made anew. Who can do that in
the database, or take away the latest, is found out with a hash that was kept
elsewhere: write down what this prints, and give it the next time as --hash.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			hash = strings.ToLower(strings.TrimSpace(hash))
			if len(files) > 0 {
				r, err := verifyArchives(files, hash)
				if err != nil {
					return err
				}
				return p.printAudit(r, hash)
			}
			return p.withApp(func(cmd *cobra.Command, a *app, _ []string) error {
				audit := auth.NewAudit(a.store)
				if err := audit.Seal(cmd.Context()); err != nil {
					return err
				}
				r, err := audit.Verify(cmd.Context(), hash)
				if err != nil {
					return err
				}
				return p.printAudit(r, hash)
			})(cmd, args)
		},
	}
	cmd.Flags().StringArrayVar(&files, "file", nil, "verify this archive and not the database; may be given several times")
	cmd.Flags().StringVar(&hash, "hash", "", "a hash that was printed before, which has to be one of the chain")
	return cmd
}

// printAudit prints what was found of a chain, and returns errAudit if it is not whole.
func (p *program) printAudit(r auth.AuditReport, hash string) error {
	if hash != "" && !r.Found && hash != r.Anchor.Hash {
		r.Problems = append(r.Problems, "no entry has the hash "+hash+": entries were taken away or made anew, or it is of another database")
	}
	for _, problem := range r.Problems {
		fmt.Fprintln(p.stdout, problem)
	}
	if len(r.Problems) > 0 {
		return errAudit
	}
	fmt.Fprintf(p.stdout, "%d entries: all are there and as they were written.\n", r.Entries)
	if r.Anchor.Position > 0 {
		fmt.Fprintf(p.stdout, "They continue an archive that ends at position %d with the hash\n%s\n", r.Anchor.Position, r.Anchor.Hash)
	}
	if r.Entries > 0 {
		fmt.Fprintf(p.stdout, "The last is of %s, and its hash is\n%s\n", r.Last.At.UTC().Format(timeLayout), r.Last.Hash)
	}
	return nil
}
