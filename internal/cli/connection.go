package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/httpapi"
)

// errMachineOnly is returned by commands that use the database or files of the server.
var errMachineOnly = errUsage("this command works on the machine of the server only, without --server and SPECTER_SERVER; %s", whereServer)

// errTokenWithoutServer is returned because a command without a server would have the rights of the
// operator, and not of the token.
var errTokenWithoutServer = errUsage("--token-file and SPECTER_TOKEN_FILE require a server (--server, SPECTER_SERVER)")

// whereServer lists the commands that can use a server.
const whereServer = "with --server, there are export, label, policy, proposal, token, wallet, webhook and whoami"

// connection is the access of a command to the API on behalf of a user: the API of a server, or the
// same handlers in this process, on the database of this machine.
type connection struct {
	*client.Client

	server *config.Server  // nil without one
	local  *walletCommands // nil with a server
	direct *httpapi.Direct // nil with a server
}

// userName returns the name of the user on whose behalf the command acts.
func (c *connection) userName(ctx context.Context) (string, error) {
	if c.local != nil {
		return c.local.who.UserName, nil
	}
	self, err := c.GetSelf(ctx)
	if err != nil {
		return "", err
	}
	return self.Name, nil
}

// otherUser is a remedy in errors about objects that another user may have.
func (c *connection) otherUser() string {
	if c.local == nil {
		return "another token may have access to it"
	}
	return "--user selects another user"
}

// forUser returns the flag that selects the same user in another command, with a space before it,
// unless the token selects the user.
func (c *connection) forUser() string {
	if c.local == nil {
		return ""
	}
	return " --user " + c.local.who.UserName
}

// withAPI returns a function that calls do with the API of the server that the settings name.
// Without one, it opens the database and the node clients, and calls do with the API in this
// process. If atNode is set, it then first checks the node, as onBehalf does.
func (p *program) withAPI(user *string, atNode bool, do func(cmd *cobra.Command, c *connection, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := p.clientConfig(cmd)
		if err != nil {
			return err
		}
		if cfg.Server.URL != "" {
			c, err := p.connect(cmd, cfg.Server)
			if err != nil {
				return err
			}
			return c.explain(do(cmd, c, args))
		}
		return p.runOn(cmd, p.appOf(cfg, false), app.Existing, args, p.onBehalf(user, atNode, func(cmd *cobra.Command, d *walletCommands, args []string) error {
			c, err := d.connect()
			if err != nil {
				return err
			}
			return c.explain(do(cmd, c, args))
		}))
	}
}

// clientConfig loads the configuration of a command that can use a server.
func (p *program) clientConfig(cmd *cobra.Command) (config.Config, error) {
	cfg, err := config.Load(cmd.Flags(), p.getenv)
	if err == nil && cfg.Server.URL == "" && cfg.Server.TokenFile != "" {
		err = errTokenWithoutServer
	}
	return cfg, err
}

// localTimeout limits a request in this process, which may wait for the node.
const localTimeout = time.Hour

// connect returns a connection to the API in this process.
func (d *walletCommands) connect() (*connection, error) {
	direct, err := d.Direct(d.node, d.service, d.proposals, d.who)
	if err != nil {
		return nil, err
	}
	c := &connection{local: d, direct: direct}
	c.Client, err = client.New("http://localhost", "", client.WithHTTPClient(&http.Client{Transport: direct}), client.WithTimeout(localTimeout), client.WithRetries(0, 0))
	return c, err
}

// withoutServer are the flags that a command must not have if it uses a server.
var withoutServer = []string{"user", "database-url", "data-folder", "node-url", "node-wallet-folder"}

// connect returns a connection to a server, with the token of its file.
func (p *program) connect(cmd *cobra.Command, server config.Server) (*connection, error) {
	for _, name := range withoutServer {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			return nil, errUsage("--%s must not be used with a server (--server, SPECTER_SERVER), for which the token determines the user", name)
		}
	}
	if server.TokenFile == "" {
		return nil, errUsage("--token-file or SPECTER_TOKEN_FILE is required with a server; \"specterd token create\" on its machine, or its web console, creates a token")
	}
	token, err := p.readToken(server.TokenFile)
	if err != nil {
		return nil, err
	}
	c := &connection{server: &server}
	c.Client, err = client.New(server.URL, token, client.WithUserAgent("specterd/"+version), client.WithRetries(2, 10*time.Second))
	if e, ok := errors.AsType[*client.Error](err); ok {
		err = errors.New(e.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tokenSource(server.TokenFile), err)
	}
	return c, nil
}

// maxTokenFile is the maximum size of a file with a token in bytes.
const maxTokenFile = 64 << 10

// readToken reads an access token from a file that other users of the machine cannot read, or from
// standard input for -.
func (p *program) readToken(path string) (string, error) {
	in := p.stdin
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // the caller names the file
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		info, err := f.Stat()
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			return "", fmt.Errorf("the token in %s is not used, because other users of this machine can access the file (%v); run: chmod go= %[1]s", path, mode)
		}
		in = f
	}
	p.stdinTaken = path == "-"
	data, err := io.ReadAll(io.LimitReader(in, maxTokenFile+1))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	switch {
	case token == "":
		return "", fmt.Errorf("%s contains no token", tokenSource(path))
	case len(data) > maxTokenFile || strings.ContainsAny(token, " \t\r\n"):
		return "", fmt.Errorf("%s must contain an access token and nothing else", tokenSource(path))
	}
	return token, nil
}

// collect returns all entries of a list of the API.
func collect[T any](entries iter.Seq2[T, error]) ([]T, error) {
	all := []T{}
	for entry, err := range entries {
		if err != nil {
			return nil, err
		}
		all = append(all, entry)
	}
	return all, nil
}

// pageSize is the number of entries of a page of the API.
const pageSize = 1000

// collectAsOf returns the entries of all pages of a list, and the block to which the first page is
// current. It ends after at least limit entries, or at the end of the list if limit is 0.
func collectAsOf[T any](limit int, read func(cursor string) (*api.ListAsOf[T], error)) (all []T, asOf *api.AsOf, err error) {
	for cursor := ""; ; {
		page, err := read(cursor)
		if err != nil {
			return nil, nil, err
		}
		if cursor == "" {
			asOf = page.AsOf
		}
		all = append(all, page.Items...)
		if page.NextCursor == nil || limit > 0 && len(all) >= limit {
			return all, asOf, nil
		}
		cursor = *page.NextCursor
	}
}

// aliases returns the aliases of the user's wallets.
func (c *connection) aliases(ctx context.Context) ([]string, error) {
	wallets, err := collect(c.ListWallets(ctx, &client.ListWalletsParams{Limit: pageSize}))
	aliases := make([]string, len(wallets))
	for i, w := range wallets {
		aliases[i] = w.Alias
	}
	return aliases, err
}

// unknownWallet returns an error with a suggestion instead of an error about an unknown alias.
func (c *connection) unknownWallet(ctx context.Context, alias string, err error) error {
	isNone := alias == "" || alias == "." || alias == ".." // these are not sent
	if !errors.Is(err, client.ErrWalletNotFound) && (!isNone || !errors.Is(err, client.ErrInvalidRequest)) {
		return err
	}
	aliases, listErr := c.aliases(ctx)
	name, nameErr := c.userName(ctx)
	if listErr != nil || nameErr != nil {
		return err
	}
	return fmt.Errorf("user %s has no wallet with the alias %q%s; \"specterd wallet list%s\" shows the aliases, and %s", name, alias, didYouMean(alias, aliases), c.forUser(), c.otherUser())
}

// value returns the value of a pointer, or the zero value for nil.
func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

// itself converts an object of the API for printRows.
func itself[T any](object T) any { return object }

// tokenSource names the source of a token in errors.
func tokenSource(path string) string {
	if path == "-" {
		return "standard input"
	}
	return "the file " + path
}
