package cli

import (
	"bytes"
	"context"
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
	checkPasted(t, stdout.String())
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if rest := stdout.String(); strings.Contains(rest, "{") && strings.Contains(rest, "_token}") {
		t.Errorf("a placeholder is not replaced:\n%s", rest)
	}
	checkNothingLeft(t, stdout.String())
}

// checkScreen checks what a user sees: the console first and last, no screenful of base64, and key
// files that exist.
func checkScreen(t *testing.T, out string) {
	t.Helper()
	first, last := strings.Index(out, "  web console http://"), strings.LastIndex(out, "docs/console.md")
	if walk := strings.Index(out, "\n1. "); first < 0 || first > walk || last < strings.LastIndex(out, "curl ") {
		t.Errorf("the console is not the first and the last that is printed: %d, %d", first, last)
	}
	for line := range strings.Lines(out) {
		if len(line) > longBody+20 {
			t.Errorf("a line of %d characters: %.60s…", len(line), line)
		}
	}
	_, folder, _ := strings.Cut(out, "key files for a new wallet: ")
	folder, _, _ = strings.Cut(folder, "\n")
	for _, name := range cosigners {
		content, err := os.ReadFile(filepath.Join(folder, name+".json"))
		if err != nil || !strings.Contains(string(content), `"p2wsh_deriv": "m/48'/1'/1'/2'"`) {
			t.Errorf("the key file of %s: %v %s", name, err, content)
		}
	}
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

func noEnvironment(string) string { return "" }

// checkNothingLeft checks that the directory named in the output was removed.
func checkNothingLeft(t *testing.T, out string) {
	t.Helper()
	_, rest, _ := strings.Cut(out, "directory ")
	dir, _, found := strings.Cut(rest, ", removed at the end")
	if !found {
		t.Fatalf("the output does not name the directory:\n%s", out)
	}
	if _, err := os.Stat(strings.TrimSpace(dir)); !os.IsNotExist(err) {
		t.Errorf("the demo's directory still exists: %v", err)
	}
}
