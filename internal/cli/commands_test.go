package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// shell runs commands with the settings of one installation.
type shell struct {
	settings map[string]string
	node     *testkit.Node
	url      string // of the server; empty unless serve was called
	token    string // of the first admin
}

// newShell returns a shell with an SQLite database, or with a new PostgreSQL database, and
// with a node that has the wallets payer and cosigners of the demo, and their public keys.
func newShell(t *testing.T, postgres bool) (s *shell, keys []string) {
	t.Helper()
	s = &shell{node: testkit.Bitcoind(t)}
	s.settings = map[string]string{
		"HOME": t.TempDir(), "PORT": "0", "SPECTER_API_ACTIVE": "true", "SPECTER_BCRYPT_COST": "4",
		"SPECTER_ADMIN_PASSWORD": "not-the-default", "SPECTER_NODE_URL": s.node.URL(), "SPECTER_LOG_LEVEL": "error",
	}
	if postgres {
		s.settings["SPECTER_DATABASE_URL"] = testkit.Postgres(t)
		s.settings["SECRET_KEY"] = strings.Repeat("k", 32)
	}
	s.run(t, "user", "list", "--init")
	all, _, err := prepare(t.Context(), s.node.Node)
	testkit.Check(t, err)
	return s, all[0]
}

// try runs a command and returns its output and its error.
func (s *shell) try(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	var out, errors testkit.Log
	err = run(ctx, args, func(name string) string { return s.settings[name] }, strings.NewReader(""), &out, &errors)
	return out.String(), errors.String(), err
}

// run runs a command that must succeed, and returns its output.
func (s *shell) run(t *testing.T, args ...string) string {
	t.Helper()
	out, errors, err := s.try(t.Context(), args...)
	if err != nil {
		t.Fatalf("specterd %s: %v\n%s%s", strings.Join(args, " "), err, out, errors)
	}
	return out
}

// change runs a command that must succeed, and checks whether it says that it changed the
// database.
func (s *shell) change(t *testing.T, changes bool, args ...string) string {
	t.Helper()
	out, errors, err := s.try(t.Context(), args...)
	if err != nil || strings.Contains(errors, "Changed the database") != changes {
		t.Errorf("specterd %s: %v; want that it changes the database: %t\n%s%s", strings.Join(args, " "), err, changes, out, errors)
	}
	return out
}

// addUser adds a user.
func (s *shell) addUser(t *testing.T, name string) {
	t.Helper()
	testkit.Check(t, run(t.Context(), []string{"user", "add", name, "--password-stdin"}, func(name string) string { return s.settings[name] },
		strings.NewReader("correct horse battery\n"), new(testkit.Log), new(testkit.Log)))
}

// refuse runs a command that must fail with a text in its error.
func (s *shell) refuse(t *testing.T, text string, args ...string) {
	t.Helper()
	out, _, err := s.try(t.Context(), args...)
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Fatalf("specterd %s: %v, want %q\n%s", strings.Join(args, " "), err, text, out)
	}
}

// serve runs a server until the test ends.
func (s *shell) serve(t *testing.T) {
	t.Helper()
	var stdout, stderr testkit.Log
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"serve"}, func(name string) string { return s.settings[name] }, strings.NewReader(""), &stdout, &stderr)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil || stderr.String() != "" {
			t.Errorf("serve: %v\n%s", err, stderr.String())
		}
	})
	testkit.Eventually(t, "the server listens", func() bool {
		_, rest, found := strings.Cut(stdout.String(), "listens on ")
		s.url = strings.TrimSpace(rest)
		return found && strings.HasSuffix(rest, "\n")
	})
	const allScopes = `{"description": "test", "lifetime": "1 day", "scopes": ["wallets:*", "addresses:write", "proposals:*", "users:read", "audit:read", "members:*", "webhooks:*", "policies:*", "node:read"]}`
	s.token, _ = field(s.send(t, http.MethodPost, "/api/v1/tokens", allScopes), "token").(string)
}

// get returns the response of the API to the first admin, decoded.
func (s *shell) get(t *testing.T, path string) any {
	t.Helper()
	return s.send(t, http.MethodGet, path, "")
}

func (s *shell) send(t *testing.T, method, path, body string) any {
	t.Helper()
	request := testkit.Value(http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body)))(t)
	request.Header.Set("Content-Type", "application/json")
	if s.token == "" {
		request.SetBasicAuth("admin", s.settings["SPECTER_ADMIN_PASSWORD"])
	} else {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := http.DefaultClient.Do(request)
	testkit.Check(t, err)
	answer := testkit.Value(io.ReadAll(response.Body))(t)
	testkit.Check(t, response.Body.Close())
	if response.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s\n%s", method, path, response.Status, answer)
	}
	return decoded(t, string(answer))
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}

// createVault creates a wallet of which two of three keys must sign, and pays n times one
// bitcoin to it. It returns when the server has indexed the payments.
func (s *shell) createVault(t *testing.T, keys []string, n int) {
	t.Helper()
	args := []string{"wallet", "create", "--name", "Vault", "--birthday", "now", "--script", "wsh", "--signatures-required", "2"}
	for _, key := range keys {
		args = append(args, "--key", key)
	}
	s.run(t, args...)
	for range n {
		address, _ := s.get(t, "/api/v1/wallets/vault/addresses?branch=receive&limit=1").(map[string]any)
		first := address["items"].([]any)[0].(map[string]any)["address"]
		s.node.WalletCLI(t, payer, "sendtoaddress", first, 1)
	}
	s.node.Mine(t, 1)
	testkit.Eventually(t, "the payments are available", func() bool {
		return field(s.get(t, "/api/v1/wallets/vault"), "balances", "available_sat") == float64(n)*1e8
	})
}

// awaitTip waits until the server, which polls the node, knows the last block. Commands without a
// server always ask the node.
func (s *shell) awaitTip(t *testing.T) {
	t.Helper()
	tip := decoded(t, string(s.node.CLI(t, "getbestblockhash")))
	testkit.Eventually(t, "the server knows the last block", func() bool {
		return field(s.get(t, "/api/v1/node"), "best_block_hash") == tip
	})
}

// field returns a member of nested JSON objects.
func field(v any, names ...string) any {
	for _, name := range names {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// newAddress returns an address that belongs to another wallet.
func (s *shell) newAddress(t *testing.T) string {
	t.Helper()
	address, _ := decoded(t, string(s.node.WalletCLI(t, payer, "getnewaddress"))).(string)
	return address
}

// sign signs the PSBT in a file with a wallet of the node, and returns the file with the
// signed one.
func (s *shell) sign(t *testing.T, path, wallet string) string {
	t.Helper()
	psbt := testkit.Value(os.ReadFile(path))(t)
	signed := filepath.Join(t.TempDir(), wallet+".psbt")
	testkit.Check(t, os.WriteFile(signed, testkit.Value(s.node.Node.Sign(t.Context(), wallet, psbt))(t), 0o600))
	return signed
}

var uuidText = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, postgres bool)) {
	t.Helper()
	for name, postgres := range map[string]bool{"SQLite": false, "PostgreSQL": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, postgres)
		})
	}
}
