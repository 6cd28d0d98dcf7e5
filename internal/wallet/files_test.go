package wallet_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// hasFiles reports whether the file of a Bitcoin Core wallet exists.
func (r *fixture) hasFiles(coreName string) bool {
	r.t.Helper()
	_, err := os.Stat(filepath.Join(r.node.WalletFolder(), coreName, "wallet.dat"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	return err == nil
}

// testDeleteFiles checks that the deletion of files, requested from a process that
// has ended, is completed by another process.
func testDeleteFiles(r *fixture) {
	t, ctx := r.t, r.t.Context()
	gone, half, kept := r.wallet(r.alice, "gone"), r.wallet(r.alice, "half"), r.wallet(r.alice, "kept")
	testkit.Check(t, r.Delete(ctx, r.access(r.alice, "gone"), true))
	r.wantKick(gone.ID)
	r.wantEvent(r.alice, "wallet.delete", gone.ID)
	testkit.Check(t, r.Delete(ctx, r.access(r.alice, "half"), true))
	testkit.Check(t, r.provider.RemoveFiles(ctx, half.NodeWallet())) // then the process ends
	testkit.Check(t, r.Delete(ctx, r.access(r.alice, "kept"), false))
	for _, w := range []wallet.View{gone, kept} {
		if !r.hasFiles(w.CoreName) {
			t.Fatalf("%s has no files at %s", w.Alias, r.node.WalletFolder())
		}
	}
	r.follow()
	testkit.Eventually(t, "the wallets are gone", func() bool { return r.count("SELECT count(*) FROM wallets") == 0 })
	if r.hasFiles(gone.CoreName) || !r.hasFiles(kept.CoreName) {
		t.Errorf("files: of gone %v, of kept %v", r.hasFiles(gone.CoreName), r.hasFiles(kept.CoreName))
	}
	if _, err := os.Stat(filepath.Join(r.node.WalletFolder(), gone.CoreName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory still exists: %v", err)
	}
	for _, name := range r.loaded() {
		if slices.Contains([]string{gone.CoreName, half.CoreName, kept.CoreName}, name) {
			t.Errorf("Core has %s loaded", name)
		}
	}
	for w, want := range map[string]int{gone.ID: 1, half.ID: 1, kept.ID: 0} {
		if n := r.count("SELECT count(*) FROM audit WHERE action = 'wallet.files_delete' AND target = $1", w); n != want {
			t.Errorf("%d deletions of files are recorded, want %d", n, want)
		}
	}
	if n := r.count("SELECT count(*) FROM audit WHERE action = 'wallet.delete' AND detail LIKE '%files to be deleted'"); n != 2 {
		t.Errorf("%d deletion requests are recorded", n)
	}
}

// wantFilesStay checks that a service refuses to delete a wallet with its files,
// and changes nothing.
func (r *fixture) wantFilesStay(what string, s *wallet.Service, v wallet.View, code string) {
	r.t.Helper()
	err := s.Delete(r.t.Context(), r.access(r.alice, v.Alias), true)
	if f := faultOf(err); f.Kind != fault.Conflict || f.Code != code {
		r.t.Errorf("%s: got %v, want the fault %s", what, err, code)
	}
	got, err := r.Get(r.t.Context(), r.access(r.alice, v.Alias))
	testkit.Check(r.t, err)
	if got.Stage != wallet.Ready || got.DeleteFiles || !r.hasFiles(v.CoreName) || !slices.Contains(r.loaded(), v.CoreName) {
		r.t.Errorf("%s: got %+v", what, got)
	}
	if n := r.count("SELECT count(*) FROM audit WHERE action = 'wallet.delete'"); n != 0 {
		r.t.Errorf("%s: %d deletions are recorded", what, n)
	}
}

// testFilesStay checks that nothing changes if the files cannot be deleted.
func testFilesStay(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.wallet(r.alice, "vault")
	with := func(folder string) *wallet.Service {
		p := backend.NewProvider(r.core, r.monitor.Status).WithWalletFolder(folder)
		return wallet.New(r.logger(), r.store, r.store, p, time.Now, r.kick)
	}
	r.wantFilesStay("no wallet directory", with(""), v, "wallet_directory_unknown")
	r.wantFilesStay("another directory", with(t.TempDir()), v, "wallet_files_unreachable")
	r.wantFilesStay("missing directory", with(filepath.Join(t.TempDir(), "x")), v, "wallet_files_unreachable")
	foreign := []string{"another/" + v.CoreName, v.CoreName + "/../" + v.CoreName, "hot"}
	for _, name := range foreign {
		r.exec("UPDATE wallets SET core_name = $1 WHERE wallet_id = $2", name, v.ID)
		r.wantFilesStay("name "+name, r.Service, v, "wallet_files_foreign")
	}

	// A wallet's row is not deleted before its files.
	r.exec("UPDATE wallets SET stage = 'removing', delete_files = TRUE WHERE wallet_id = $1", v.ID)
	finish := func(s *wallet.Service) error {
		w, err := r.store.WalletByID(ctx, v.ID)
		testkit.Check(t, err)
		return s.Finish(ctx, w)
	}
	wantErr(t, finish(r.Service), wallet.ErrForeignFiles)
	r.exec("UPDATE wallets SET core_name = $1 WHERE wallet_id = $2", v.CoreName, v.ID)
	wantErr(t, finish(with("")), backend.ErrWalletFolderUnknown)
	if !r.hasFiles(v.CoreName) {
		t.Error("the files are gone")
	}
	testkit.Check(t, finish(r.Service))
	if r.hasFiles(v.CoreName) {
		t.Error("the files still exist")
	}
}
