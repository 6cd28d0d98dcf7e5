package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/specter/datadir"
	"github.com/specterd/specterd/internal/specter/importer"
)

// exitPartial is the exit status of an import or export that omitted something. A failure
// has status 1.
const exitPartial = 3

// errPartial is returned if an import omitted something.
var errPartial = exitError{exitPartial, errors.New("the import is PARTIAL: not everything was imported; see \"not imported\" and \"error\" above")}

// exitError is an error with the exit status of the program.
type exitError struct {
	status int
	error
}

// Unwrap returns the error without the status.
func (e exitError) Unwrap() error { return e.error }

// exitStatus returns the exit status of the program for an error.
func exitStatus(err error) int {
	if e, ok := errors.AsType[exitError](err); ok {
		return e.status
	}
	return 1
}

const importHelp = `Import users with their passwords, tokens and wallets, including devices, labels,
frozen UTXOs and pending PSBTs, from the data directory of Specter Desktop. That is
~/.specter, unless Specter Desktop runs with another SPECTER_DATA_FOLDER. The directory
is only read. Specter Desktop may be running, and so may the server.

If the node has Specter Desktop's own wallets, specterd adopts them with their history,
and Specter Desktop can continue to use them. Otherwise each wallet is created in
Bitcoin Core again, watch-only, from its descriptors, and "specterd serve" rescans the
chain for its history. Without the node, only users and tokens are imported; repeat the
import for the wallets.

Use --dry-run to show what would be imported without changing anything. Without it, the
data directory and the database are created if they do not exist.

The import is safe to repeat: existing objects are unchanged, new ones are added, and
objects that you deleted in specterd stay deleted. Existing users who were not imported
are never changed, with one exception: an imported admin named "admin" replaces the
first admin while that user still has the default password. To import the tokens and
wallets of a user into an existing user, who keeps password and role, use --user with
the name in Specter Desktop and the name here.

Results:  imported       imported by this run
          already here   imported by an earlier run
          skipped        omitted on purpose without loss, such as an expired token
          left           of no use any more: a payment whose UTXOs are spent
          not imported   MISSING, for the reason in the same line
An "error" under "Problems" is a file, or a part of a file, that could not be read. Its
backup (.bkp) was used if there is one. Everything else was imported.

Exit status: 0 complete; 3 partial, something was not imported or could not be read;
             1 failed, nothing was imported or the database could not be written.

To undo an import, use specterd user rm NAME or specterd token revoke ID.`

func (p *program) importCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import DIRECTORY",
		Short: "Import users and wallets from Specter Desktop",
		Long:  importHelp,
		Example: `  specterd import ~/.specter --dry-run      # show what would be imported
  specterd import ~/.specter                # import it
  specterd import ~/.specter --user admin=admin --user satoshi=alice
  specterd import /backup/specter --json | jq '.items[] | select(.result == "not imported")'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			path, err := filepath.Abs(args[0])
			if err != nil {
				return fmt.Errorf("resolve the directory: %w", err)
			}
			folder, err := datadir.Open(path) // before a database is created
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, folder.Close()) }()
			a, err := p.newApp(cmd.Flags(), false)
			if err != nil {
				return err
			}
			if o.dryRun {
				remove, temporary := a.UseTemporary(cmd.Context())
				if temporary != nil {
					return temporary
				}
				defer func() { err = errors.Join(err, remove()) }()
			}
			return p.runOn(cmd, a, app.Creating, args, func(cmd *cobra.Command, a *app.App, _ []string) error {
				return p.runImport(cmd, a, path, folder, o)
			})
		},
	}
	addDataFlags(cmd.Flags())
	config.AddFlags(cmd.Flags(), "node-url", "node-wallet-folder", "proposal-days")
	cmd.Flags().StringToStringVar(&o.users, "user", nil, "import a user into an existing one: NAME=NAME, in Specter Desktop and here; may be repeated")
	cmd.Flags().BoolVar(&o.showPassword, "show-node-password", false, "print the password of Specter Desktop's node, if its settings are proposed")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "show what would be imported and change nothing")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print the report as one JSON document")
	return cmd
}

// importOptions are the flags of the command import.
type importOptions struct {
	users                        map[string]string
	dryRun, asJSON, showPassword bool
}

func (p *program) runImport(cmd *cobra.Command, a *app.App, path string, folder *datadir.Folder, o importOptions) (err error) {
	n, err := a.OpenNode()
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.CheckOnce(cmd.Context()); err != nil {
		return err
	}
	report, runErr := a.Importer(n, operator()).Run(cmd.Context(), folder, importer.Options{Path: path, DryRun: o.dryRun, Users: o.users, Progress: p.progress()})
	if errors.Is(runErr, importer.ErrMapping) {
		return fmt.Errorf("--user: %w; nothing was imported", runErr)
	}
	status := report.Status()
	if runErr != nil {
		status = importer.Failed
	}
	next := importNext{path: path, report: report, options: o, node: n.Monitor.Ready() != nil, file: settingsFile(a)}
	if count, countErr := a.Store.CountDefaultPasswords(cmd.Context()); countErr == nil && !a.Temporary {
		next.defaults = count
	}
	steps := next.steps(folder)
	if o.asJSON {
		err = writeImportJSON(p.stdout, path, report, status, steps)
	} else {
		err = errors.Join(writeImportTable(p.stdout, path, report, status), writeNext(p.stdout, steps))
	}
	switch {
	case runErr != nil:
		return fmt.Errorf("%w; everything listed as imported was imported; run the import again to continue", runErr)
	case err != nil:
		return fmt.Errorf("print the report: %w", err)
	case status == importer.Partial:
		return errPartial
	case status == importer.Failed:
		return errors.New("the import FAILED: nothing was imported")
	}
	return nil
}

// progressAfter is the minimum interval between two progress lines.
const progressAfter = 2 * time.Second

func (p *program) progress() func(next string) {
	last := time.Now()
	return func(next string) {
		if time.Since(last) >= progressAfter {
			last = time.Now()
			fmt.Fprintf(p.stderr, "… %s\n", next)
		}
	}
}

func writeImportTable(out io.Writer, path string, report importer.Report, status importer.Status) error {
	if report.DryRun {
		fmt.Fprintf(out, "DRY RUN: nothing is changed. An import of %s would do this:\n\n", path)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tNAME\tRESULT\tDETAIL")
	for _, i := range report.Items {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", i.Kind, i.Name, i.Result, i.Detail)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		fmt.Fprintf(out, "\nProblems in the directory:\n")
		w = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		for _, problem := range report.Problems {
			fmt.Fprintf(w, "%s\t%s\t%s\n", problem.Severity, problem.Path, problem.What)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(out)
	for _, kind := range []string{importer.KindUser, importer.KindToken, importer.KindDevice, importer.KindWallet, importer.KindProposal} {
		fmt.Fprintf(out, "%ss: %d imported, %d already here, %d skipped, %d left, %d not imported\n", kind,
			report.Count(kind, importer.Imported), report.Count(kind, importer.AlreadyImported), report.Count(kind, importer.Skipped), report.Count(kind, importer.Left), report.Count(kind, importer.NotImported))
	}
	_, err := fmt.Fprintf(out, "status: %s\n", status)
	return err
}

// importReport is the output of --json, on which scripts rely.
type importReport struct {
	Folder   string          `json:"folder"`
	DryRun   bool            `json:"dry_run"`
	Status   importer.Status `json:"status"`
	Items    []importItem    `json:"items"`
	Problems []importProblem `json:"problems"`
	Next     []string        `json:"next"`
}

type importItem struct {
	Kind   string          `json:"kind"`
	Name   string          `json:"name"`
	Result importer.Result `json:"result"`
	Detail string          `json:"detail"`
}

type importProblem struct {
	Severity datadir.Severity `json:"severity"`
	Path     string           `json:"path"`
	What     string           `json:"what"`
}

func writeImportJSON(out io.Writer, path string, report importer.Report, status importer.Status, next []string) error {
	document := importReport{Folder: path, DryRun: report.DryRun, Status: status, Items: []importItem{}, Problems: []importProblem{}, Next: next}
	for _, i := range report.Items {
		document.Items = append(document.Items, importItem{i.Kind, i.Name, i.Result, i.Detail})
	}
	for _, problem := range report.Problems {
		document.Problems = append(document.Problems, importProblem{problem.Severity, problem.Path, problem.What})
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}
