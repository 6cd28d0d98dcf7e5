package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testkit"
)

// TestImportStatus: the program's status tells complete, partial and failed.
func TestImportStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder string
		want   int
	}{{"real", exitPartial}, {"madeup", exitPartial}, {"gone", 1}} {
		for _, flag := range []string{"--dry-run", "--json"} {
			err := runQuietly(t, nil, "import", "../../testdata/specter-desktop/"+c.folder, flag)
			if got := exitStatus(err); err == nil || got != c.want {
				t.Errorf("%s %s: status %d, want %d: %v", c.folder, flag, got, c.want, err)
			}
		}
	}
	if got := exitStatus(errors.New("any other")); got != 1 {
		t.Errorf("status %d", got)
	}
}

// TestImportIntoPostgres: the same on the other database.
func TestImportIntoPostgres(t *testing.T) {
	t.Parallel()
	env := map[string]string{"SPECTER_DATABASE_URL": testkit.Postgres(t), "SECRET_KEY": strings.Repeat("k", 32)}
	for range 2 {
		if err := runQuietly(t, env, "import", "../../testdata/specter-desktop/madeup"); exitStatus(err) != exitPartial {
			t.Errorf("status %d: %v", exitStatus(err), err)
		}
	}
}

// TestImportWritesNothingThere: the folder is as it was.
func TestImportWritesNothingThere(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.CopyFS(path, os.DirFS("../../testdata/specter-desktop/madeup")); err != nil {
		t.Fatal(err)
	}
	before := listing(t, path)
	_ = runQuietly(t, nil, "import", path)
	if after := listing(t, path); after != before {
		t.Errorf("the folder has changed from\n%s\nto\n%s", before, after)
	}
}

func runQuietly(t *testing.T, env map[string]string, args ...string) error {
	t.Helper()
	home := t.TempDir()
	var out bytes.Buffer
	return run(t.Context(), args, func(name string) string {
		switch name {
		case "HOME", "SPECTER_DATA_FOLDER":
			return home
		case "SPECTER_BCRYPT_COST":
			return "4"
		}
		return env[name]
	}, strings.NewReader(""), &out, io.Discard)
}

func listing(t *testing.T, path string) string {
	t.Helper()
	var b strings.Builder
	var walk func(folder string)
	walk = func(folder string) {
		entries, err := os.ReadDir(path + "/" + folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := strings.TrimPrefix(folder+"/"+e.Name(), "/")
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(name + " " + info.ModTime().String() + " " + info.Mode().String() + "\n")
			if e.IsDir() {
				walk(name)
			}
		}
	}
	walk("")
	return b.String()
}
