package main

import (
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/testkit"
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

// TestMemoryIsGivenBack: what a load needed is not kept.
func TestMemoryIsGivenBack(t *testing.T) {
	t.Parallel()
	s := startServer(t, t.TempDir())
	secret := s.token("load").Secret
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() { s.latencies(t, secret, 3000, false) })
	}
	running.Wait()
	const less = 8 // MB, of some 14 that the heap has grown by
	loaded := s.residentMB()
	testkit.Eventually(t, "the memory is given back", func() bool { return s.residentMB() <= loaded-less })
}
