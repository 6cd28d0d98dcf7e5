package app

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// gcPercent is the value of GOGC for a small heap. The heap can grow to five times
	// the live bytes before a collection. With Go's default of 100 percent, a small heap
	// would be collected very often.
	gcPercent = 400
	// gcRoom is the maximum growth in bytes before a collection. Without this limit, a heap
	// of 150 MB, which 10,000 connections use, could grow by 600 MB.
	gcRoom = 48 << 20
	// leastGCPercent is the minimum value of GOGC. It limits the frequency of collections
	// if the live heap is very large.
	leastGCPercent = 25
)

// TuneGC starts to adjust GOGC after each collection, within the limits above.
func TuneGC() {
	// The percentage applies to these bytes (see runtime/debug.SetGCPercent).
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	current := gcPercent
	debug.SetGCPercent(current)
	type cycle [32]byte // large enough that its finalizer runs; finalizers of tiny objects may not
	var tune func(*cycle)
	tune = func(*cycle) {
		metrics.Read(inUse)
		sum := uint64(1)
		for _, s := range inUse {
			sum += s.Value.Uint64()
		}
		if percent := min(gcPercent, max(leastGCPercent, int(gcRoom*100/sum))); percent != current { //nolint:gosec // a few hundred
			current = percent
			debug.SetGCPercent(current)
		}
		runtime.SetFinalizer(new(cycle), tune) // the finalizer runs at the next collection
	}
	runtime.SetFinalizer(new(cycle), tune)
}

// calmAfter is the interval at which releaseMemory measures the load.
const calmAfter = 10 * time.Second

// releaseMemory returns memory to the operating system after a period of high load, until
// ctx ends. It measures the load at each interval. The runtime alone would keep the
// memory that the heap may grow to again, and the database its caches, which release frees.
func releaseMemory(ctx context.Context, every time.Duration, release func(context.Context) error) {
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var w workload
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			metrics.Read(allocated)
			if w.calmed(allocated[0].Value.Uint64()) {
				_ = release(ctx) // without it, the process only takes more memory
				debug.FreeOSMemory()
			}
		}
	}
}

// workload measures the load by the number of allocated bytes.
type workload struct {
	total uint64 // at the last measurement
	most  uint64 // largest number of bytes allocated in one interval since the last period of high load
}

// minHighLoad is the minimum load, in bytes allocated per interval, of a high-load period.
// It is below the heap size that triggers a collection.
const minHighLoad = 4 << 20

// calmed reports whether a period of high load has just ended. Total is the number of
// bytes allocated since the start of the process.
func (w *workload) calmed(total uint64) bool {
	now := total - w.total
	w.total, w.most = total, max(w.most, now)
	if w.most < minHighLoad || now > w.most/10 {
		return false
	}
	w.most = now
	return true
}
