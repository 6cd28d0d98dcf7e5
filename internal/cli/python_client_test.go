package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestPythonClient runs the tests of the Python client with a server and a node, and then
// the code blocks of its documents.
func TestPythonClient(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	python := systemPython(t)
	source := clientSource(t)
	client := filepath.Join(source, "clients", "python")
	environment := append(os.Environ(), serveWalkThroughsOn(t, testkit.Bitcoind(t), "SPECTER_WEBHOOK_HOSTS=127.0.0.1")...)
	environment = append(environment, "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH="+client)

	tests := exec.CommandContext(t.Context(), python, "-m", "unittest", "discover", "-s", "tests", "-t", ".", "-p", "test_[!s]*.py")
	tests.Env, tests.Dir = environment, client
	out, err := tests.CombinedOutput()
	if err != nil || !regexp.MustCompile(`(?m)^Ran \d{2,} tests in [\d.]+s\n\nOK$`).Match(out) {
		t.Fatalf("%s -m unittest: %v\n%s", python, err, out)
	}
	story := tellStory(t, source, environment, client, python, "-m", "unittest", "tests.test_story")
	if !strings.Contains(story, "Ran 4 tests") || !strings.HasSuffix(story, "\nOK\n") {
		t.Errorf("the story:\n%s", story)
	}

	create := exec.CommandContext(t.Context(), python, "-c", `import os, specterd
client = specterd.Client(os.environ["URL"], user="admin", password=os.environ["ADMIN_PASSWORD"])
print(client.tokens.create("six calls", lifetime="1 hour", scopes=["wallets:read", "addresses:write", "proposals:*"]).token)`)
	create.Env = environment
	token, err := create.Output()
	testkit.Check(t, err)
	environment = append(environment, "TOKEN="+string(token))
	for _, document := range []string{"clients/python/README.md", "docs/clients.md"} {
		t.Run(document, func(t *testing.T) {
			code := documentedBlock(t, source, document, "python")
			checkBrief(t, document, code)
			runBlock(t, environment, []string{python, "-c", code}, "balance: ", "address: bcrt1", "is my address: True", "is my withdrawal: True")
		})
	}
}

// systemPython returns the Python of the operating system, or else the one on the PATH.
func systemPython(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if path, err := exec.LookPath(python); err == nil {
			return path
		}
	}
	t.Fatal("python3 is missing; run make test-deps")
	return ""
}
