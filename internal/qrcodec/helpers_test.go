package qrcodec

import "testing"

// The tests of this package cannot import testkit, which imports this package. These helpers
// are the same as there.

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func valueOf[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		noError(t, err)
		return v
	}
}

func needsServer(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skipf("skipped by -short: the test requires %s", what)
	}
}
