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

// Long reports whether the long form of the reliability tests is requested, as by
// make verify-long. Otherwise, as in make test, they run in their short form.
func Long() bool { return os.Getenv("SPECTERD_LONG") != "" }

// Size returns the size of a reliability test: long in its long form, and short
// otherwise.
func Size(short, long int) int {
	if Long() {
		return long
	}
	return short
}

// Bar returns a time limit: limit in the long form, which requires a quiet machine,
// and ten times limit in the short form.
func Bar(limit time.Duration) time.Duration {
	if Long() {
		return limit
	}
	return 10 * limit
}

// Figure logs a result of a reliability test for docs/reliability.md.
func Figure(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf("FIGURE "+format, args...)
}

// Seed returns a seed for a test's random choices and logs it. If SPECTERD_SEED is
// set, it returns that seed, to repeat a run.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("SPECTERD_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		Check(t, err)
	}
	t.Logf("SPECTERD_SEED=%d", seed)
	return seed
}

// Spread calls do n times, on all processors, and stops early if the test fails.
// The random numbers of each call depend only on seed and i.
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
