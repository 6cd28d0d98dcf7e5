package cli

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// askedHealth runs specterd health with the given settings, and returns its output or
// error.
func askedHealth(t *testing.T, settings map[string]string, args ...string) string {
	t.Helper()
	var stdout, stderr testkit.Log
	getenv := func(name string) string { return settings[name] }
	if err := run(t.Context(), append([]string{"health"}, args...), getenv, strings.NewReader(""), &stdout, &stderr); err != nil {
		return "error: " + err.Error()
	}
	return stdout.String()
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
			check(t, err)
			settings := map[string]string{"HOST": c.ask, "PORT": at.Port(), "SPECTER_API_ACTIVE": "true"}
			for _, line := range c.server {
				name, value, _ := strings.Cut(line, "=")
				settings[name] = value
			}
			if got := askedHealth(t, settings); got != "i am alive\n" {
				t.Errorf("health: %s", got)
			}
			if got := askedHealth(t, settings, "--ready"); !strings.HasPrefix(got, "error: Readyness probe failed: the Bitcoin node ") {
				t.Errorf("health --ready, without a node: %s", got)
			}
		})
	}
}

// TestHealth_OtherServer checks that responses of a server that is not specterd count as
// unhealthy.
func TestHealth_OtherServer(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"404 Not Found": http.NotFound,
		"302 Found":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"200 OK":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"hello": "you"}`)) },
	}
	for want, answer := range answers {
		other := httptest.NewServer(answer)
		defer other.Close()
		_, port, err := net.SplitHostPort(other.Listener.Addr().String())
		check(t, err)
		if got := askedHealth(t, map[string]string{"PORT": port}); !strings.Contains(got, "responded with "+want+", which is not") {
			t.Errorf("%s: %s", want, got)
		}
	}
}
