package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// gcPercent is the value of GOGC. The heap can grow to five times the live bytes before a
	// collection. With Go's default of 100 percent, a small heap would be collected very
	// often.
	gcPercent = 400
	// memoryLimit is the number of bytes near which the heap is collected more often. Without
	// it, a heap of 150 MB, which 10,000 connections use, could grow by 600 MB. If more bytes
	// are live, the Go runtime exceeds it rather than collect all the time.
	memoryLimit = 256 << 20
)

// TuneGC sets GOGC and the memory limit of the Go runtime.
func TuneGC() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
}

// calmAfter is the interval at which releaseMemory measures the load.
const calmAfter = 10 * time.Second

// releaseMemory returns memory to the operating system after a period of high load, until
// ctx ends. It measures the load at each interval. The runtime alone would keep the
// memory that the heap may grow to again.
func releaseMemory(ctx context.Context, every time.Duration) {
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
