package privatefile_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// service is the UID of the account that owns the directories in tests that run as root.
const service = 65534

// victim is the content of a file outside the directory of the service account.
const victim = "the victim's content"

// planted returns a directory, which belongs to another account if the test runs as root,
// and the path of a file outside of it that an attacker wants to change.
func planted(t *testing.T) (dir, target string) {
	t.Helper()
	above := t.TempDir()
	dir, target = filepath.Join(above, "data"), filepath.Join(above, "target")
	testkit.Check(t, os.Mkdir(dir, 0o700))
	testkit.Check(t, os.WriteFile(target, []byte(victim), 0o600))
	if os.Geteuid() == 0 {
		testkit.Check(t, os.Chown(dir, service, service))
	}
	return dir, target
}

// unharmed checks that the target file is unchanged.
func unharmed(t *testing.T, target string) {
	t.Helper()
	content, err := os.ReadFile(target)
	testkit.Check(t, err)
	info, err := os.Stat(target)
	testkit.Check(t, err)
	if owner := info.Sys().(*syscall.Stat_t).Uid; string(content) != victim || int(owner) != os.Geteuid() || info.Mode().Perm() != 0o600 {
		t.Errorf("the file outside has the content %q, the owner %d and the mode %v", content, owner, info.Mode())
	}
}

func replace(path string) error {
	return privatefile.Replace(path, func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return err
	})
}

func create(path string) error {
	_, err := privatefile.Create(path)
	return err
}

// TestPlantedLinks checks that no file is written and no owner is changed through a
// symbolic or hard link that the owner of the directory created.
func TestPlantedLinks(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(path string) error{
		"create": create, "ensure": privatefile.Ensure, "replace": replace,
		"write existing": func(path string) error { return privatefile.WriteExisting(path, []byte("new")) },
	} {
		for kind, link := range map[string]func(target, path string) error{"symbolic": os.Symlink, "hard": os.Link} {
			for _, at := range []string{"file", "file.new"} {
				t.Run(name+"/"+kind+"/"+at, func(t *testing.T) {
					t.Parallel()
					dir, target := planted(t)
					testkit.Check(t, link(target, filepath.Join(dir, at)))
					err := do(filepath.Join(dir, "file"))
					if name == "replace" && err != nil {
						t.Errorf("a planted link keeps the file from being replaced: %v", err)
					}
					unharmed(t, target)
				})
			}
		}
	}
}

// TestDanglingLink checks that root does not create the target of a dangling link.
func TestDanglingLink(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(path string) error{"create": create, "ensure": privatefile.Ensure, "replace": replace} {
		t.Run(name, func(t *testing.T) {
			dir, _ := planted(t)
			target := filepath.Join(filepath.Dir(dir), "nothing")
			testkit.Check(t, os.Symlink(target, filepath.Join(dir, "file")))
			_ = do(filepath.Join(dir, "file"))
			if _, err := os.Lstat(target); err == nil {
				t.Errorf("%s: the target was created", name)
			}
		})
	}
}

// TestReadExisting checks that planted links and pipes are not read.
func TestReadExisting(t *testing.T) {
	t.Parallel()
	dir, target := planted(t)
	testkit.Check(t, os.Symlink(target, filepath.Join(dir, "link")))
	testkit.Check(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	testkit.Check(t, os.WriteFile(filepath.Join(dir, "file"), []byte(strings.Repeat("x", 20)), 0o600))
	for _, name := range []string{"link", "pipe"} {
		if content, err := privatefile.ReadExisting(filepath.Join(dir, name), 10); err == nil {
			t.Errorf("%s: %q", name, content)
		}
	}
	if content, err := privatefile.ReadExisting(filepath.Join(dir, "file"), 10); err != nil || len(content) != 10 {
		t.Errorf("%q, %v", content, err)
	}
}

// TestOwner checks that files which root creates in a directory of another account
// belong to that account.
func TestOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("as another user than root there is nothing to check")
		return
	}
	dir, _ := planted(t)
	testkit.Check(t, privatefile.Ensure(filepath.Join(dir, "ensured")))
	testkit.Check(t, replace(filepath.Join(dir, "replaced")))
	testkit.Check(t, privatefile.MkdirAll(filepath.Join(dir, "folder")))
	for _, name := range []string{"ensured", "replaced", "folder"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		testkit.Check(t, err)
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != service || owner.Gid != service || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s belongs to %d, %v", name, owner.Uid, info.Mode())
		}
	}
}

// TestResolve checks that a link is followed only if it belongs to root or to the
// current account.
func TestResolve(t *testing.T) {
	t.Parallel()
	dir, target := planted(t)
	link := filepath.Join(dir, "link")
	testkit.Check(t, os.Symlink("../target", link))
	if to, err := privatefile.Resolve(link); err != nil || to != target {
		t.Errorf("%q, %v", to, err)
	}
	if os.Geteuid() != 0 {
		return
	}
	testkit.Check(t, os.Lchown(link, service, service))
	if to, err := privatefile.Resolve(link); err == nil {
		t.Errorf("a link of the service account leads root to %q", to)
	}
	if err := privatefile.MkdirAll(link); err == nil {
		t.Error("a link of the service account is taken for a directory")
	}
}

// TestReplaceFails checks that a failed Replace does not change the file and leaves no
// temporary file.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	dir, _ := planted(t)
	path := filepath.Join(dir, "file")
	testkit.Check(t, os.WriteFile(path, []byte("before"), 0o600))
	if err := privatefile.Replace(path, func(io.Writer) error { return fs.ErrInvalid }); err == nil {
		t.Error("no error")
	}
	entries, err := os.ReadDir(dir)
	testkit.Check(t, err)
	if content, err := os.ReadFile(path); err != nil || string(content) != "before" || len(entries) != 1 {
		t.Errorf("%q, %v, %v", content, err, entries)
	}
}
