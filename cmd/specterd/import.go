package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/specter/datadir"
	"github.com/specterd/specterd/internal/specter/importer"
	"github.com/specterd/specterd/internal/wallet"
)

// exitPartial is the status of an import that left something out; 1 is that of
// every failure.
const exitPartial = 3

// errPartial ends an import that has left something out.
var errPartial = exitError{exitPartial, errors.New("the import is PARTIAL: not everything was carried over; see \"not imported\" and \"error\" above")}

// exitError is an error with the status that the program ends with.
type exitError struct {
	status int
	error
}

// exitStatus returns the status that the program ends with.
func exitStatus(err error) int {
	if e, ok := errors.AsType[exitError](err); ok {
		return e.status
	}
	return 1
}

func (p *program) importCommand() *cobra.Command {
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:   "import FOLDER",
		Short: "Bring users, tokens and wallets along from a data folder of Specter Desktop; works beside a running server",
		Long: `Bring users, with their passwords, their tokens and their wallets, with devices,
labels, frozen coins and pending PSBTs, along from the data folder of Specter Desktop,
which is ~/.specter unless SPECTER_DATA_FOLDER said otherwise there. The folder is only
read, never written to; Specter Desktop may run or not.

Where the node has Specter Desktop's own wallets, they are adopted with their history;
Specter Desktop may go on using them. Else each wallet is made anew in Bitcoin Core,
from its descriptors and watch-only, and the chain is looked through for its history,
which "specterd serve" sees to. Without the node, users and tokens are imported, and
the wallets the next time.

If in doubt, begin with --dry-run: it shows what would happen and changes nothing
(as every command, it makes the data folder and the database if there is none yet).

It is safe to run this again: what is here already stays as it is, what is new in
the folder is added, and what you deleted here stays deleted. Users who exist here
and were not imported are never touched, except that an admin named "admin" takes
the place of the first admin here while that still has the default password.

Results:  imported       it is here now
          already here   from an import before
          left           on purpose, and nothing is lost: expired tokens, for example
          not imported   SOMETHING IS MISSING; the line says why
Each "error" under "Problems" is a file, or a part of one, that could not be read.
The rest was imported all the same. Where a backup (.bkp) of it is there, that was used.

Exit status: 0 complete; 3 partial, something is not imported or could not be read;
             1 failed, nothing is imported or the database could not be written.

To undo it: specterd user rm NAME, or specterd token revoke ID.`,
		Example: `  specterd import ~/.specter --dry-run      # look first
  specterd import ~/.specter                # then do it
  specterd import /backup/specter --json | jq '.items[] | select(.result == "not imported")'`,
		Args: cobra.ExactArgs(1),
		RunE: p.withApp(func(cmd *cobra.Command, a *app, args []string) error {
			return p.runImport(cmd, a, args[0], dryRun, asJSON)
		}),
	}
	addDataFlags(cmd.Flags())
	config.AddFlags(cmd.Flags(), "node-url", "node-wallet-folder", "proposal-days")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would happen and change nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as one JSON document")
	return cmd
}

func (p *program) runImport(cmd *cobra.Command, a *app, path string, dryRun, asJSON bool) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("find the folder: %w", err)
	}
	folder, err := datadir.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	n, err := a.openNode()
	if err != nil {
		return err
	}
	defer n.close()
	if err := n.firstLook(cmd.Context()); err != nil {
		return err
	}
	chain := importer.Chain{}
	if problem := n.monitor.Ready(); problem != nil {
		chain.Problem = problem.Message
	} else {
		chain.Network, chain.Height, _ = n.provider.Chain()
	}
	leave := func(string) {} // the server's follower finds by itself what is to be done
	wallets := wallet.New(a.log, a.store, a.store, n.provider, a.now, leave)
	proposals := proposal.New(a.log, a.store, wallets, n.provider, a.now, proposal.Options{Lifetime: a.cfg.ProposalLifetime, MaxFeeRate: a.cfg.MaxFeeRate, Kick: leave})
	mover := importer.New(auth.NewImports(a.store, a.passwords, a.now), wallets, proposals, a.store, chain, operator(), a.now)
	report, runErr := mover.Run(cmd.Context(), folder, importer.Options{Path: path, DryRun: dryRun, Progress: p.progress()})
	status := report.Status()
	if runErr != nil {
		status = importer.Failed
	}
	if asJSON {
		err = writeImportJSON(p.stdout, path, report, status)
	} else {
		err = writeImportTable(p.stdout, path, report, status)
	}
	if n, countErr := a.store.CountDefaultPasswords(cmd.Context()); countErr == nil && n > 0 {
		fmt.Fprintln(p.stderr, "Somebody here has the default password (specterd user list shows who), so specterd listens on this machine only. Change it with: specterd user passwd NAME")
	}
	switch {
	case runErr != nil:
		return fmt.Errorf("%w; what is listed as imported is here, and running this again goes on with the rest", runErr)
	case err != nil:
		return fmt.Errorf("print the report: %w", err)
	case status == importer.Partial:
		return errPartial
	case status == importer.Failed:
		return errors.New("the import FAILED: nothing was carried over")
	}
	return nil
}

// progressAfter is how long an import may go on without a word.
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
		fmt.Fprintf(out, "DRY RUN: nothing is changed. This is what would happen with %s:\n\n", path)
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
		fmt.Fprintf(out, "\nProblems in the folder:\n")
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
		fmt.Fprintf(out, "%ss: %d imported, %d already here, %d left, %d not imported\n", kind,
			report.Count(kind, importer.Imported), report.Count(kind, importer.AlreadyHere), report.Count(kind, importer.Left), report.Count(kind, importer.NotImported))
	}
	_, err := fmt.Fprintf(out, "status: %s\n", status)
	return err
}

// importReport is what --json prints. Scripts rely on it.
type importReport struct {
	Folder   string          `json:"folder"`
	DryRun   bool            `json:"dry_run"`
	Status   importer.Status `json:"status"`
	Items    []importItem    `json:"items"`
	Problems []importProblem `json:"problems"`
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

func writeImportJSON(out io.Writer, path string, report importer.Report, status importer.Status) error {
	document := importReport{Folder: path, DryRun: report.DryRun, Status: status, Items: []importItem{}, Problems: []importProblem{}}
	for _, i := range report.Items {
		document.Items = append(document.Items, importItem(i))
	}
	for _, problem := range report.Problems {
		document.Problems = append(document.Problems, importProblem{problem.Severity, problem.Path, problem.What})
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}
