// Package testkit starts real servers for tests: a bitcoind on regtest, and
// PostgreSQL. It takes them from the programs that make deps puts in place, and
// a test that finds none fails rather than skip; only -short skips, see
// [NeedsServer]. Nothing that it starts or writes outlives the test process, even
// when that is killed.
package testkit

import (
	"testing"
	"time"
)

// Eventually waits until the condition holds, and fails the test if it does not
// within a minute.
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

// check fails the test if there is an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
