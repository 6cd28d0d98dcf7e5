package httpapi_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestGeneratedClient generates a client from the specification with oapi-codegen, compiles
// it with tools/openapi/client, and runs the program against a live server.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	bitcoind := testkit.Bitcoind(t)
	program := buildClient(t)
	w := &world{server: start(t, onNode(bitcoind)), bitcoind: bitcoind, vaults: &vaults{of: map[string]vault{}}, purse: newNodeWallet(t, bitcoind)}
	p := w.user(t, "p", false)
	v := w.vaultOf(t, p)
	w.purse.pay(t, w.server, v.id, 30_000_000, 30_000_000)
	client := exec.CommandContext(t.Context(), program)
	client.Env = append(os.Environ(), "SPECTERD="+w.url, "TOKEN="+w.token(t, p, 0).secret, "WALLET="+v.alias, "PAYEE="+v.foreign)
	if out, err := client.CombinedOutput(); err != nil {
		t.Fatalf("the client: %v\n%s", err, out)
	}
}

// buildClient generates and compiles the client, and returns the path of the program. The
// generated code is passed to the compiler as an overlay and is not written to the source
// tree.
func buildClient(t *testing.T) string {
	t.Helper()
	source := testkit.Must(filepath.Abs("../../tools/openapi/client"))
	dir := t.TempDir()
	specification, generated, overlay, program := filepath.Join(dir, "openapi.json"), filepath.Join(dir, "api.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "client")
	testkit.Check(t, os.WriteFile(specification, testkit.Must(httpapi.Describe(httpapi.Routes(httpapi.Options{}), "test")), 0o600))
	files := map[string]map[string]string{"Replace": {filepath.Join(source, "api.go"): generated}}
	testkit.Check(t, os.WriteFile(overlay, testkit.Must(json.Marshal(files)), 0o600))
	for _, args := range [][]string{
		{"tool", "oapi-codegen", "-generate", "types,client", "-package", "main", "-o", generated, specification},
		{"build", "-overlay", overlay, "-tags", "generated", "-o", program, "."},
	} {
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = source
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args[0], err, out)
		}
	}
	return program
}
