package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestImportStatus checks the exit status of complete, partial and failed imports.
func TestImportStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder string
		want   int
	}{{"real", exitPartial}, {"madeup", exitPartial}, {"gone", 1}} {
		t.Run(c.folder, func(t *testing.T) {
			for _, flag := range []string{"--dry-run", "--json"} {
				err := runQuietly(t, nil, "import", "../../testdata/specter-desktop/"+c.folder, flag)
				if got := exitStatus(err); err == nil || got != c.want {
					t.Errorf("%s %s: status %d, want %d: %v", c.folder, flag, got, c.want, err)
				}
			}
		})
	}
	if got := exitStatus(errors.New("any other")); got != 1 {
		t.Errorf("status %d", got)
	}
}

// TestImport_Postgres imports into PostgreSQL twice, and checks the exit status.
func TestImport_Postgres(t *testing.T) {
	t.Parallel()
	env := map[string]string{"SPECTER_DATABASE_URL": testkit.Postgres(t), "SECRET_KEY": strings.Repeat("k", 32)}
	for range 2 {
		if err := runQuietly(t, env, "import", "../../testdata/specter-desktop/madeup"); exitStatus(err) != exitPartial {
			t.Errorf("status %d: %v", exitStatus(err), err)
		}
	}
}

// TestImport_ReadOnly checks that an import does not change the directory.
func TestImport_ReadOnly(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.CopyFS(path, os.DirFS("../../testdata/specter-desktop/madeup")); err != nil {
		t.Fatal(err)
	}
	before := listing(t, path)
	_ = runQuietly(t, nil, "import", path)
	if after := listing(t, path); after != before {
		t.Errorf("the directory changed from\n%s\nto\n%s", before, after)
	}
}

// TestImport_NodeProblems checks that the report of an import lists the wallets that could
// not be imported because of a problem with the node, with the remedy.
func TestImport_NodeProblems(t *testing.T) {
	t.Parallel()
	fresh := testkit.Bitcoind(t) // without a block it is in its initial block download
	at := func(login string) string { return fmt.Sprintf("http://%s@%s:%d", login, fresh.Host(), fresh.Port()) }
	for _, c := range []struct {
		name, url, want string
	}{
		{"initial block download", fresh.URL(), "the Bitcoin node is in its initial block download, at block 0 of at least 0; wait until it has caught up; repeat the import"},
		{"wrong password", at("user:password"), "the Bitcoin node rejects the RPC credentials; correct"},
		{"not running", "http://user:password@127.0.0.1:1", "the Bitcoin node cannot be reached; start it, or correct its host and port in the settings; repeat the import"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := runImport(t, map[string]string{"SPECTER_NODE_URL": c.url}, "import", "../../testdata/specter-desktop/real", "--dry-run")
			if exitStatus(err) != exitPartial || strings.Count(out, c.want) < 5 {
				t.Errorf("%s: %v\n%s", c.name, err, out)
			}
		})
	}
}

func runQuietly(t *testing.T, env map[string]string, args ...string) error {
	t.Helper()
	_, err := runImport(t, env, args...)
	return err
}

func runImport(t *testing.T, env map[string]string, args ...string) (string, error) {
	t.Helper()
	home := t.TempDir()
	var out bytes.Buffer
	err := run(t.Context(), args, func(name string) string {
		switch name {
		case "HOME", "SPECTER_DATA_FOLDER":
			return home
		case "SPECTER_BCRYPT_COST":
			return "4"
		}
		return env[name]
	}, strings.NewReader(""), &out, io.Discard)
	return out.String(), err
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
