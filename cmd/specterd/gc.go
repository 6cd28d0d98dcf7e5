package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// gcPercent has a small heap grow to five times what is in use before it is
	// collected: by default it is collected all the time.
	gcPercent = 400
	// gcRoom is by how many bytes any heap may grow before that. Of 10,000
	// connections 150 MB are in use, and four times as much again would be too much.
	gcRoom = 48 << 20
	// leastGCPercent bounds what collecting costs where very much is in use.
	leastGCPercent = 25
)

// tuneGC keeps the garbage collector at these figures, after each time that it ran.
func tuneGC() {
	// What a percentage is of (runtime/debug.SetGCPercent).
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	current := gcPercent
	debug.SetGCPercent(current)
	type cycle [32]byte // smaller ones may live longer than one collection
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
		runtime.SetFinalizer(new(cycle), tune) // which is called when this one was collected
	}
	runtime.SetFinalizer(new(cycle), tune)
}

// calmAfter is how long there must have been little to do.
const calmAfter = 10 * time.Second

// giveBack gives memory back to the system when a time of much work is over, until
// ctx ends; every so often it looks whether it is. By itself the runtime keeps what
// the heap may grow to again.
func giveBack(ctx context.Context, every time.Duration) {
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

// workload is how much there is to do, told by the bytes that are allocated for it.
type workload struct {
	total uint64 // at the last look
	most  uint64 // between two looks, since it was calm
}

// worthwhile is less than what a heap is collected at in any case.
const worthwhile = 4 << 20

// calmed reports whether much was to be done and now is little. Total are the bytes
// that were allocated since the start.
func (w *workload) calmed(total uint64) bool {
	now := total - w.total
	w.total, w.most = total, max(w.most, now)
	if w.most < worthwhile || now > w.most/10 {
		return false
	}
	w.most = now
	return true
}
