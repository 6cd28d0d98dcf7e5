package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/testenv/childprocess"
	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/text"
)

const (
	// demoBlocks is the height at which the first block reward becomes spendable.
	demoBlocks = 101
	// demoPatience is how long the demo waits for its node to start.
	demoPatience = time.Minute
	demoUser     = "alice"
	// demoFirst is the command that the demo suggests.
	demoFirst = "specterd wallet balance community_vault"
	// walkThroughFile is the file with the commands of the walk-through, in the demo's directory.
	walkThroughFile = "walk-through.txt"
	// demoPayment is the amount of the payment to the vault, in BTC.
	demoPayment = "0.25"
)

func (p *program) demoCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use: "demo", Short: "Run a demo with a private regtest node",
		Long: `Start a bitcoind on a private regtest chain and a specterd that uses it, both on
loopback and in a temporary directory, and print how to use them. Ctrl-C stops both and
removes the directory. It contains the data directory of specterd (data), its log
(specterd.log), key files for new wallets (keys), and a walk-through of the API that can be
pasted into another terminal (walk-through.txt). With --once, run the walk-through itself,
and fail if a response differs from the expected one.

The demo requires a bitcoind: $BITCOIND, one on PATH, or the download of "make
bitcoind". It reads only the settings --port (default: a free port) and --log-level. It
ignores the environment and does not touch the data or node of another specterd.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.demo(cmd.Context(), cmd.Flags(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "run the walk-through and exit")
	// Any other setting could make the demo touch existing data or another node.
	config.AddFlags(cmd.Flags(), "port", "log-level")
	port := cmd.Flags().Lookup("port")
	port.Usage, port.DefValue = "port to listen on; default a free port", ""
	cmd.Flags().Lookup("log-level").Usage = "log level: debug, info, warn or error" // the environment is ignored
	return cmd
}

// demo starts the node and the server, and serves until the walk-through is done or ctx
// ends. Before it returns, it removes everything that it created.
func (p *program) demo(ctx context.Context, settings *pflag.FlagSet, once bool) (err error) {
	fmt.Fprint(p.stdout, "Starting a bitcoind on a private regtest chain and a specterd that uses it ...\n\n")
	s := &scene{adminPassword: demoPassword(), userPassword: demoPassword()}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.set(ctx, settings, p.stderr); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.app.Serve(ctx, func(url string) { ready <- url }) }()
	select {
	case url := <-ready:
		err = p.showDemo(ctx, s, url, once)
	case err := <-ended:
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%w with --port N (make demo DEMO_FLAGS=\"--port N\"), or omit --port, for a free one", withRemedy(err))
		}
		return err
	}
	stop()
	return errors.Join(err, <-ended)
}

// showDemo runs the walk-through, or writes it to a file, prints how to use the demo and waits.
func (p *program) showDemo(ctx context.Context, s *scene, url string, once bool) error {
	fmt.Fprintf(p.stdout, "  web console  %s/\n  users        admin, with the password %s\n               %s, with the password %s\n  API          %s/api/\n  directory    %s, removed at the end\n\n",
		url, s.adminPassword, demoUser, s.userPassword, url, s.dir)
	if once {
		return newWalk(p.stdout, url, s).run(ctx)
	}
	if err := writeWalkThrough(ctx, s, url); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "In another terminal, run this line, after which the commands of specterd and the code blocks of\ndocuments use the demo; and then, for example, this command:\n\n   export %s%s\n\n   %s\n\n",
		pathOfProgram(), strings.Join(s.environment(url), " "), demoFirst)
	fmt.Fprintf(p.stdout, `Read on:

   docs/console.md   a first walk through the web console, with the key files in the directory (keys)
   docs/tutorial.md  tokens, wallets and proposals with curl and Python
   %s  in the directory: %s with curl, to paste one after the other

Press Ctrl-C to stop the demo and remove its data.
`, walkThroughFile, text.Count(len(walkThrough), "API call"))
	<-ctx.Done()
	fmt.Fprintf(p.stdout, "\nStopping, and removing %s.\n", s.dir)
	return nil
}

// writeWalkThrough writes the commands of the walk-through to a file.
func writeWalkThrough(ctx context.Context, s *scene, url string) error {
	var commands bytes.Buffer
	if err := newWalk(&commands, url, s).print(ctx); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, walkThroughFile), commands.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the walk-through: %w", err)
	}
	return nil
}

// pathOfProgram returns an assignment that makes the shell find this program, or an empty text
// if the program has another name.
func pathOfProgram() string {
	program, err := os.Executable()
	if err != nil || filepath.Base(program) != "specterd" {
		return ""
	}
	return `PATH="` + filepath.Dir(program) + `:$PATH" `
}

// environment returns the variables with which documents and commands use the demo.
func (s *scene) environment(url string) []string {
	return []string{
		"URL=" + url, "ADMIN_PASSWORD=" + s.adminPassword, "ALICE_PASSWORD=" + s.userPassword, "NODE_URL=" + s.node.URL(), "KEYS=" + s.keyFolder(),
		"SPECTER_NODE_URL=" + s.node.URL(), "SPECTER_DATA_FOLDER=" + s.dataFolder(),
	}
}

// demoPassword returns 12 random letters and digits, which have 60 bits of entropy.
func demoPassword() string { return rand.Text()[:12] }

// scene is the environment of a demo: the node, its wallets and the server.
type scene struct {
	adminPassword, userPassword string

	dir    string
	remove func() error
	node   *regtest.Node
	keys   []string // of the vault's owners
	height int      // of the chain, before the first payment
	shop   string   // the address that the proposal pays
	// nodeURL is the node's RPC URL, and nodeUser is its RPC user and password, separated by a colon.
	nodeURL, nodeUser string
	log               *os.File
	app               *app.App
}

func (s *scene) dataFolder() string { return filepath.Join(s.dir, "data") }

// keyFolder is the folder with a key file of each owner.
func (s *scene) keyFolder() string { return filepath.Join(s.dir, "keys") }

func (s *scene) logFile() string { return filepath.Join(s.dir, "specterd.log") }

func (s *scene) set(ctx context.Context, settings *pflag.FlagSet, stderr io.Writer) error {
	binary, err := regtest.FindBinary(ctx)
	if err != nil {
		return fmt.Errorf("the demo requires a bitcoind; run \"make bitcoind\", or set BITCOIND to its path: %w", err)
	}
	if s.dir, s.remove, err = childprocess.TempDir("specterd-demo-*"); err != nil {
		return fmt.Errorf("create the demo's directory: %w", err)
	}
	if err := s.startNode(ctx, binary); err != nil {
		return err
	}
	return s.openApp(ctx, settings, stderr)
}

// startNode starts a node, creates the participants' wallets and mines blocks. Without
// a recent block, a node remains in initial block download. A key pool of 200 addresses suffices
// for a demo, and makes its start several times as fast as one of 1,000.
func (s *scene) startNode(ctx context.Context, binary string) error {
	dir := filepath.Join(s.dir, "bitcoind")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("create the node's directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	var err error
	if s.node, err = regtest.Start(ctx, regtest.Options{Binary: binary, Dir: dir, ExtraArgs: []string{"-keypool=200"}}); err != nil {
		return err
	}
	return s.meet(ctx)
}

// meet creates the participants' wallets on the node, writes the key files, and sets the fields of s that
// depend on the node: keys, height, nodeURL, nodeUser and shop.
func (s *scene) meet(ctx context.Context) error {
	keys, height, err := prepare(ctx, s.node)
	if err != nil {
		return err
	}
	s.keys, s.height = keys[0], height
	if err := writeKeyFiles(s.keyFolder(), keys[1]); err != nil {
		return err
	}
	at, err := url.Parse(s.node.URL())
	if err != nil {
		return fmt.Errorf("read the node's URL: %w", err)
	}
	password, _ := at.User.Password()
	s.nodeURL, s.nodeUser = "http://"+at.Host, at.User.Username()+":"+password
	s.shop, err = callForText(ctx, s.node, payer, "getnewaddress")
	return err
}

// openApp creates the server's database with the demo's two users. The server logs to
// a file; warnings also go to stderr.
func (s *scene) openApp(ctx context.Context, settings *pflag.FlagSet, stderr io.Writer) error {
	environment := map[string]string{
		"HOME": s.dir, "PORT": "0",
		"SPECTER_API_ACTIVE":         "true",
		"SPECTER_DATA_FOLDER":        s.dataFolder(),
		"SPECTER_NODE_URL":           s.node.URL(),
		"SPECTER_NODE_WALLET_FOLDER": s.node.WalletFolder(),
		"SPECTER_ADMIN_PASSWORD":     s.adminPassword,
		"SPECTER_BCRYPT_COST":        "10",             // the passwords are valid only during the demo
		"SPECTER_WEBHOOK_HOSTS":      "127.0.0.1:8000", // the receiver in docs/webhooks.md
	}
	cfg, err := config.Load(settings, func(name string) string { return environment[name] })
	if err != nil {
		return err
	}
	if s.log, err = os.Create(s.logFile()); err != nil {
		return fmt.Errorf("create the log file: %w", err)
	}
	log := slog.New(slog.NewMultiHandler(
		slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: cfg.LogLevel}),
		slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}),
	))
	a := app.New(cfg, version, log, time.Now)
	if err := a.Open(ctx, app.Serving); err != nil {
		return err
	}
	s.app = a
	_, err = s.app.Users.Create(ctx, operator(), demoUser, s.userPassword, false)
	return err
}

// close stops and removes everything in reverse order of creation.
func (s *scene) close() error {
	var err error
	if s.app != nil {
		err = s.app.Close()
	}
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}
	if s.node != nil {
		s.node.Kill() // its data is removed, so a clean shutdown is unnecessary
	}
	if s.remove != nil {
		err = errors.Join(err, s.remove())
	}
	return err
}
