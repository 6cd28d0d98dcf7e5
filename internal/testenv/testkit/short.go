package testkit

import "testing"

// NeedsServer skips a test under go test -short, because it requires what, such as
// "bitcoind". Every function that starts a server for a test calls it, so that tests
// need not ask. make test-short counts the skipped tests by the message.
func NeedsServer(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("skipped by -short: the test requires %s", what)
	}
}
