// Command specterd gives the wallets of a Bitcoin Core node to many users and
// their scripts over HTTP. This package owns the command line and the wiring of
// the other packages, and nothing else.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "specterd:", err)
		os.Exit(exitStatus(err))
	}
}

// program is what the commands work with.
type program struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run is the whole program; main calls it, and so do the tests.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	p := &program{getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr}
	root := &cobra.Command{
		Use:   "specterd",
		Short: "Give the wallets of a Bitcoin Core node to many users and their scripts over HTTP",
		Long: `specterd gives the wallets of a Bitcoin Core node to many users and their scripts
over HTTP, with access tokens that can be scoped, listed and revoked at once.

Start it with "specterd serve", or watch it work with "specterd demo".

Settings are flags, which the help of each command shows with the variable that
says the same in the environment. These are in the environment only:

` + config.Environment() + `
A setting marked (_FILE) can be kept in a file instead: X_FILE names it.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		p.serveCommand(), p.healthCommand(), p.doctorCommand(), p.userCommand(), p.tokenCommand(), p.keyCommand(), p.auditCommand(), p.walletCommand(), p.importCommand(), p.exportCommand(),
		p.backupCommand(), p.restoreCommand(),
		p.demoCommand(), p.openapiCommand(), p.manCommand(), p.versionCommand(),
	)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}
