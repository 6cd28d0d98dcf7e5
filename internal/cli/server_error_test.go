package cli

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestServerCommands_Refused checks the errors of commands that use a server.
func TestServerCommands_Refused(t *testing.T) {
	s, _ := newShell(t, false)
	s.serve(t)
	r := s.remoteAs(t, "admin", "wallets:read")
	file := r.settings["SPECTER_TOKEN_FILE"]
	token := strings.TrimSpace(string(testkit.Value(os.ReadFile(file))(t)))
	refuse := func(t *testing.T, status int, text string, args ...string) {
		t.Helper()
		out, problems, err := r.try(t.Context(), args...)
		if err == nil || !strings.Contains(err.Error(), text) || exitStatus(err) != status || out != "" {
			t.Errorf("specterd %s: %v (status %d), want %q (status %d)\n%s", strings.Join(args, " "), err, exitStatus(err), text, status, out)
		}
		if err != nil && strings.Contains(err.Error()+out+problems, token[:20]) {
			t.Errorf("specterd %s shows the token", strings.Join(args, " "))
		}
	}
	write := func(name, content string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		testkit.Check(t, os.WriteFile(path, []byte(content), 0o600))
		testkit.Check(t, os.Chmod(path, mode))
		return path
	}
	list := func(flags ...string) []string { return append([]string{"wallet", "list"}, flags...) }

	t.Run("token file", func(t *testing.T) {
		for _, mode := range []os.FileMode{0o640, 0o604, 0o660} {
			refuse(t, 1, fmt.Sprintf("can access the file (%v); run: chmod go= ", mode), list("--token-file", write("token", token, mode))...)
		}
		r.run(t, list("--token-file", write("token", token+"\r\n", 0o400))...)
		refuse(t, 1, "no such file", list("--token-file", "./none")...)
		refuse(t, 1, "contains no token", list("--token-file", write("token", "\n", 0o600))...)
		refuse(t, 1, "must contain an access token and nothing else", list("--token-file", write("token", token+"\nx", 0o600))...)
		refuse(t, 1, "must contain an access token and nothing else", list("--token-file", write("token", strings.Repeat("x", 70_000), 0o600))...)
		refuse(t, 1, "the token contains characters that no token has", list("--token-file", write("token", "tökén", 0o600))...)
		refuse(t, 2, "--token-file is empty", "wallet", "list", "--token-file", "")
		refuse(t, 2, "--server is empty", "wallet", "list", "--server", "")
		without := func(name, text string, args ...string) {
			kept := r.settings[name]
			delete(r.settings, name)
			refuse(t, 2, text, args...)
			r.settings[name] = kept
		}
		without("SPECTER_TOKEN_FILE", "--token-file or SPECTER_TOKEN_FILE is required", "wallet", "list")
		refuse(t, 2, "flag needs an argument: --token-file", list("--token-file")...)
		for _, args := range [][]string{{"whoami"}, {"wallet", "list"}, {"proposal", "list", "vault"}, {"token", "list"}, {"wallet", "rm", "vault"}} {
			without("SPECTER_SERVER", "--token-file and SPECTER_TOKEN_FILE require a server", args...)
		}
	})
	t.Run("standard input", func(t *testing.T) {
		var out testkit.Log
		settings := func(name string) string { return r.settings[name] }
		testkit.Check(t, run(t.Context(), list("--token-file", "-"), settings, strings.NewReader(token+"\n"), &out, new(testkit.Log)))
		if !strings.HasPrefix(out.String(), "ALIAS ") {
			t.Errorf("the output is %q", out.String())
		}
		err := run(t.Context(), []string{"label", "import", "vault", "-", "--token-file", "-"}, settings, strings.NewReader(token+"\n"), &out, new(testkit.Log))
		if err == nil || !strings.Contains(err.Error(), "standard input contains the token") {
			t.Errorf("%v", err)
		}
	})
	t.Run("rights", func(t *testing.T) {
		refuse(t, 1, "the token lacks the scope proposals:read; create a token with it", "proposal", "list", "vault")
		refuse(t, 1, `user admin has no wallet with the alias "none"`, "wallet", "show", "none")
		refuse(t, 1, `user admin has no wallet with the alias ".."`, "wallet", "utxos", "..")
		refuse(t, 1, "the token lacks the scope policies:read", "policy", "show", "--server-policy")
	})
	t.Run("flags", func(t *testing.T) {
		refuse(t, 2, "--user must not be used with a server", list("--user", "admin")...)
		refuse(t, 2, "--database-url must not be used with a server", list("--database-url", "x.db")...)
		refuse(t, 1, "SPECTER_SERVER (or --server) must begin with https://", list("--server", "http://specterd.example")...)
		refuse(t, 1, "must have the format https://host", list("--server", "https://user:password@specterd.example")...)
		refuse(t, 1, "must have the format https://host", list("--server", "specterd.example")...)
		refuse(t, 2, "--ledger requires --csv", "wallet", "transactions", "--ledger")
	})
	t.Run("only on the machine of the server", func(t *testing.T) {
		for _, line := range []string{
			"serve", "backup", "restore x.backup", "user list", "user add x", "audit list", "session list", "key show",
		} {
			refuse(t, 2, "works on the machine of the server only", strings.Fields(line)...)
		}
		for _, line := range []string{"backup --server https://specterd.example", "user list --token-file x", "--server https://specterd.example doctor", "--server=https://specterd.example doctor"} {
			refuse(t, 2, "with --server, there are export, label, policy, proposal, token, wallet, webhook and whoami", strings.Fields(line)...)
		}
	})
	t.Run("an unknown command", func(t *testing.T) {
		refuse(t, 2, `unknown command "migrate" for "specterd"; specterd serve migrates the database when it starts`, "--server=https://specterd.example", "migrate")
	})
	t.Run("before the command", func(t *testing.T) {
		if out := r.run(t, "--server", s.url, "--token-file", file, "wallet", "list", "--json"); !strings.Contains(out, `"items"`) {
			t.Errorf("the output is %s", out)
		}
	})
	t.Run("connection", func(t *testing.T) {
		refuse(t, 1, "cannot reach http://127.0.0.1:1: connection refused; check the address", list("--server", "http://127.0.0.1:1")...)
		refuse(t, 1, "cannot reach http://nohost.invalid: unknown host nohost.invalid", list("--server", "http://nohost.invalid", "--allow-http")...)
		answer := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"title": "Not Found", "status": 404, "code": "path_not_found", "detail": "there is nothing at this path", "request_id": "x"}`)
		}
		old := httptest.NewServer(http.HandlerFunc(answer))
		t.Cleanup(old.Close)
		refuse(t, 1, "the server at "+old.URL+" may be older than this program", list("--server", old.URL)...)
		refuse(t, 1, "does not use TLS; check the address", list("--server", strings.Replace(old.URL, "http:", "https:", 1))...)
		untrusted := httptest.NewUnstartedServer(http.HandlerFunc(answer))
		untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
		untrusted.StartTLS()
		t.Cleanup(untrusted.Close)
		refuse(t, 1, "the certificate of "+untrusted.URL+" is not trusted: ", list("--server", untrusted.URL)...)
		page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }))
		t.Cleanup(page.Close)
		refuse(t, 1, "not ", list("--server", page.URL)...)
	})
	t.Run("revoked", func(t *testing.T) {
		id, _ := field(decoded(t, r.run(t, "whoami", "--json")), "token", "id").(string)
		s.run(t, "token", "revoke", id, "--yes")
		refuse(t, 1, "invalid credentials; the token may have expired or been revoked; the file "+file+" must contain a valid token of "+s.url, list()...)
	})
}
