package backend_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// entries returns the paths in and below a directory.
func entries(t *testing.T, folder string) (names []string) {
	t.Helper()
	testkit.Check(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	}))
	return names
}

func TestRemoveFiles(t *testing.T) {
	t.Parallel()
	p := provide(t)
	ctx, folder := t.Context(), p.WalletFolder()
	receive, change := p.canonical(t)
	for _, name := range []string{"gone", "stays"} {
		_, err := p.Provide(ctx, in(name), receive, change, 10)
		testkit.Check(t, err)
	}
	wantErr(t, p.CheckFiles(in("gone")), backend.ErrWalletFolderUnknown)
	p.WithWalletFolder(folder)
	before := entries(t, folder)
	testkit.Check(t, p.CheckFiles(in("gone")))
	if after := entries(t, folder); !slices.Equal(before, after) {
		t.Errorf("a check left %q, of %q", after, before)
	}

	// The target of a link in the wallet's directory must not be deleted.
	outside := filepath.Join(t.TempDir(), "wallet.dat")
	testkit.Check(t, os.WriteFile(outside, []byte("x"), 0o600))
	testkit.Check(t, os.Symlink(filepath.Dir(outside), filepath.Join(folder, "gone", "link")))
	testkit.Check(t, p.RemoveFiles(ctx, in("gone")))
	testkit.Check(t, p.RemoveFiles(ctx, in("gone")))
	wantErr(t, p.CheckFiles(in("gone")), backend.ErrWalletFilesUnreachable)
	want := slices.DeleteFunc(before, func(path string) bool {
		return path == filepath.Join(folder, "gone") || filepath.Dir(path) == filepath.Join(folder, "gone")
	})
	if after := entries(t, folder); !slices.Equal(want, after) {
		t.Errorf("remaining %q, want %q", after, want)
	}
	if list, err := p.core.ListWallets(ctx); err != nil || !slices.Equal(list, []string{"stays"}) {
		t.Errorf("loaded: %q, %v", list, err)
	}
	_, err := os.Stat(outside)
	testkit.Check(t, err)

	testkit.Check(t, os.Symlink(filepath.Dir(outside), filepath.Join(folder, "elsewhere")))
	testkit.Check(t, os.Mkdir(filepath.Join(folder, "stays", "inner"), 0o700))
	up, err := filepath.Rel(folder, filepath.Dir(outside))
	testkit.Check(t, err)
	names := []string{"elsewhere", "stays/inner", `stays\inner`, "", ".", "..", "../wallets/stays", up, filepath.Dir(outside)}
	before = entries(t, folder)
	for _, name := range names {
		wantErr(t, p.CheckFiles(in(name)), backend.ErrWalletFilesUnreachable)
		if err := p.RemoveFiles(ctx, in(name)); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
	if after := entries(t, folder); !slices.Equal(before, after) {
		t.Errorf("remaining %q of %q", after, before)
	}
	_, err = os.Stat(outside)
	testkit.Check(t, err)

	// A missing directory must not be treated as one without the wallet.
	p.WithWalletFolder(filepath.Join(folder, "missing"))
	wantErr(t, p.CheckFiles(in("stays")), backend.ErrWalletFilesUnreachable)
	if err := p.RemoveFiles(ctx, in("stays")); err == nil {
		t.Error("no error for a missing directory")
	}
	p.WithWalletFolder(folder)
	p.Stop(t)
	if err := p.RemoveFiles(ctx, in("stays")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without the node: %v", err)
	}
	_, err = os.Stat(filepath.Join(folder, "stays", "wallet.dat"))
	testkit.Check(t, err)
}
