package testkit

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/childprocess"
	"github.com/specterd/specterd/internal/testenv/regtest"
)

// patience is the time limit for starting and stopping a server, and for
// Eventually. It is long, since the machine may be busy.
const patience = time.Minute

// Lookahead is the number of addresses that wallets on test nodes watch beyond the
// last used address. Bitcoin Core's default is 1000, and deriving these took half
// of the CPU time of the test nodes. Tests of wallets use the same number; see
// wallet.Service.WithLookahead.
const Lookahead = 40

// Node is a bitcoind on regtest for one test.
type Node struct {
	*regtest.Node
}

// Bitcoind starts a bitcoind on regtest for this test, with a new chain, wallets
// and ZMQ, and without peers. ExtraArgs are appended to its command line.
func Bitcoind(t testing.TB, extraArgs ...string) *Node {
	t.Helper()
	return startBitcoind(t, func(string) {}, extraArgs)
}

// BitcoindFrom starts a bitcoind like Bitcoind, with a copy of a node's data
// directory. The archive is a .tar.gz file that contains only this directory.
func BitcoindFrom(t testing.TB, archive string, extraArgs ...string) *Node {
	t.Helper()
	return startBitcoind(t, func(dir string) {
		out, err := exec.CommandContext(t.Context(), "tar", "-xzf", archive, "-C", dir, "--strip-components=1").CombinedOutput()
		if err != nil {
			t.Fatalf("unpack %s: %v: %s", archive, err, out)
		}
	}, extraArgs)
}

// startBitcoind creates a directory, calls prepare with it, and starts a node with
// it.
func startBitcoind(t testing.TB, prepare func(dir string), extraArgs []string) *Node {
	t.Helper()
	NeedsServer(t, "bitcoind")
	binary, err := regtest.FindBinary(t.Context())
	if err != nil {
		t.Fatalf("%v: run make test-deps", err)
	}
	dir, remove, err := childprocess.TempDir("specterd-bitcoind-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Check(t, remove()) })
	prepare(dir)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args := append([]string{fmt.Sprintf("-keypool=%d", Lookahead)}, extraArgs...)
	node, err := regtest.Start(ctx, regtest.Options{Binary: binary, Dir: dir, ExtraArgs: args})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Kill)
	return &Node{node}
}

// Start restarts the node after Stop or Kill, with the same data directory and
// ports.
func (n *Node) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	Check(t, n.Node.Start(ctx))
}

// Stop shuts the node down.
func (n *Node) Stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	Check(t, n.Node.Stop(ctx))
}

// Mine mines blocks to an address that belongs to no wallet, and returns their
// hashes.
func (n *Node) Mine(t testing.TB, count int) []string {
	t.Helper()
	hashes, err := n.Node.Mine(t.Context(), count)
	Check(t, err)
	return hashes
}

// CLI calls an RPC method of the node, like bitcoin-cli. It fails the test on an
// error, whereas Call returns the error.
func (n *Node) CLI(t testing.TB, method string, params ...any) json.RawMessage {
	t.Helper()
	result, err := n.Call(t.Context(), method, params...)
	Check(t, err)
	return result
}

// WalletCLI calls an RPC method of one of the node's loaded wallets, like
// bitcoin-cli -rpcwallet.
func (n *Node) WalletCLI(t testing.TB, wallet, method string, params ...any) json.RawMessage {
	t.Helper()
	result, err := n.CallWallet(t.Context(), wallet, method, params...)
	Check(t, err)
	return result
}
