package testkit

import "testing"

// NeedsServer skips the test under go test -short, since it requires the program
// named by what, such as "bitcoind". Every function that starts a server for a test
// calls it, so that tests need not call it themselves. make test-short counts the
// skipped tests.
func NeedsServer(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("skipped by -short: the test requires %s", what)
	}
}

// NeedsTime skips the test under go test -short, since it takes several seconds even though it
// requires no server.
func NeedsTime(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped by -short: the test takes several seconds")
	}
}
