package testkit

import "testing"

// NeedsServer skips the test under go test -short, since it requires the program
// named by what, such as "bitcoind". Every function that starts a server for a test
// calls it, so that tests need not call it themselves. make test-short counts the
// skipped tests by this message.
func NeedsServer(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("skipped by -short: the test requires %s", what)
	}
}
