package main

import (
	"context"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// walkThroughBlock is a block of code below the comment that marks it as one
// that a test runs.
var walkThroughBlock = regexp.MustCompile("(?s)<!-- walk-through -->\n```(\\w+)\n(.*?)```\n")

// TestReadme runs what README.md shows, as a user would, against a server.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), serveForReadme(t)...)
	commands := map[string][]string{"sh": {"bash", "-eu", "-c"}, "python": {pythonWithRequests(t), "-c"}}
	blocks := walkThroughBlock.FindAllStringSubmatch(string(text), -1)
	printed := [][]string{ // by the walk-throughs, of which there is each in both languages
		{"i am ready", "Token exists", "regtest", "refused: 403", "invoice 17", "available_sat", "no such wallet: 404", "Token deleted", "refused: 401"},
		{"cannot send it: 403", "cancelled"},
	}
	if len(blocks) != 2*len(printed) {
		t.Fatalf("README.md has %d blocks to run", len(blocks))
	}
	for i, block := range blocks {
		if language := []string{"sh", "python"}[i%2]; block[1] != language {
			t.Fatalf("block %d is in %s, and not in %s", i, block[1], language)
		}
		t.Run(block[1], func(t *testing.T) {
			runBlock(t, environment, append(commands[block[1]], block[2]), printed[i/2]...)
		})
	}
}

// TestAccounting runs what docs/accounting.md shows.
func TestAccounting(t *testing.T) {
	text, err := os.ReadFile("../../docs/accounting.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := walkThroughBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 1 {
		t.Fatalf("docs/accounting.md has %d blocks to run", len(blocks))
	}
	runBlock(t, serveForReadme(t), []string{"bash", "-eu", "-c", blocks[0][2]}, "community_vault,opening,", "sum ")
}

// runBlock runs a command, which has to succeed and to print these texts.
func runBlock(t *testing.T, environment, command []string, printed ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env, cmd.Dir = environment, t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range printed {
		if !strings.Contains(string(out), line) {
			t.Errorf("%q is not printed:\n%s", line, out)
		}
	}
}

// serveForReadme serves, with a node of its own, and the users and the vault of the
// demo, and returns the variables that the blocks read.
func serveForReadme(t *testing.T) []string {
	t.Helper()
	node := testkit.Bitcoind(t)
	const adminPassword, userPassword = "not-the-default", "known-to-alice"
	made := &scene{node: node.Node, adminPassword: adminPassword, userPassword: userPassword}
	if err := made.meet(t.Context()); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{
		"HOME": t.TempDir(), "PORT": "0", "SPECTER_API_ACTIVE": "true", "SPECTER_BCRYPT_COST": "4",
		"SPECTER_ADMIN_PASSWORD": adminPassword, "SPECTER_NODE_URL": node.URL(), "SPECTER_LOG_LEVEL": "error",
	}
	getenv := func(name string) string { return settings[name] }
	var stdout, stderr testkit.Log
	add := []string{"user", "add", "alice", "--password-stdin"}
	if err := run(t.Context(), add, getenv, strings.NewReader(userPassword+"\n"), &stdout, &stderr); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"serve"}, getenv, strings.NewReader(""), &stdout, &stderr) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v\n%s", err, stderr.String())
		}
	})
	var address string
	testkit.Eventually(t, "the server listens", func() bool {
		_, rest, found := strings.Cut(stdout.String(), "listens on ")
		address = strings.TrimSpace(rest)
		return found && strings.HasSuffix(rest, "\n")
	})
	if _, err := url.Parse(address); err != nil {
		t.Fatal(err)
	}
	if err := newWalk(io.Discard, address, made).print(t.Context()); err != nil {
		t.Fatal(err)
	}
	return []string{"URL=" + address, "ADMIN_PASSWORD=" + adminPassword, "ALICE_PASSWORD=" + userPassword}
}

// pythonWithRequests returns the Python that make deps provided for.
func pythonWithRequests(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import requests").Run() == nil {
			return python
		}
	}
	t.Fatal("no python3 here can import requests: run make deps")
	return ""
}
