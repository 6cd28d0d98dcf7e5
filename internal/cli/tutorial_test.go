package cli

import (
	"context"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// walkThroughBlock matches a comment that marks a code block as executed by a test, and
// the code block below it. A block marked as continued runs in the same shell as the
// previous one.
var walkThroughBlock = regexp.MustCompile("(?s)<!-- walk-through( continued)? -->\n```(\\w+)\n(.*?)```\n")

// TestTutorial runs the code blocks of README.md and docs/tutorial.md against one
// server.
func TestTutorial(t *testing.T) {
	tokensAndWallets := []string{
		"i am ready", "Token exists", "regtest", "invoice 17", "available_sat",
		"admin route with alice's token: 403", "wallet with alice's token: 404", "Token deleted", "deleted token: 401",
	}
	proposals := []string{"broadcast with the proposer's token: 403", "cancelled"}
	walkThroughs := []struct {
		document, language string
		prints             []string
	}{
		{"README.md", "sh", []string{"invoice 17"}},
		{"docs/tutorial.md", "sh", []string{`"result":"`, `"result":["`}},
		{"docs/tutorial.md", "sh", tokensAndWallets},
		{"docs/tutorial.md", "python", tokensAndWallets},
		{"docs/tutorial.md", "sh", proposals},
		{"docs/tutorial.md", "python", proposals},
		{"docs/tutorial.md", "sh", []string{`"amount_sat":50000,`, `"data":"6869"`}},
		{"docs/tutorial.md", "sh", []string{
			`"status":"partially_signed"`, `"status":"complete"`, `"status":"broadcast"`, `"status":"replaced"`, `"status":"mempool"`, "in the mempool: 409",
		}},
		{"docs/sharing.md", "sh", []string{
			`"expires_at"`, `"alias":"our_vault"`, "invite without members:write: 403", "sign as a proposer: 403", "after leaving: 404", "revoked token: 401",
		}},
	}
	blocks := map[string][][]string{
		"README.md":        walkThroughBlocks(t, "README.md", 1),
		"docs/tutorial.md": walkThroughBlocks(t, "docs/tutorial.md", 7),
		"docs/sharing.md":  walkThroughBlocks(t, "docs/sharing.md", 1),
	}
	environment := append(os.Environ(), serveWalkThroughs(t)...)
	commands := map[string][]string{"sh": {"bash", "-eu", "-c"}, "python": {pythonWithRequests(t), "-c"}}
	for _, w := range walkThroughs {
		language, code := blocks[w.document][0][1], blocks[w.document][0][2]
		blocks[w.document] = blocks[w.document][1:]
		t.Run(w.document+"/"+w.language, func(t *testing.T) {
			if language != w.language {
				t.Fatalf("the block is %s, want %s", language, w.language)
			}
			runBlock(t, environment, append(slices.Clone(commands[language]), code), w.prints...)
		})
	}
}

// TestAccounting runs the code block of docs/accounting.md.
func TestAccounting(t *testing.T) {
	block := walkThroughBlocks(t, "docs/accounting.md", 1)[0]
	runBlock(t, serveWalkThroughs(t), []string{"bash", "-eu", "-c", block[2]}, "community_vault,opening,", "sum ")
}

// walkThroughBlocks returns the executed blocks of a document, each as the whole match,
// its language and its code. It fails unless there are n of them.
func walkThroughBlocks(t *testing.T, document string, n int) [][]string {
	t.Helper()
	text, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	var blocks [][]string
	for _, match := range walkThroughBlock.FindAllStringSubmatch(string(text), -1) {
		if block := []string{match[0], match[2], match[3]}; match[1] == "" {
			blocks = append(blocks, block)
		} else {
			blocks[len(blocks)-1][2] += block[2]
		}
	}
	if len(blocks) != n {
		t.Fatalf("%s has %d blocks that are executed, want %d", document, len(blocks), n)
	}
	return blocks
}

// checkBrief checks that an example has 1 to 15 lines with text.
func checkBrief(t *testing.T, document, code string) {
	t.Helper()
	if n := len(regexp.MustCompile(`(?m)^.*\S.*$`).FindAllString(code, -1)); n == 0 || n > 15 {
		t.Errorf("the block of %s has %d lines, want 1 to 15", document, n)
	}
}

// runBlock runs a command in an empty directory. The command must succeed, and its
// output must contain the texts.
func runBlock(t *testing.T, environment, command []string, texts ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env, cmd.Dir = environment, t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, text := range texts {
		if !strings.Contains(string(out), text) {
			t.Errorf("the output does not contain %q:\n%s", text, out)
		}
	}
}

// settingOf returns the value of a setting, NAME=value; the last one applies.
func settingOf(settings []string, name string) (value string) {
	for _, setting := range settings {
		if text, ok := strings.CutPrefix(setting, name+"="); ok {
			value = text
		}
	}
	return value
}

// serveWalkThroughs starts a server with a node of its own and with the users and the
// vault of the demo, and returns the environment variables that the blocks read.
func serveWalkThroughs(t *testing.T) []string {
	t.Helper()
	return serveWalkThroughsOn(t, testkit.Bitcoind(t))
}

// serveWalkThroughsOn is serveWalkThroughs with a node that has no wallets yet, and with
// further settings, each as NAME=value.
func serveWalkThroughsOn(t *testing.T, node *testkit.Node, further ...string) []string {
	t.Helper()
	const adminPassword, userPassword = "not-the-default", "known-to-alice"
	made := &scene{dir: t.TempDir(), node: node.Node, adminPassword: adminPassword, userPassword: userPassword}
	if err := made.meet(t.Context()); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{
		"HOME": t.TempDir(), "PORT": "0", "SPECTER_API_ACTIVE": "true", "SPECTER_BCRYPT_COST": "4",
		"SPECTER_ADMIN_PASSWORD": adminPassword, "SPECTER_NODE_URL": node.URL(), "SPECTER_LOG_LEVEL": "error", "SPECTER_DATA_FOLDER": made.dataFolder(),
	}
	for _, setting := range further {
		name, value, _ := strings.Cut(setting, "=")
		settings[name] = value
	}
	getenv := func(name string) string { return settings[name] }
	var stdout, stderr testkit.Log
	add := []string{"user", "add", "alice", "--password-stdin", "--init"}
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
	return made.environment(address)
}

// pythonWithRequests returns the command of a Python that can import requests.
func pythonWithRequests(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), python, "-c", "import requests").Run() == nil {
			return python
		}
	}
	t.Fatal("no python3 can import requests; run make test-deps")
	return ""
}
