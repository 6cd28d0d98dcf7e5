// Package cli is the command line of specterd. It is separate from package main so that
// the test binary of another package can act as the program.
package cli

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

// Main runs the program with the arguments and the environment of this process until it
// ends or is stopped by a signal, and returns the exit status.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := newProgram(os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	p.environment = os.Environ()
	if err := p.run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(text.NewWriter(os.Stderr), "specterd:", err)
		return exitStatus(err)
	}
	return 0
}

// program is the environment of the commands.
type program struct {
	getenv func(string) string
	// environment is the whole environment, to warn of unknown variables.
	environment []string
	stdin       io.Reader
	stdinTaken  bool // whether a token was read from stdin
	// Output to stdout and stderr is escaped (text.NewWriter): values from the database,
	// from files and from the node may contain terminal control sequences.
	stdout, stderr io.Writer
	// raw and rawError are standard output and standard error without escaping.
	raw, rawError io.Writer
}

// exported returns the writer for documents in the format of another program. They are
// written unchanged, or escaped if standard output is a terminal.
func (p *program) exported() io.Writer {
	if p.isTerminal() {
		return p.stdout
	}
	return p.raw
}

func (p *program) isTerminal() bool { return isTerminal(p.raw) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// run executes the program in tests.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	return newProgram(getenv, stdin, stdout, stderr).run(ctx, args)
}

func newProgram(getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) *program {
	return &program{getenv: getenv, stdin: stdin, stdout: text.NewWriter(stdout), stderr: text.NewWriter(stderr), raw: stdout, rawError: stderr}
}

func (p *program) run(ctx context.Context, args []string) error {
	root := p.rootCommand()
	args, err := orderArguments(root, args)
	if err != nil {
		return err
	}
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.raw)
	root.SetErr(p.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return withRemedy(asInputs(cmd, err))
}

// rootCommand returns the tree of all commands.
func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "specterd",
		Short: "Multi-user API and web console for the watch-only wallets of a Bitcoin node",
		Long: `specterd is a multi-user REST API and web console for the watch-only wallets
of a Bitcoin Core or Knots node. Access tokens can be scoped, listed and revoked at
once.

Start the server with "specterd serve", or try it with "specterd demo". The commands
audit, backup, doctor, export, import, key, label, proposal, session, token, user,
wallet and webhook are safe to run while the server is running. With --server and
--token-file, export, label, policy, proposal, token, wallet, webhook and whoami use the API
of a server instead of the database.

The help of each command lists its settings as flags, with the equivalent environment
variables. Variables can also be set in a file: specterd.env in the data directory, or
the file that --config or SPECTER_CONFIG names. These settings exist only as variables:

` + config.Environment() + `
For a setting marked (_FILE), X_FILE can name a file that contains the value.`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		p.serveCommand(), p.healthCommand(), p.doctorCommand(), p.userCommand(), p.tokenCommand(), p.sessionCommand(), p.keyCommand(), p.auditCommand(), p.walletCommand(), p.labelCommand(), p.proposalCommand(), p.policyCommand(), p.whoamiCommand(), p.webhookCommand(), p.importCommand(), p.exportCommand(),
		p.backupCommand(), p.restoreCommand(),
		p.demoCommand(), p.nodeConfigCommand(), p.openapiCommand(), p.manCommand(), p.versionCommand(),
	)
	config.AddClientFlags(root.Flags()) // for the help
	checkUsage(root)
	p.addCompletions(root)
	return root
}
