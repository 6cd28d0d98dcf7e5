package system

import (
	"errors"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// askedHealth runs specterd health with the given settings, and returns its output or
// error.
func askedHealth(t *testing.T, settings []string, args ...string) string {
	t.Helper()
	cmd := tool(t, t.TempDir(), append([]string{"health"}, args...)...)
	cmd.Env = append(cmd.Env, settings...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "error: " + string(exit.Stderr)
	}
	testkit.Check(t, err)
	return string(out)
}

func TestHealth(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, _ := certificate(t, dir)
	secured := []string{"SPECTER_TLS_CERT_FILE=" + certFile, "SPECTER_TLS_KEY_FILE=" + keyFile}
	for name, c := range map[string]struct {
		listen, ask string
		server      []string
	}{
		"loopback":                 {"127.0.0.1", "127.0.0.1", nil},
		"by its name":              {"localhost", "localhost", nil},
		"every address":            {"0.0.0.0", "0.0.0.0", nil},
		"every address, and IPv6":  {"::", "::", nil},
		"TLS, with any name in it": {"127.0.0.1", "localhost", secured},
		"switched off":             {"127.0.0.1", "127.0.0.1", []string{"SPECTER_API_ACTIVE=false"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, t.TempDir(), append(c.server, "HOST="+c.listen)...)
			at, err := url.Parse(s.url)
			testkit.Check(t, err)
			settings := append([]string{"HOST=" + c.ask, "PORT=" + at.Port(), "SPECTER_API_ACTIVE=true"}, c.server...)
			if got := askedHealth(t, settings); got != "i am alive\n" {
				t.Errorf("health: %s", got)
			}
			if got := askedHealth(t, settings, "--ready"); !strings.HasPrefix(got, "error: specterd: Readyness probe failed: the Bitcoin node ") {
				t.Errorf("health --ready, without a node: %s", got)
			}
		})
	}
}
