package main

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

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
	address := freeAddress(t)
	s := startServer(t, t.TempDir(), "SPECTER_METRICS_LISTEN="+address)
	secret := s.token("load").Secret
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() { s.latencies(t, secret, 3000, false) })
	}
	running.Wait()
	// What the runtime has for the heap and does not use.
	kept := func() float64 {
		text := get(t, "http://"+address+"/metrics", http.StatusOK)
		of := func(name string) float64 {
			_, rest, _ := strings.Cut(text, "\n"+name+" ")
			line, _, _ := strings.Cut(rest, "\n")
			value, err := strconv.ParseFloat(line, 64)
			check(t, err)
			return value
		}
		return of("go_memstats_heap_idle_bytes") - of("go_memstats_heap_released_bytes") + of("go_memstats_heap_alloc_bytes")
	}
	loaded := kept()
	testkit.Eventually(t, "the memory is given back", func() bool {
		time.Sleep(2 * time.Second) // to ask is work, too
		return kept() < loaded*2/3
	})
	t.Logf("%.1f MB, then %.1f MB", loaded/1e6, kept()/1e6)
}
