package main

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestWorkloadCalms(t *testing.T) {
	const mb = 1 << 20
	var w workload
	total := uint64(0)
	for i, step := range []struct {
		more uint64
		want bool
	}{
		{mb, false}, // never much
		{0, false},
		{100 * mb, false}, // much
		{11 * mb, false},  // less, and not little
		{10 * mb, true},
		{10 * mb, false}, // as little as before
		{0, true},        // that was much beside nothing
		{0, false},
		{3 * mb, false},
		{0, false},
	} {
		total += step.more
		if got := w.calmed(total); got != step.want {
			t.Errorf("step %d: %v", i+1, got)
		}
	}
}

// TestMemoryIsGivenBack: what was needed is not kept. It runs alone, since others
// would need some meanwhile.
func TestMemoryIsGivenBack(t *testing.T) {
	const size = 64 << 20
	kept := func() uint64 { // what the system has given for the heap
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapSys - m.HeapReleased
	}
	before := kept()
	needed := make([]byte, size)
	needed[0] = 1
	with := kept()
	runtime.KeepAlive(needed)
	if with < before+size/2 {
		t.Fatalf("%d bytes, and with %d more %d", before, size, with)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { giveBack(ctx, 20*time.Millisecond) })
	defer running.Wait()
	defer stop()
	testkit.Eventually(t, "the memory is given back", func() bool { return kept() < with-size/2 })
}
