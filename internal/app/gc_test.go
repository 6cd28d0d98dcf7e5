package app

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestWorkload(t *testing.T) {
	const mb = 1 << 20
	var w workload
	total := uint64(0)
	for i, step := range []struct {
		more uint64
		want bool
	}{
		{mb, false}, // the load has not been high yet
		{0, false},
		{100 * mb, false}, // high load
		{11 * mb, false},  // the load is lower, but still high
		{10 * mb, true},
		{10 * mb, false}, // the load has not changed
		{0, true},        // no load after high load
		{0, false},
		{3 * mb, false},
		{0, false},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			total += step.more
			if got := w.calmed(total); got != step.want {
				t.Errorf("step %d: %v", i+1, got)
			}
		})
	}
}

// TestMemoryRelease checks that memory is returned after a period of high load. It does not
// run in parallel, since other tests would allocate memory meanwhile.
func TestMemoryRelease(t *testing.T) {
	const size = 64 << 20
	kept := func() uint64 { // heap memory obtained from the operating system, in bytes
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
		t.Fatalf("%d bytes, with %d more %d", before, size, with)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var released atomic.Bool
	running.Go(func() {
		releaseMemory(ctx, 20*time.Millisecond, func(context.Context) error {
			released.Store(true)
			return nil
		})
	})
	defer running.Wait()
	defer stop()
	testkit.Eventually(t, "the memory is given back", func() bool { return kept() < with-size/2 && released.Load() })
}
