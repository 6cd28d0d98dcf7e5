package cli

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestPrivateFiles gives files with private keys or seeds to every command that reads wallets,
// and checks that none is accepted, and that neither the output nor a file in the data directory
// has one of the secrets.
func TestPrivateFiles(t *testing.T) {
	s, _ := newShell(t, false)
	files := map[string]struct{ File, Secret string }{}
	testkit.Check(t, json.Unmarshal(testkit.Must(os.ReadFile("../walletfile/testdata/private-regtest.json")), &files))
	if len(files) < 40 {
		t.Fatalf("%d files", len(files))
	}
	var secrets testkit.Secrets
	desktop, path := t.TempDir(), filepath.Join(t.TempDir(), "file")
	testkit.Check(t, os.CopyFS(desktop, os.DirFS("../../testdata/specter-desktop/real")))
	const signer = "../walletfile/testdata/regtest/key-jade.txt"
	for name, f := range files {
		secrets.Add(name, f.Secret)
		testkit.Check(t, os.WriteFile(path, []byte(f.File), 0o600))
		for _, args := range [][]string{
			{"--file", path, "--dry-run"},
			{"--file", path},
			{"--file", signer, "--file", path, "--signatures-required", "1"},
			{"--descriptor", f.File},
			{"--key", f.File, "--script", "wpkh"},
		} {
			out, log, err := s.try(t.Context(), append([]string{"wallet", "create", "--name", "x", "--birthday", "now"}, args...)...)
			if err == nil {
				t.Errorf("%s: accepted with %s", name, args[0])
			}
			if found := secrets.Find(fmt.Sprint(out, log, err)); len(found) > 0 {
				t.Errorf("%s, %s: the output repeats %v", name, args[0], found)
			}
		}
		for _, folder := range []string{"wallets/regtest", "devices"} {
			at := filepath.Join(desktop, folder, strings.ReplaceAll(name, " ", "_")+".json")
			testkit.Check(t, os.WriteFile(at, []byte(f.File), 0o600))
		}
	}
	out, log, err := s.try(t.Context(), "import", desktop, "--user", "admin=admin")
	if exitStatus(err) != exitPartial || !strings.Contains(out, "contains a PRIVATE KEY") || !strings.Contains(out, "devices/zprv.json ") {
		t.Errorf("the import: %v\n%s", err, out)
	}
	if !strings.Contains(out, "\nNext: 10 pending PSBTs left: ") {
		t.Errorf("the import does not say what left PSBTs mean:\n%s", out)
	}
	if found := secrets.Find(fmt.Sprint(out, log, err)); len(found) > 0 {
		t.Errorf("the import repeats %v", found)
	}
	root := filepath.Join(s.settings["HOME"], ".specterd")
	testkit.Check(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if found := secrets.Find(string(testkit.Must(os.ReadFile(path)))); len(found) > 0 {
			t.Errorf("%s has %v", path, found)
		}
		return nil
	}))
	if got := s.run(t, "wallet", "list", "--json"); strings.Contains(got, `"alias": "x"`) || strings.Contains(got, "Family Vault") {
		t.Errorf("created %s", got)
	}
	if alone := files["xprv alone"]; len(secrets.Find(alone.File)) == 0 { // others share its prefix
		t.Error("the search does not find a secret")
	}
}
