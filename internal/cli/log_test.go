package cli

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestLogFormat checks the format of the server's log for each setting, on a terminal and in
// a file.
func TestLogFormat(t *testing.T) {
	t.Parallel()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	testkit.Check(t, err)
	t.Cleanup(func() { _ = terminal.Close() })
	for _, test := range []struct {
		format string
		target io.Writer
		json   bool
	}{
		{"auto", terminal, false},
		{"auto", io.Discard, true},
		{"text", terminal, false},
		{"text", io.Discard, false},
		{"json", terminal, true},
		{"json", io.Discard, true},
	} {
		t.Run(test.format, func(t *testing.T) {
			var out bytes.Buffer
			p := &program{stderr: &out, rawError: test.target}
			slog.New(p.logHandler(test.format, nil)).Info("x")
			if got := strings.HasPrefix(out.String(), "{"); got != test.json {
				t.Errorf("%s, terminal: %t: %s", test.format, test.target == terminal, out.String())
			}
		})
	}
}
