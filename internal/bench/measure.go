package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/specterd/specterd/internal/testenv/childprocess"
	"github.com/specterd/specterd/internal/testenv/pgserver"
)

// Names of the measurements, as used by -only.
const (
	nameSteps          = "steps" // parts of a liveness request
	nameLiveness       = "liveness"
	nameLimit          = "limit" // guarded bare server instead of specterd
	nameBearer         = "bearer"
	nameBearerFew      = "bearer-8"        // on few connections
	nameImportedTokens = "imported-tokens" // beside those of specterd
	nameManyTokens     = "many-tokens"
	nameCreate         = "create"
	nameWallet         = "wallet"
	namePage           = "page"         // the first page of a history
	nameConsole        = "console"      // pages of the web console
	nameDeepPage       = "deep-page"    // a page from the middle of a history
	nameAlpha          = "v1alpha"      // a wallet with its whole history
	nameAlphaPSBT      = "v1alpha-psbt" // the open proposals of a wallet
	nameFullTxList     = "full-txlist"  // full_txlist of v1alpha
	nameCSV            = "csv"
	nameSync           = "sync"
	nameBlock          = "block"   // indexing a block for many wallets
	nameZMQ            = "zmq"     // a transaction announced by the node
	namePolling        = "polling" // a transaction that is not announced
	nameLines          = "json-lines"
	nameLedger         = "ledger"
	nameProposal       = "proposal"  // creating a proposal
	nameProposals      = "proposals" // listing proposals
	nameImport         = "import"    // import from Specter Desktop
	nameLogin          = "login"     // failed logins
	nameMillion        = "million"   // requests with a million tokens in the database
	nameStart          = "start"     // start with a million tokens
	nameIdle           = "idle"      // memory use with a million tokens
	nameSeveral        = "several"   // several processes on PostgreSQL
	nameBeside         = "beside"    // requests during heavy requests
	nameStreams        = "streams"   // event streams
)

// bench holds the options and the temporary data of one run of this program.
type bench struct {
	options
	binary string // specterd
	dir    string // for all temporary files
	stdout *results
	// postgres is the server for the databases; nil for SQLite.
	postgres *pgserver.Server
	// histories are the histories created so far, by size.
	histories map[int]seeded
}

// section is a group of measurements that share their preparation.
type section struct {
	names      []string
	measure    func(context.Context, *bench) error
	onPostgres bool // whether it can be measured on PostgreSQL as well
}

var sections = []section{
	{[]string{nameSteps}, measureSteps, false},
	{[]string{nameLiveness, nameLimit, nameBearer, nameBearerFew, nameImportedTokens, nameManyTokens}, measureRequests, false},
	{[]string{nameCreate}, measureCreate, false},
	{[]string{nameBeside}, measureBeside, false},
	{[]string{nameWallet, namePage, nameDeepPage}, measurePages, true},
	{[]string{nameAlpha, nameAlphaPSBT}, measureAlpha, true},
	{[]string{nameConsole}, measureConsole, true},
	{[]string{nameFullTxList, nameCSV, nameLines, nameLedger}, measureExports, false},
	{[]string{nameSync}, measureSync, false},
	{[]string{nameBlock}, measureBlock, false},
	{[]string{nameZMQ, namePolling}, measureArrivals, false},
	{[]string{nameStreams}, measureStreams, false},
	{[]string{nameProposal, nameProposals}, measureProposals, false},
	{[]string{nameImport}, measureImport, false},
	{[]string{nameLogin}, measureLogin, false},
	{[]string{nameMillion, nameStart, nameIdle}, measureLarge, false},
	{[]string{nameSeveral}, measureSeveral, false},
}

// allNames returns the names of all measurements, or of those for PostgreSQL.
func allNames(postgres bool) string {
	var all []string
	for _, s := range sections {
		if s.onPostgres || !postgres {
			all = append(all, s.names...)
		}
	}
	return strings.Join(all, ", ")
}

// wants reports whether any of these measurements was requested.
func (o options) wants(names ...string) bool {
	for _, name := range names {
		if o.only.MatchString(name) {
			return true
		}
	}
	return false
}

func measure(ctx context.Context, o options, stdout io.Writer) (err error) {
	dir, remove, err := childprocess.TempDir("specterd-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	quiet := isQuiet()
	if err := printMachine(o, stdout); err != nil {
		return err
	}
	b := &bench{options: o, dir: dir, stdout: &results{Writer: stdout}, histories: map[int]seeded{}}
	if b.binary, err = buildSpecterd(ctx, dir); err != nil {
		return err
	}
	if o.postgres {
		if b.postgres, err = pgserver.Start(ctx); err != nil {
			return err
		}
	}
	for _, s := range sections {
		if !o.wants(s.names...) || o.postgres && !s.onPostgres {
			continue
		}
		if err := s.measure(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(s.names, ", "), err)
		}
	}
	switch missed := b.stdout.missed; {
	case missed == 0, o.postgres: // the goals are for SQLite
		return nil
	case quiet:
		return fmt.Errorf("%d results are worse than their goals", missed)
	default:
		_, err = fmt.Fprintf(stdout, "%d results are worse than their goals; the machine was busy before, so repeat the run before you trust them\n", missed)
		return err
	}
}
