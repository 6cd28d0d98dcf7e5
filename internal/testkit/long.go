package testkit

import (
	"os"
	"testing"
	"time"
)

// Long reports whether the full form of the reliability tests was asked for, as
// make verify-long does; make test runs their short form.
func Long() bool { return os.Getenv("SPECTERD_LONG") != "" }

// Size is how much a reliability test does: short, or in its full form long.
func Size(short, long int) int {
	if Long() {
		return long
	}
	return short
}

// Bar is how long something may take: that long in the full form, which wants a
// quiet machine, and ten times as long in the short one.
func Bar(limit time.Duration) time.Duration {
	if Long() {
		return limit
	}
	return 10 * limit
}

// Figure tells what a reliability test measured, for docs/reliability.md.
func Figure(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf("FIGURE "+format, args...)
}
