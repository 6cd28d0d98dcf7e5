package system

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

const savings = "wpkh([d34db33f/84h/1h/0h]tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P/<0;1>/*)"

// walletTool returns a specterd wallet command that is configured to use the node.
func walletTool(t *testing.T, dir string, node *testkit.Node, args ...string) *exec.Cmd {
	t.Helper()
	cmd := tool(t, dir, append([]string{"wallet"}, args...)...)
	cmd.Env = append(append(cmd.Env, "SPECTER_ADMIN_PASSWORD="+testPassword), nodeSettings(node)...)
	return cmd
}

func nodeSettings(node *testkit.Node) []string {
	return []string{
		"SPECTER_NODE_URL=", "BTC_RPC_COOKIE_FILE=" + node.CookieFile(), "BTC_RPC_PORT=" + strconv.Itoa(node.Port()),
		"SPECTER_NODE_WALLET_FOLDER=" + node.WalletFolder(),
	}
}

// TestWalletCommands runs the wallet commands without a server, and while a server is
// running, which completes what they started.
func TestWalletCommands(t *testing.T) {
	t.Parallel()
	node, dir := testkit.Bitcoind(t), t.TempDir()
	node.Mine(t, 1)
	run := func(want string, args ...string) {
		t.Helper()
		out, err := walletTool(t, dir, node, args...).CombinedOutput()
		if err != nil || !regexp.MustCompile(want).Match(out) {
			t.Errorf("wallet %q: %v, want %s\n%s", args, err, want, out)
		}
	}
	refuse := func(want string, args ...string) {
		t.Helper()
		out, err := walletTool(t, dir, node, args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "goroutine") {
			t.Errorf("wallet %q: %v, want %s\n%s", args, err, want, out)
		}
	}
	refuse("no database", "list")
	initialize(t, dir, "SPECTER_ADMIN_PASSWORD="+testPassword)
	run(`(?s)Created wallet savings\.\nA rescan from block 0 will begin when specterd serve starts`,
		"create", "--name", "Savings", "--descriptor", savings, "--birthday", "0")
	run(`(?m)^savings +Savings +owner +wpkh +0\.00000000 +rescanning, 0 % +never$`, "list")
	refuse("you already have a wallet with these descriptors; its alias is savings", "create", "--name", "Other", "--descriptor", savings, "--birthday", "now")
	refuse("you already have a wallet with this alias", "create", "--name", "SAVINGS!", "--descriptor", strings.ReplaceAll(savings, "<0;1>", "7/<0;1>"), "--birthday", "now")
	refuse("--birthday: must be", "create", "--name", "x", "--descriptor", savings, "--birthday", "yesterday")
	refuse("--descriptor: ", "create", "--name", "x", "--descriptor", "nonsense", "--birthday", "now")
	refuse(`user "zoe" not found`, "list", "--user", "zoe")
	refuse(`user admin has no wallet with the alias "nothing"`, "show", "nothing")
	refuse(`user admin has no wallet with the alias "nothing"`, "rm", "nothing")
	inCore := func(want int) func() bool {
		return func() bool {
			folders, err := filepath.Glob(filepath.Join(node.WalletFolder(), "specterd-*"))
			testkit.Check(t, err)
			return len(folders) == want
		}
	}
	refuse("--files must be keep or delete", "rm", "savings", "--files=maybe")
	withoutFolder := walletTool(t, dir, node, "rm", "savings", "--yes", "--files=delete")
	withoutFolder.Env = append(withoutFolder.Env, "SPECTER_NODE_WALLET_FOLDER=") // an empty variable counts as unset
	if out, err := withoutFolder.CombinedOutput(); err == nil || !strings.Contains(string(out), "set SPECTER_NODE_WALLET_FOLDER") {
		t.Errorf("wallet rm without the folder of the node's wallets: %v, %s", err, out)
	}
	run("Created wallet gone.", "create", "--name", "Gone", "--descriptor", strings.ReplaceAll(savings, "<0;1>", "8/<0;1>"), "--birthday", "now")
	run("Deleted wallet gone.\nChanged the database .*\n$", "rm", "gone", "--yes", "--files=delete")
	if !inCore(1)() {
		t.Error("Core's files were not deleted, without a server")
	}

	s := startServer(t, dir, nodeSettings(node)...)
	becomes := func(want string, args ...string) {
		t.Helper()
		testkit.Eventually(t, fmt.Sprintf("%q to say %s", args, want), func() bool {
			out, err := walletTool(t, dir, node, args...).CombinedOutput()
			return err == nil && regexp.MustCompile(want).Match(out)
		})
	}
	becomes(`(?m)^savings +Savings +owner +wpkh +0\.00000000 +ready +block 1$`, "list")
	var made madeToken
	call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", map[string]any{"description": "x", "lifetime": "1 hour"}, &made)
	var address struct{ Address string }
	if status := call(t.Context(), http.MethodPost, s.url+"/api/v1/wallets/savings/addresses", made.Secret, map[string]any{}, &address); status != http.StatusCreated {
		t.Fatalf("status %d\n%s", status, s.log)
	}
	node.CLI(t, "generatetoaddress", 1, address.Address)
	node.Mine(t, 100)
	becomes(`(?m)^trusted +50\.00000000 BTC$`, "show", "savings")
	run(`(?s)addresses +1 receive and 0 change revealed.*\nkey +d34db33f m/84h/1h/0h .*\nmember +admin, owner\n`, "show", "savings")

	// On a terminal, the command shows the progress of the rescan.
	seen, err := onTerminal(t, walletTool(t, dir, node, "rescan", "savings", "--from", "0"))
	if err != nil || !strings.Contains(seen, "\r[") || !strings.Contains(seen, "100 %") {
		t.Errorf("on a terminal: %v, %q", err, seen)
	}
	run("Stopped the rescan of savings", "rescan", "savings", "--stop")
	run("Created wallet keys.", "create", "--name", "Keys", "--birthday", "now", "--script", "wsh", "--signatures-required", "1",
		"--key", "[d34db33f/48h/1h/0h/2h]"+savings[len("wpkh([d34db33f/84h/1h/0h]"):strings.Index(savings, "/<0;1>")])
	becomes(`(?m)^keys +Keys +owner +1 of 1 wsh `, "list")
	refuse("Delete wallet savings for 1 member? There is no terminal to answer; repeat the command with --yes", "rm", "savings")
	run("Deleted wallet savings.", "rm", "savings", "--yes")
	becomes(`^ALIAS.*\nkeys .*\n$`, "list")
	testkit.Eventually(t, "Core to have one wallet left", func() bool {
		return strings.Count(string(node.CLI(t, "listwallets")), "specterd-") == 1
	})
	if !inCore(2)() {
		t.Error("Core's files were not kept")
	}
	if status := call(t.Context(), http.MethodDelete, s.url+"/api/v1/wallets/keys?files=delete", made.Secret, nil, nil); status != http.StatusNoContent {
		t.Errorf("status %d\n%s", status, s.log)
	}
	testkit.Eventually(t, "Core's files are deleted", inCore(1))
	node.Stop(t)
	run("^ALIAS", "list")
	refuse("the Bitcoin node", "create", "--name", "x", "--descriptor", savings, "--birthday", "now")
}

// onTerminal runs a command on a new terminal, and returns the output.
func onTerminal(t *testing.T, cmd *exec.Cmd) (string, error) {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	testkit.Check(t, err)
	defer func() { _ = terminal.Close() }()
	var number, locked uint32
	for request, argument := range map[uintptr]*uint32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &locked} {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), request, uintptr(unsafe.Pointer(argument))); e != 0 {
			t.Fatal(e)
		}
	}
	other, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	testkit.Check(t, err)
	cmd.Stdout = other
	testkit.Check(t, cmd.Start())
	testkit.Check(t, other.Close())
	shown, _ := io.ReadAll(terminal) // ends with an error when the command has exited
	return string(shown), cmd.Wait()
}
