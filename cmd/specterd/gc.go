package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
