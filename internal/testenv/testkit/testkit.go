// Package testkit starts real servers for tests: a bitcoind on regtest, and
// PostgreSQL. It uses the programs that make test-deps installs. If a program is
// missing, the test fails; tests are skipped only under -short, see [NeedsServer] and
// [NeedsTime].
// No server and no file outlives the test process, even if it is killed.
package testkit

import (
	"testing"
	"time"
)

// Eventually waits until holds returns true, and fails the test if that takes
// longer than a minute.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("timeout after %v: %s", patience, what)
		}
	}
}
