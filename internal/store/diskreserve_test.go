package store_test

import (
	"os"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestDiskReserve_FormerName checks that the disk reserve of an earlier version is
// renamed, so that it does not occupy space forever.
func TestDiskReserve_FormerName(t *testing.T) {
	t.Parallel()
	b := openSQLite(t)
	path := b.options.URL
	testkit.Check(t, os.WriteFile(path+".ballast", []byte("reserved"), 0o600))
	b.reopen()
	if _, err := os.Stat(path + ".ballast"); !os.IsNotExist(err) {
		t.Errorf("the file with the former name: %v", err)
	}
	if content, err := os.ReadFile(path + ".reserve"); err != nil || string(content) != "reserved" {
		t.Errorf("the disk reserve is %q, %v", content, err)
	}
}
