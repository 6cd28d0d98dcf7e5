package testkit

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
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

// Seed is what the random choices of a test depend on. The test tells it; with
// SPECTERD_SEED it makes the same choices again.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("SPECTERD_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		check(t, err)
	}
	t.Logf("SPECTERD_SEED=%d", seed)
	return seed
}

// Spread does something n times, on all processors, until the test has failed. The
// random numbers of each time depend on the seed and on i.
func Spread(t testing.TB, seed uint64, n int, do func(i int, r *rand.Rand)) {
	t.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			source := rand.NewPCG(0, 0)
			r := rand.New(source)
			for i := int(next.Add(1)) - 1; i < n && !t.Failed(); i = int(next.Add(1)) - 1 {
				source.Seed(seed, uint64(i))
				do(i, r)
			}
		})
	}
	all.Wait()
}
