package system

import (
	"archive/zip"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestTerminalEscapes checks that commands escape control sequences from files and from the
// database.
func TestTerminalEscapes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, evil := filepath.Join(t.TempDir(), "backup.zip"), filepath.Join(t.TempDir(), "evil.zip")
	initialize(t, dir)
	if out, err := tool(t, dir, "backup", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const sequence = "\x1b[2J\u202e"
	rewriteManifest(t, file, evil, func(manifest map[string]any) { manifest["program"] = "specterd" + sequence + "\nok" })
	out, err := tool(t, dir, "restore", "--check", evil).CombinedOutput()
	if err != nil || strings.ContainsAny(string(out), "\x1b\u202e") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("restore --check: %v\n%q", err, out)
	}
	rewriteManifest(t, file, evil, func(manifest map[string]any) {
		manifest["files"] = append(manifest["files"].([]any), map[string]any{"name": "x" + sequence, "bytes": 1, "sha256": ""})
	})
	if out, err = tool(t, dir, "restore", "--check", evil).CombinedOutput(); err == nil || strings.ContainsAny(string(out), "\x1b\u202e") {
		t.Errorf("an error of restore --check: %v\n%q", err, out)
	}
	if out, err = tool(t, dir, "restore", "--check", "missing"+sequence+".zip").CombinedOutput(); err == nil || strings.ContainsAny(string(out), "\x1b\u202e") {
		t.Errorf("an error with the name of a file: %v\n%q", err, out)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "specterd.db"))
	testkit.Check(t, err)
	_, err = db.ExecContext(t.Context(), "UPDATE users SET name = ?", "admin"+sequence)
	testkit.Check(t, errors.Join(err, db.Close()))
	if out, err = tool(t, dir, "user", "list").CombinedOutput(); err != nil || !strings.Contains(string(out), `admin\u001b[2J\u202e`) {
		t.Errorf("user list: %v\n%q", err, out)
	}
}

// rewriteManifest copies a backup and edits the manifest of the copy.
func rewriteManifest(t *testing.T, from, to string, edit func(manifest map[string]any)) {
	t.Helper()
	in, err := zip.OpenReader(from)
	testkit.Check(t, err)
	defer func() { testkit.Check(t, in.Close()) }()
	file, err := os.Create(to)
	testkit.Check(t, err)
	out := zip.NewWriter(file)
	for _, member := range in.File {
		if member.Name != "manifest.json" {
			testkit.Check(t, out.Copy(member))
			continue
		}
		r, err := member.Open()
		testkit.Check(t, err)
		var manifest map[string]any
		testkit.Check(t, json.NewDecoder(r).Decode(&manifest))
		edit(manifest)
		w, err := out.Create(member.Name)
		testkit.Check(t, err)
		testkit.Check(t, json.NewEncoder(w).Encode(manifest))
	}
	testkit.Check(t, errors.Join(out.Close(), file.Close()))
}
