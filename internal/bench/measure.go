package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/specterd/specterd/internal/testenv/childprocess"
)

// What is measured, by the names that -only goes by.
const (
	nameSteps      = "steps" // of a liveness request
	nameLiveness   = "liveness"
	nameLimit      = "limit" // the guarded server in the place of specterd
	nameBearer     = "bearer"
	nameManyTokens = "many-tokens"
	nameCreate     = "create"
	nameWallet     = "wallet"
	namePage       = "page"        // the first of a history
	nameDeepPage   = "deep-page"   // one from its midst
	nameAlpha      = "v1alpha"     // a wallet with all of its history
	nameFullTxList = "full-txlist" // of v1alpha
	nameCSV        = "csv"
	nameSync       = "sync"
	nameBlock      = "block"   // for many wallets
	nameZMQ        = "zmq"     // a transaction that the node tells of
	namePolling    = "polling" // one that it does not
	nameLines      = "json-lines"
	nameLedger     = "ledger"
	nameProposal   = "proposal"  // made
	nameProposals  = "proposals" // listed
	nameImport     = "import"    // from Specter Desktop
	nameLogin      = "login"     // refused
	nameMillion    = "million"   // tokens
	nameStart      = "start"     // with these
	nameIdle       = "idle"      // what memory that takes
	nameSeveral    = "several"   // processes on PostgreSQL
	nameBeside     = "beside"    // the heaviest requests
)

// bench is one run of this program.
type bench struct {
	options
	binary string // specterd
	dir    string // for all that is needed
	stdout io.Writer
	// histories are those that were made so far, by their sizes.
	histories map[int]seeded
}

// section is what is measured after the same preparations.
type section struct {
	names   []string
	measure func(context.Context, *bench) error
}

var sections = []section{
	{[]string{nameSteps}, measureSteps},
	{[]string{nameLiveness, nameLimit, nameBearer, nameManyTokens}, measureRequests},
	{[]string{nameCreate}, measureCreate},
	{[]string{nameBeside}, measureBeside},
	{[]string{nameWallet, namePage, nameDeepPage, nameAlpha}, measurePages},
	{[]string{nameFullTxList, nameCSV, nameLines, nameLedger}, measureExports},
	{[]string{nameSync}, measureSync},
	{[]string{nameBlock}, measureBlock},
	{[]string{nameZMQ, namePolling}, measureArrivals},
	{[]string{nameProposal, nameProposals}, measureProposals},
	{[]string{nameImport}, measureImport},
	{[]string{nameLogin}, measureLogin},
	{[]string{nameMillion, nameStart, nameIdle}, measureLarge},
	{[]string{nameSeveral}, measureSeveral},
}

// allNames returns the names of all that can be measured.
func allNames() string {
	var all []string
	for _, s := range sections {
		all = append(all, s.names...)
	}
	return strings.Join(all, ", ")
}

// wants reports whether any of these is to be measured.
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
	if err := printMachine(o, stdout); err != nil {
		return err
	}
	b := &bench{options: o, dir: dir, stdout: stdout, histories: map[int]seeded{}}
	if b.binary, err = buildSpecterd(ctx, dir); err != nil {
		return err
	}
	for _, s := range sections {
		if !o.wants(s.names...) {
			continue
		}
		if err := s.measure(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(s.names, ", "), err)
		}
	}
	return nil
}
