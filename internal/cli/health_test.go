package cli

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestHealth_OtherServer checks that responses of a server that is not specterd count as
// unhealthy.
func TestHealth_OtherServer(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"404 Not Found": http.NotFound,
		"302 Found":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"200 OK":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"hello": "you"}`)) },
	}
	for want, answer := range answers {
		t.Run(want, func(t *testing.T) {
			other := httptest.NewServer(answer)
			defer other.Close()
			_, port, err := net.SplitHostPort(other.Listener.Addr().String())
			testkit.Check(t, err)
			getenv := func(name string) string { return map[string]string{"PORT": port}[name] }
			err = run(t.Context(), []string{"health"}, getenv, strings.NewReader(""), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), "responded with "+want+", which is not") {
				t.Errorf("%s: %v", want, err)
			}
		})
	}
}
