package system

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMetricsListen checks that, if a separate address is set, metrics are served only
// there.
func TestMetricsListen(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	s := startServer(t, t.TempDir(), "SPECTER_METRICS_LISTEN="+address)
	get(t, s.url+"/api/v1/tokens/self", http.StatusUnauthorized)
	get(t, s.url+"/metrics", http.StatusNotFound)
	text := get(t, "http://"+address+"/metrics", http.StatusOK)
	for _, want := range []string{
		`specterd_http_request_duration_seconds_count{code="401",method="GET",route="/api/v1/tokens/self"} 1`,
		`specterd_http_request_duration_seconds_count{code="404",method="other",route="other"} 1`,
		"specterd_database_up 1\n", "specterd_node_usable 0\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	get(t, "http://"+address+"/debug/pprof/", http.StatusNotFound)
	// A foreign host name that resolves to this machine is refused (DNS rebinding).
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	testkit.Check(t, err)
	r.Host = "evil.example"
	response, err := http.DefaultClient.Do(r)
	testkit.Check(t, err)
	testkit.Check(t, response.Body.Close())
	if response.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("metrics for a foreign Host: %s", response.Status)
	}
}

func get(t *testing.T, url string, status int) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	testkit.Check(t, err)
	response, err := http.DefaultClient.Do(r)
	testkit.Check(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	testkit.Check(t, err)
	if response.StatusCode != status {
		t.Fatalf("%s: %s, want %d: %s", url, response.Status, status, text)
	}
	return string(text)
}
