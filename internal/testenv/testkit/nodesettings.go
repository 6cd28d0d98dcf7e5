package testkit

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/node/nodestatus"
)

// NodeSetting is a configuration of the node that may restrict specterd.
type NodeSetting struct {
	Name string
	Args []string
	// Problem is the code of the problem that makes the node unusable, if any.
	// Notices are the codes of restrictions; see [nodestatus.Status].
	Problem string
	Notices []string
	// Says is a part of the message about the problem, in specterd doctor and in
	// the readiness probe, or of doctor's message about the last notice.
	Says string
	// IsBusy is set if the node rejects calls at random under load.
	IsBusy bool
	// Changes is set if the node is usable, but requests that the default test node
	// accepts may be rejected (4xx).
	Changes bool
}

// NodeSettings are the tested configurations.
func NodeSettings() []NodeSetting {
	polled := []string{"getblockchaininfo", "getnetworkinfo", "getmempoolinfo", "getblockhash", "uptime", "getindexinfo", "getzmqnotifications", "estimatesmartfee"}
	var all, needed []string
	for _, m := range nodestatus.Methods() {
		all = append(all, m.Name)
		if m.Without == "" || m.Name == "getzmqnotifications" { // the test calls this method itself
			needed = append(needed, m.Name)
		}
	}
	only := func(methods ...string) []string {
		return []string{"-rpcwhitelist=__cookie__:" + strings.Join(methods, ",")}
	}
	return []NodeSetting{
		{Name: "default test node"},
		{Name: "disablewallet=1", Args: []string{"-disablewallet=1"}, Problem: "node_wallet_disabled", Says: "remove disablewallet=1 from its bitcoin.conf"},
		{Name: "blocksonly=1", Args: []string{"-blocksonly=1"}, Notices: []string{"blocksonly"}, Says: "remove blocksonly=1"},
		{Name: "prune=550", Args: []string{"-prune=550", "-txindex=0"}, Notices: []string{"pruned"}, Says: "is pruned"},
		{Name: "txindex=0", Args: []string{"-txindex=0"}},
		{Name: "blockfilterindex=0", Args: []string{"-blockfilterindex=0"}, Notices: []string{"no_block_filter_index"}, Says: "set blockfilterindex=1"},
		{Name: "no ZMQ", Args: []string{"-nozmqpubhashblock", "-nozmqpubrawtx", "-nozmqpubsequence"}, Notices: []string{"no_zmq"}, Says: "set zmqpubhashblock"},
		{Name: "rpcwhitelist without wallets", Args: only(polled...), Problem: "node_method_forbidden", Says: "rpcwhitelist in its bitcoin.conf and restart it: abandontransaction,abortrescan"},
		{Name: "rpcwhitelist as documented", Args: only(all...)},
		{
			Name: "rpcwhitelist, necessary methods only", Args: only(needed...), Says: "getnettotals, so that specterd doctor cannot compare the clocks",
			Notices: []string{"method_forbidden", "method_forbidden", "method_forbidden", "method_forbidden"},
		},
		{Name: "rpcworkqueue=1", Args: []string{"-rpcworkqueue=1", "-rpcthreads=1"}, IsBusy: true},
		{Name: "walletbroadcast=0", Args: []string{"-walletbroadcast=0"}},
		{Name: "minrelaytxfee=0.001", Args: []string{"-minrelaytxfee=0.001"}, Notices: []string{"high_relay_fee"}, Says: "no transactions below 100 sat/vB", Changes: true},
		{Name: "incrementalrelayfee=0.000001", Args: []string{"-incrementalrelayfee=0.000001"}},
		{Name: "incrementalrelayfee=0.00005", Args: []string{"-incrementalrelayfee=0.00005"}, Notices: []string{"high_relay_fee"}, Says: "no transactions below 5 sat/vB", Changes: true},
		{Name: "fallbackfee=0", Args: []string{"-fallbackfee=0"}, Changes: true},
		{Name: "initial block download", Args: []string{fmt.Sprintf("-mocktime=%d", time.Now().AddDate(0, 0, 2).Unix())}, Problem: "node_syncing", Says: "wait until it has caught up"},
		{Name: "another chain", Args: []string{"-regtest=0", "-signet", "-rpccookiefile=../regtest/.cookie"}, Problem: "wrong_chain", Says: "use another node or another database"},
	}
}

// BitcoindCopy starts a node with a copy of the data directory of a stopped node.
func BitcoindCopy(t testing.TB, from *Node, extraArgs ...string) *Node {
	t.Helper()
	folder := filepath.Dir(filepath.Dir(from.WalletFolder()))
	return startBitcoind(t, func(dir string) {
		if out, err := exec.CommandContext(t.Context(), "cp", "-a", "--sparse=always", folder+"/.", dir).CombinedOutput(); err != nil {
			t.Fatalf("copy %s: %v: %s", folder, err, out)
		}
	}, extraArgs)
}
