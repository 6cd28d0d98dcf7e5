package main

import (
	"path/filepath"
	"testing"

	"github.com/specterd/specterd/internal/testenv/childprocess"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestImport_BoundedMemory checks, as a short form of measureImport, that the memory
// use of an import does not grow with the number of labels. Both databases exceed
// SQLite's cache, so that the cache is full in both cases, and frequent garbage
// collection keeps the peak close to the live memory. Keeping the additional 80,000
// labels in memory would take 30 MB.
func TestImport_BoundedMemory(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	dir, remove, err := childprocess.TempDir("specterd-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{dir: dir}
	if b.binary, err = buildSpecterd(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	c, err := startChain(t.Context(), filepath.Join(dir, "bitcoind"), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Kill()
	const busy = "GOGC=10"
	few, err := b.runImport(t.Context(), c, 2, 40_000, busy)
	if err != nil {
		t.Fatal(err)
	}
	many, err := b.runImport(t.Context(), c, 2, 120_000, busy)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, and %s for three times as many labels", megabytes(few.peak), megabytes(many.peak))
	if many.growth(few) > importGoal {
		t.Errorf("an import of 40,000 labels takes %s, and one of 120,000 %s", megabytes(few.peak), megabytes(many.peak))
	}
}
