// Package regtest runs a bitcoind on a private regtest chain, for specterd demo and
// for tests. It finds the program, selects ports, waits until the node responds,
// and has a minimal JSON-RPC client.
//
// The client does not use internal/node/rpcclient, whose tests use this package. A
// node never outlives this process.
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

// errPortTaken is returned if another process took a port after it was selected.
var errPortTaken = errors.New("a port is taken")

// startAttempts is the number of times that Start tries new ports.
const startAttempts = 3

// Options configure a node.
type Options struct {
	// Binary is the path of bitcoind; if it is empty, FindBinary is used.
	Binary string
	// Dir is the data directory. It must exist; the caller removes it.
	Dir string
	// ExtraArgs are appended to the command line, so they take precedence.
	ExtraArgs []string
	// Log receives bitcoind's output, mostly errors at the start, unless it is nil.
	// The file debug.log is in the data directory.
	Log io.Writer
}

// Node is a bitcoind on regtest. Its methods are safe for concurrent use, except
// Start, Stop and Kill.
type Node struct {
	options Options
	port    int
	zmqPort int
	user    atomic.Pointer[url.Userinfo] // read from the cookie file, which changes at each start
	process *childprocess.Process
}

// FindBinary returns the path of a working bitcoind: $BITCOIND, or else bitcoind on
// PATH, or else the program that scripts/bitcoind.sh installs in the cache
// directory.
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

// Start starts a node and waits until it responds. The context limits the start,
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
// and waits until it responds. The node creates a new cookie.
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

// Stop shuts the node down and waits until it has ended. If ctx ends first, it
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

// Kill kills the node, as in a crash.
func (n *Node) Kill() {
	n.process.Signal("KILL")
	<-n.process.Done()
}

// Suspend makes the node hang: it keeps its connections and does not respond until
// Resume. Kill also terminates a suspended node.
func (n *Node) Suspend() { n.process.Signal("STOP") }

// Resume resumes a suspended node.
func (n *Node) Resume() { n.process.Signal("CONT") }

// URL returns the URL of the node's RPC, with the credentials of the cookie, which
// change at each start.
func (n *Node) URL() string {
	address := url.URL{Scheme: "http", User: n.user.Load(), Host: net.JoinHostPort(n.Host(), strconv.Itoa(n.port))}
	return address.String()
}

// CookieFile returns the path of the cookie file, which contains user:password.
func (n *Node) CookieFile() string { return filepath.Join(n.options.Dir, "regtest", ".cookie") }

// WalletFolder returns the node's wallet directory, which has one directory per
// wallet.
func (n *Node) WalletFolder() string { return filepath.Join(n.options.Dir, "regtest", "wallets") }

// Host returns the address that RPC and ZMQ listen on.
func (n *Node) Host() string { return "127.0.0.1" }

// Port returns the RPC port. It does not change on restarts.
func (n *Node) Port() int { return n.port }

// ZMQ returns the address at which the node publishes hashblock, rawtx and
// sequence.
func (n *Node) ZMQ() string { return fmt.Sprintf("tcp://%s:%d", n.Host(), n.zmqPort) }

// policy is a setting with which Bitcoin Knots relays transactions with a lock time
// of 21, which wallets on such a short chain occasionally choose. It is in a
// configuration file, because Bitcoin Core ignores unknown settings in a file but
// not on the command line.
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

// waitUntilReady waits until the node responds and publishes ZMQ messages.
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

// login reads the cookie file and calls the node with its credentials, because the
// file may be left over from an earlier run.
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

// checkZMQ checks that the node publishes ZMQ messages, because bitcoind starts
// without an error if the port is taken.
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
		defer func() { _ = listener.Close() }() // kept open until both ports are selected, so that they differ
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports[0], ports[1], nil
}
