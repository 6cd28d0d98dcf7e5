// Package system tests the whole program with real nodes and databases. Most tests run
// specterd in child processes; tests with recorded data run it in this process, with
// the clock of the recordings.
package system

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/specterd/specterd/internal/cli"
)

// TestMain lets the test binary act as the program, so that tests can start and kill it.
// The program is thus compiled like the tests, for example with the race detector, and a
// change to the program invalidates cached test results.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"specterd": func() { os.Exit(cli.Main()) }, writerCommand: writeAndWait})
}
