package cli

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/specterd/specterd/internal/testenv/headless"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestTypeScriptClient builds the TypeScript client, runs its tests with a server and a node,
// then the code blocks of its documents, and one of them in a browser.
func TestTypeScriptClient(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	testkit.NeedsServer(t, "npm")
	root := clientSource(t)
	built := filepath.Join(root, ".cache", "typescript")
	node := filepath.Join(root, "scripts", "node.sh")
	execute(t, root, nil, "scripts/typescript.sh")
	documents := []string{"clients/typescript/README.md", "docs/clients.md"}
	for i, document := range documents {
		code := documentedBlock(t, root, document, "ts")
		checkBrief(t, document, code)
		testkit.Check(t, os.WriteFile(filepath.Join(built, "test", "document"+string(rune('0'+i))+".ts"), []byte(code), 0o600))
	}
	execute(t, built, nil, "node_modules/.bin/tsc", "-p", "tsconfig.test.json")

	environment := append(os.Environ(), serveWalkThroughsOn(t, testkit.Bitcoind(t), "SPECTER_WEBHOOK_HOSTS=127.0.0.1")...)
	environment = append(environment, "SPECIFICATION="+filepath.Join(root, "docs", "openapi.json"))
	tests := []string{node, "--test", "--test-timeout=300000", "--test-reporter=tap"}
	allPassed := regexp.MustCompile(`(?s)\n# pass (\d+)\n# fail 0\n.*\n# skipped 0\n`)
	out := execute(t, built, environment, append(tests, "build/test/client.test.js")...)
	if passed := allPassed.FindStringSubmatch(out); passed == nil || len(passed[1]) < 2 {
		t.Errorf("node --test:\n%s", out)
	}
	story := tellStory(t, root, environment, built, append(tests, "build/test/story.test.js")...)
	if passed := allPassed.FindStringSubmatch(story); passed == nil || passed[1] != "4" {
		t.Errorf("the story:\n%s", story)
	}
	token := strings.TrimSpace(execute(t, built, environment, node, "--input-type=module", "--eval", `
		import { Client } from "specterd-client";
		const admin = new Client(process.env.URL, { user: "admin", password: process.env.ADMIN_PASSWORD });
		console.log((await admin.createToken({ body: { description: "six", lifetime: "1 hour", scopes: ["wallets:read", "addresses:write", "proposals:*", "events:read"] } })).token);`))
	environment = append(environment, "TOKEN="+token)
	for i := range documents {
		runBlock(t, environment, []string{node, filepath.Join(built, "build", "test", "document"+string(rune('0'+i))+".js")}, sixCalls...)
	}
	t.Run("browser", func(t *testing.T) { callInBrowser(t, built, environment, token) })
}

// sixCalls are texts that the documented blocks print.
var sixCalls = []string{"balance: ", "address: bcrt1", "is my address: true", "is my withdrawal: true", "fee of the transaction: "}

// documentedBlock returns the only executed block of a document of a source directory in a language.
func documentedBlock(t *testing.T, source, document, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(source, document))
	testkit.Check(t, err)
	var found []string
	for _, match := range walkThroughBlock.FindAllStringSubmatch(string(text), -1) {
		if match[2] == language {
			found = append(found, match[3])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d executed blocks in %s, want 1", document, len(found), language)
	}
	return found[0]
}

// execute runs a command in a folder and returns its output. The command must succeed.
func execute(t *testing.T, dir string, environment []string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, environment
	if strings.Contains(command[0], "/") && !filepath.IsAbs(command[0]) {
		cmd.Path, cmd.Err = filepath.Join(dir, command[0]), nil
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return string(out)
}

// callInBrowser calls the server with the client in a page of the same origin.
func callInBrowser(t *testing.T, built string, environment []string, token string) {
	server, err := url.Parse(settingOf(environment, "URL"))
	testkit.Check(t, err)
	mux := http.NewServeMux()
	mux.Handle("/api/", httputil.NewSingleHostReverseProxy(server))
	mux.Handle("/client/", http.StripPrefix("/client/", http.FileServer(http.Dir(filepath.Join(built, "dist")))))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>client</title>"))
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	ctx := headless.Chromium(t)
	testkit.Check(t, chromedp.Do(ctx, chromedp.Navigate(site.URL)))
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => {
		const { Client, SpecterdError } = await import("/client/index.js");
		const client = new Client(location.origin, `+"`"+token+"`"+`);
		const wallet = await client.getWallet({ alias: "community_vault" });
		let first;
		for await (const event of client.events({ alias: wallet.alias })) { first = event; break; }
		const refused = await client.listUsers().catch((error) => error instanceof SpecterdError && error.code);
		return [wallet.alias, typeof wallet.balances.available_sat, refused, first ? "event" : ""].join(" ");
	})().catch((error) => String(error))`, chromedp.EvalAwaitPromise))
	if want := "community_vault number insufficient_scope event"; err != nil || got != want {
		t.Errorf("in the browser: %q, %v, want %q", got, err, want)
	}
}
