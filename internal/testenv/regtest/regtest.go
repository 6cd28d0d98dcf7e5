// Package regtest runs a bitcoind on a private regtest chain, for specterd demo and
// for tests. It finds the program, picks ports, waits until the node responds, and
// has a minimal JSON-RPC client.
//
// The client is intentionally independent of internal/node/rpcclient, whose tests
// use it. A node never outlives this process.
package regtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/specterd/specterd/internal/testenv/childprocess"
)

// errPortTaken: another process took a port between its selection and its use.
var errPortTaken = errors.New("a port is taken")

// startAttempts is the number of times that Start picks new ports.
const startAttempts = 3

// Options configure a node.
type Options struct {
	// Binary is the path of bitcoind; if it is empty, FindBinary is used.
	Binary string
	// Dir is the data directory. It must exist; the caller removes it.
	Dir string
	// ExtraArgs come last on the command line, so they take precedence.
	ExtraArgs []string
	// Log receives bitcoind's output unless it is nil, mostly errors at the start.
	// Its debug.log is in the data directory.
	Log io.Writer
}

// Node is a bitcoind on regtest. Its methods are safe for concurrent use, except
// Start, Stop and Kill.
type Node struct {
	options Options
	port    int
	zmqPort int
	user    atomic.Pointer[url.Userinfo] // from the cookie, which changes at each start
	process *childprocess.Process
}

// FindBinary returns the path of a working bitcoind: $BITCOIND, the one on PATH, or
// the one that scripts/bitcoind.sh installs in the cache directory.
func FindBinary(ctx context.Context) (string, error) {
	path, err := lookBinary()
	if err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, path, "-version").CombinedOutput(); err != nil { //nolint:gosec // the user names it
		return "", fmt.Errorf("run %s -version: %w: %s", path, err, bytes.TrimSpace(out))
	}
	return path, nil
}

func lookBinary() (string, error) {
	if path := os.Getenv("BITCOIND"); path != "" {
		if _, err := exec.LookPath(path); err != nil {
			return "", fmt.Errorf("environment variable BITCOIND: %w", err)
		}
		return path, nil
	}
	if path, err := exec.LookPath("bitcoind"); err == nil {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find bitcoind: %w", err)
	}
	path := filepath.Join(cache, "specterd", "bitcoind", "bitcoind")
	if _, err := exec.LookPath(path); err != nil {
		return "", fmt.Errorf("no bitcoind on PATH, nor %s; make bitcoind fetches one: %w", path, err)
	}
	return path, nil
}

// Start starts a node and returns when it responds. The context limits the start,
// not the lifetime of the node.
func Start(ctx context.Context, options Options) (*Node, error) {
	if options.Binary == "" {
		binary, err := FindBinary(ctx)
		if err != nil {
			return nil, err
		}
		options.Binary = binary
	}
	var err error
	for range startAttempts {
		n := &Node{options: options}
		if n.port, n.zmqPort, err = freePorts(ctx); err != nil {
			return nil, err
		}
		if err = n.Start(ctx); err == nil {
			return n, nil
		}
		if !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
	return nil, err
}

// Start restarts a stopped or killed node with the same data directory and ports,
// and returns when it responds. Its cookie changes.
func (n *Node) Start(ctx context.Context) error {
	if err := os.WriteFile(filepath.Join(n.options.Dir, policyFile), []byte(policy), 0o600); err != nil {
		return fmt.Errorf("start bitcoind: %w", err)
	}
	var output bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(ctx), n.options.Binary, n.args()...) //nolint:gosec // the caller names it
	cmd.Stdout = &output
	if n.options.Log != nil {
		cmd.Stdout = io.MultiWriter(&output, n.options.Log)
	}
	cmd.Stderr = cmd.Stdout
	var err error
	if n.process, err = childprocess.Start(cmd, "KILL"); err != nil {
		return fmt.Errorf("start bitcoind: %w", err)
	}
	if err = n.waitUntilReady(ctx); err == nil {
		return nil
	}
	n.Kill()
	if strings.Contains(output.String(), "Unable to start HTTP server") {
		err = errPortTaken
	}
	return fmt.Errorf("start bitcoind: %w: %s", err, bytes.TrimSpace(output.Bytes()))
}

// Stop asks the node to shut down and waits for it. If the context ends first, it
// kills the node.
func (n *Node) Stop(ctx context.Context) error {
	n.process.Signal("TERM")
	select {
	case <-n.process.Done():
		return nil
	case <-ctx.Done():
		n.Kill()
		return fmt.Errorf("stop bitcoind: %w", ctx.Err())
	}
}

// Kill terminates the node immediately, like a power failure.
func (n *Node) Kill() {
	n.process.Signal("KILL")
	<-n.process.Done()
}

// Freeze makes the node hang: it keeps its connections and does not respond until
// Thaw. Kill also terminates a frozen node.
func (n *Node) Freeze() { n.process.Signal("STOP") }

// Thaw resumes a frozen node.
func (n *Node) Thaw() { n.process.Signal("CONT") }

// URL is the URL of the node's RPC, with the credentials of its cookie, which
// change at each start.
func (n *Node) URL() string {
	address := url.URL{Scheme: "http", User: n.user.Load(), Host: net.JoinHostPort(n.Host(), strconv.Itoa(n.port))}
	return address.String()
}

// CookieFile is the path of the file that contains user:password.
func (n *Node) CookieFile() string { return filepath.Join(n.options.Dir, "regtest", ".cookie") }

// WalletFolder is the node's wallet directory, with one directory per wallet.
func (n *Node) WalletFolder() string { return filepath.Join(n.options.Dir, "regtest", "wallets") }

// Host is the address that RPC and ZMQ listen on.
func (n *Node) Host() string { return "127.0.0.1" }

// Port is the RPC port. It does not change on restarts.
func (n *Node) Port() int { return n.port }

// ZMQ is the address where the node publishes hashblock, rawtx and sequence.
func (n *Node) ZMQ() string { return fmt.Sprintf("tcp://%s:%d", n.Host(), n.zmqPort) }

// Bitcoin Knots does not relay transactions with a lock time of 21, which wallets
// on such a short chain choose occasionally. It is configured in a file, because
// Bitcoin Core ignores unknown settings there.
const (
	policyFile = "policy.conf"
	policy     = "rejectparasites=0\n"
)

func (n *Node) args() []string {
	return append([]string{
		"-regtest", "-server", "-printtoconsole=0",
		"-datadir=" + n.options.Dir,
		"-rpcbind=" + n.Host(), "-rpcallowip=" + n.Host(), "-rpcport=" + strconv.Itoa(n.port),
		"-listen=0", "-connect=0", "-dnsseed=0", "-conf=" + policyFile,
		"-blockfilterindex=1", "-txindex=1", "-fallbackfee=0.0001",
		"-zmqpubhashblock=" + n.ZMQ(), "-zmqpubrawtx=" + n.ZMQ(), "-zmqpubsequence=" + n.ZMQ(),
	}, n.options.ExtraArgs...)
}

// waitUntilReady returns when the node responds and publishes.
func (n *Node) waitUntilReady(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := n.login(ctx)
		if err == nil {
			return n.checkZMQ(ctx)
		}
		select {
		case <-tick.C:
		case <-n.process.Done():
			return fmt.Errorf("it ended: %w", n.process.Err())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w: %w", ctx.Err(), err)
		}
	}
}

// login reads the cookie and tries it, in case an earlier run left it behind.
func (n *Node) login(ctx context.Context) error {
	cookie, err := os.ReadFile(n.CookieFile())
	if err != nil {
		return err
	}
	user, password, _ := strings.Cut(string(cookie), ":")
	n.user.Store(url.UserPassword(user, password))
	_, err = n.Call(ctx, "getblockchaininfo")
	return err
}

// checkZMQ verifies that the node publishes: bitcoind continues silently if the
// port is taken.
func (n *Node) checkZMQ(ctx context.Context) error {
	unwanted := func(arg string) bool { return strings.HasPrefix(arg, "-nozmq") }
	if slices.ContainsFunc(n.options.ExtraArgs, unwanted) {
		return nil
	}
	notifications, err := n.Call(ctx, "getzmqnotifications")
	if err == nil && string(notifications) == "[]" {
		return errPortTaken
	}
	return err
}

// freePorts returns two free ports of the loopback address.
func freePorts(ctx context.Context) (first, second int, err error) {
	var ports [2]int
	for i := range ports {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return 0, 0, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = listener.Close() }() // closed after the second is found, so that they differ
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports[0], ports[1], nil
}
