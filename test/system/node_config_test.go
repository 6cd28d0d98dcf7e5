package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/testenv/childprocess"
	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// aRegtestAddress is an address without a known owner.
const aRegtestAddress = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

// freePort returns a port that was free just now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	testkit.Check(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	testkit.Check(t, err)
	testkit.Check(t, l.Close())
	return port
}

// rpc calls a method of a node, and returns the HTTP status.
func rpc(ctx context.Context, port, user, password, method string, params ...any) int {
	body, err := json.Marshal(map[string]any{"method": method, "params": append([]any{}, params...)})
	if err != nil {
		return 0
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:"+port, strings.NewReader(string(body)))
	if err != nil {
		return 0
	}
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestNodeConfig starts a bitcoind with the lines of node-config, and a specterd with its
// settings, and checks that every method that specterd calls is allowed, that no other is,
// and that specterd has nothing to complain about.
func TestNodeConfig(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	binary, err := regtest.FindBinary(t.Context())
	testkit.Check(t, err)
	data, node := t.TempDir(), t.TempDir()
	testkit.Check(t, os.Chmod(data, 0o700))
	port, zmqPort, file := freePort(t), freePort(t), filepath.Join(data, "specterd.env")
	lines, err := tool(t, data, "node-config", "--chain", "regtest", "--rpc-port", port, "--zmq-port", zmqPort, "--settings", file).Output()
	testkit.Check(t, err)
	testkit.Check(t, os.WriteFile(filepath.Join(node, "bitcoin.conf"), append([]byte("regtest=1\n"), append(lines, []byte("[regtest]\nfallbackfee=0.0001\n")...)...), 0o600))
	cmd := exec.Command(binary, "-datadir="+node, "-rpcport="+port, "-listen=0", "-connect=0", "-dnsseed=0", "-printtoconsole=0")
	process, err := childprocess.Start(cmd, "KILL")
	testkit.Check(t, err)
	t.Cleanup(func() {
		process.Signal("KILL")
		<-process.Done()
	})
	settings, err := os.ReadFile(file)
	testkit.Check(t, err)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the settings have the mode %v, %v", info.Mode(), err)
	}
	password := regexp.MustCompile(`(?m)^BTC_RPC_PASSWORD=(\w{26})$`).FindSubmatch(settings)
	if password == nil || strings.Contains(string(lines), string(password[1])) {
		t.Fatalf("the settings are\n%s", settings)
	}
	ours := func(method string, params ...any) int {
		return rpc(t.Context(), port, "specterd", string(password[1]), method, params...)
	}
	testkit.Eventually(t, "the node answers", func() bool { return ours("getblockchaininfo") == http.StatusOK })
	cookie, err := os.ReadFile(filepath.Join(node, "regtest", ".cookie"))
	testkit.Check(t, err)
	user, secret, _ := strings.Cut(string(cookie), ":")
	if status := rpc(t.Context(), port, user, secret, "generatetoaddress", 1, aRegtestAddress); status != http.StatusOK {
		t.Fatalf("another user: status %d", status)
	}

	for _, m := range nodestatus.Methods() { // without the required parameters, most fail
		if status := ours(m.Name); status == http.StatusForbidden || status == http.StatusUnauthorized {
			t.Errorf("%s: status %d", m.Name, status)
		}
	}
	for _, name := range []string{"stop", "help", "dumptxoutset", "listwallets", "walletpassphrase", "generatetoaddress", "addnode"} {
		if status := ours(name); status != http.StatusForbidden {
			t.Errorf("%s: status %d", name, status)
		}
	}

	without := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Env = append(cmd.Env, "SPECTER_NODE_URL=", "SPECTER_ADMIN_PASSWORD="+testPassword)
		return cmd
	}
	s := startServer(t, data, "SPECTER_NODE_URL=")
	testkit.Eventually(t, "the server is ready", func() bool {
		return call(t.Context(), http.MethodGet, s.url+"/api/healthz/readyness", "x", nil, nil) == http.StatusOK
	})
	if out, err := without(tool(t, data, "wallet", "create", "--name", "Savings", "--birthday", "0", "--descriptor", savings)).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	testkit.Eventually(t, "the wallet is synced", func() bool {
		out, err := without(tool(t, data, "wallet", "list")).Output()
		return err == nil && strings.Contains(string(out), "ready")
	})
	out, err := without(tool(t, data, "doctor")).CombinedOutput()
	if err != nil || regexp.MustCompile(`(?m)^(warning|error) +(node|wallets|settings|clock)`).Match(out) || !strings.Contains(string(out), "all match Bitcoin Core (1 wallet)") {
		t.Errorf("%v\n%s", err, out)
	}
	var zmq []struct{ Type, Address string }
	testkit.Check(t, json.Unmarshal(rpcResult(t, port, user, secret, "getzmqnotifications"), &zmq))
	if len(zmq) != 3 || zmq[0].Address != "tcp://127.0.0.1:"+zmqPort {
		t.Errorf("the node announces at %v", zmq)
	}

	again, err := tool(t, data, "node-config", "--settings", file).CombinedOutput()
	if err == nil || !strings.Contains(string(again), "exist") || strings.Contains(string(again), "rpcauth") {
		t.Errorf("an existing file: %v\n%s", err, again)
	}
}

// rpcResult returns the result of a method of a node.
func rpcResult(t *testing.T, port, user, password, method string) json.RawMessage {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:"+port, strings.NewReader(fmt.Sprintf(`{"method": %q}`, method)))
	testkit.Check(t, err)
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	testkit.Check(t, err)
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Result json.RawMessage }
	testkit.Check(t, json.NewDecoder(resp.Body).Decode(&answer))
	return answer.Result
}
