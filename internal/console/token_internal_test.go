package console

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
)

// TestCommandLine checks the commands for a new token at several addresses of the server. Without
// TLS, specterd uses a server on another machine only if that is allowed.
func TestCommandLine(t *testing.T) {
	for origin, flags := range map[string]string{
		"http://127.0.0.1:25441":     "",
		"http://[::1]:25441":         "",
		"http://localhost:25441":     "",
		"https://specterd.example":   "",
		"http://192.168.1.20:25441":  " --allow-http",
		"http://specterd.home:25441": " --allow-http",
	} {
		t.Run(origin, func(t *testing.T) {
			c := &call{Console: &Console{Options: Options{Origin: origin}}}
			want := "\nspecterd --server " + origin + flags + " --token-file specterd.token whoami"
			if got := c.commandLine(auth.Token{}, "secret"); !strings.HasSuffix(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
