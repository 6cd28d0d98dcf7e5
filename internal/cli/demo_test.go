package cli

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestDemoOnce(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), []string{"demo", "--once"}, noEnvironment, strings.NewReader(""), &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
	}
	out := stdout.String()
	for _, s := range walkThrough {
		if !strings.Contains(out, ". "+s.title+"\n") {
			t.Errorf("the step %q is not printed", s.title)
		}
	}
	for _, kind := range []string{"transaction.seen", "transaction.confirmed"} {
		if !regexp.MustCompile(`\n   In the stream, [0-9.]+ seconds later: ` + kind + `\n     wallet_id: `).MatchString(out) {
			t.Errorf("the event %s is not printed", kind)
		}
	}
	for _, line := range []string{
		"   200 OK", "   201 Created", "   403 Forbidden", "   401 Unauthorized",
		`     message: "i am ready"`, `     message: "Token generated"`, `     info: {"chain":"regtest","blocks":101,`,
	} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is not printed", line)
		}
	}
	if stderr.Len() > 0 {
		t.Errorf("unexpected warnings: %s", stderr.String())
	}
	checkNothingLeft(t, out)
}

func TestDemo_UntilStopped(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stdout, stderr testkit.Log
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the demo printed:\n%s%s", stdout.String(), stderr.String())
		}
	})
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"demo"}, noEnvironment, strings.NewReader(""), &stdout, &stderr) }()
	testkit.Eventually(t, "the last line of the demo", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("the demo ended: %v\n%s", err, stderr.String())
		default:
		}
		return strings.Contains(stdout.String(), "Press Ctrl-C")
	})
	checkScreen(t, stdout.String())
	commands := walkThroughOf(t, stdout.String())
	checkPasted(t, commands)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if rest := stdout.String() + commands; strings.Contains(rest, "{") && strings.Contains(rest, "_token}") {
		t.Errorf("a placeholder is not replaced:\n%s", rest)
	}
	checkNothingLeft(t, stdout.String())
}

// screenful is the number of lines that a reader sees without scrolling.
const screenful = 24

// checkScreen checks what a user sees: the console first, one screenful without calls, a line to
// export and a command that work, and key files that exist.
func checkScreen(t *testing.T, out string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) > screenful || printedCommand.MatchString(out) || !strings.HasPrefix(lines[2], "  web console  http://") {
		t.Errorf("the demo prints %d lines, want at most %d, the console first and no calls of curl:\n%s", len(lines), screenful, out)
	}
	for _, want := range []string{"\n  users        admin, with the password ", "\n               alice, with the password ", "\n   docs/console.md ", "\n   docs/tutorial.md "} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not print %q", want)
		}
	}
	script := regexp.MustCompile(`(?m)^   (?:export|specterd) .*$`).FindAllString(out, -1)
	first := exec.CommandContext(t.Context(), "bash", "-euc", strings.Join(script, "\n"))
	shown, err := first.CombinedOutput()
	if len(script) != 2 || err != nil || !strings.Contains(string(shown), "\ntrusted    0.25000000 BTC\n") {
		t.Errorf("the first command: %v\n%s\n%s", err, script, shown)
	}
	for _, name := range cosigners {
		content, err := os.ReadFile(filepath.Join(directoryOf(t, out), "keys", name+".json"))
		if err != nil || !strings.Contains(string(content), `"p2wsh_deriv": "m/48'/1'/1'/2'"`) {
			t.Errorf("the key file of %s: %v %s", name, err, content)
		}
	}
}

// walkThroughOf returns the commands in the file that the demo names, and checks that no line is a
// screenful of base64.
func walkThroughOf(t *testing.T, out string) string {
	t.Helper()
	commands, err := os.ReadFile(filepath.Join(directoryOf(t, out), walkThroughFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(commands)) {
		if len(line) > longBody+20 {
			t.Errorf("a line of %d characters: %.60s…", len(line), line)
		}
	}
	return string(commands)
}

// printedCommand matches a command of the printed walk-through.
var printedCommand = regexp.MustCompile(`(?m)^   curl (?:.*\\\n)*.*$`)

// checkPasted pastes the printed commands into a shell, and checks that they leave no open
// proposal, which would reserve the vault's UTXOs.
func checkPasted(t *testing.T, out string) {
	t.Helper()
	commands := printedCommand.FindAllString(out, -1)
	if len(commands) != len(walkThrough) {
		t.Fatalf("%d commands are printed, want %d", len(commands), len(walkThrough))
	}
	i := slices.IndexFunc(walkThrough, func(s step) bool { return strings.HasPrefix(s.title, "Read the proposal") })
	list := regexp.MustCompile(`proposals/[0-9a-f-]+`).ReplaceAllString(commands[i], "'proposals?status=created,partially_signed,complete'")
	script := strings.Join(commands, "\necho\n") + "\nkill %1\necho; echo open:\n" + list
	pasted, err := exec.CommandContext(t.Context(), "bash", "-c", script).Output()
	answers, open, _ := strings.Cut(string(pasted), "\nopen:\n")
	if err != nil || !strings.Contains(answers, `"status":"confirmed"`) || !strings.HasPrefix(open, `{"items":[]`) {
		t.Errorf("%v; the open proposals are %s after\n%s", err, open, answers)
	}
}

func TestDemo_RefusedSettings(t *testing.T) {
	for _, flag := range []string{"--data-folder", "--database-url", "--node-url", "--host"} {
		err := run(t.Context(), []string{"demo", "--once", flag, "x"}, noEnvironment, strings.NewReader(""), new(testkit.Log), new(testkit.Log))
		if err == nil || !strings.Contains(err.Error(), "unknown flag: "+flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// TestDemo_PortInUse checks that the error about a port in use says how to choose another one.
func TestDemo_PortInUse(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	testkit.Check(t, err)
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	err = run(t.Context(), []string{"demo", "--once", "--port", port}, noEnvironment, strings.NewReader(""), new(testkit.Log), new(testkit.Log))
	const want = "uses this port: stop it, or choose another port with --port N (make demo DEMO_FLAGS=\"--port N\"), or omit --port, for a free one"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

func noEnvironment(string) string { return "" }

// checkNothingLeft checks that the directory named in the output was removed.
func checkNothingLeft(t *testing.T, out string) {
	t.Helper()
	if _, err := os.Stat(directoryOf(t, out)); !os.IsNotExist(err) {
		t.Errorf("the demo's directory still exists: %v", err)
	}
}

// directoryOf returns the directory named in the output.
func directoryOf(t *testing.T, out string) string {
	t.Helper()
	_, rest, _ := strings.Cut(out, "\n  directory ")
	dir, _, found := strings.Cut(rest, ", removed at the end")
	if !found {
		t.Fatalf("the output does not name the directory:\n%s", out)
	}
	return strings.TrimSpace(dir)
}
