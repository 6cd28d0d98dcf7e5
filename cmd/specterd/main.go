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
	"golang.org/x/term"

	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/text"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(text.NewWriter(os.Stderr), "specterd:", err)
		os.Exit(exitStatus(err))
	}
}

// program is what the commands work with.
type program struct {
	getenv func(string) string
	stdin  io.Reader
	// What is written to stdout and stderr is escaped (text.NewWriter): values from
	// the database, from files and from the node may have what a terminal interprets.
	stdout, stderr io.Writer
	// raw is standard output as it is.
	raw io.Writer
}

// exported is where a document in the format of another program goes. It is the
// same to the byte, unless a terminal shows it.
func (p *program) exported() io.Writer {
	if p.isTerminal() {
		return p.stdout
	}
	return p.raw
}

func (p *program) isTerminal() bool {
	f, ok := p.raw.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// run is the whole program; main calls it, and so do the tests.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	p := &program{getenv: getenv, stdin: stdin, stdout: text.NewWriter(stdout), stderr: text.NewWriter(stderr), raw: stdout}
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
