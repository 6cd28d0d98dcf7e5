package testkit

import "testing"

// Check fails the test at once if err is not nil.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Value returns a function that fails the test at once if err is not nil, and returns v
// otherwise. It takes the results of a call: testkit.Value(os.ReadFile(name))(t).
func Value[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		Check(t, err)
		return v
	}
}

// Must returns v, and panics if err is not nil. It is for calls that cannot fail, such
// as parsing a constant, and for code without a testing.TB. Otherwise use Value.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
