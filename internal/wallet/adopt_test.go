package wallet_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// foreign creates a wallet in Bitcoin Core as Specter Desktop does, with one
// payment, and returns its descriptor.
func (r *fixture) foreign(coreName string) (descriptor string) {
	r.t.Helper()
	ctx := r.t.Context()
	v := r.wallet(r.alice, "the same")
	testkit.Check(r.t, r.core.CreateWatchOnly(ctx, coreName))
	for _, text := range []string{v.Receive, v.Change} {
		r.node.WalletCLI(r.t, coreName, "importdescriptors", []map[string]any{{"desc": text, "timestamp": "now", "active": true, "internal": text == v.Change, "range": 20}})
	}
	a, err := r.NextAddress(ctx, r.access(r.alice, v.Alias), "")
	testkit.Check(r.t, err)
	r.node.CLI(r.t, "generatetoaddress", 1, a.Address)
	testkit.Check(r.t, r.Delete(ctx, r.access(r.alice, v.Alias), false))
	w, err := r.store.WalletByID(ctx, v.ID)
	testkit.Check(r.t, err)
	testkit.Check(r.t, r.Finish(ctx, w))
	body, _, _ := strings.Cut(v.Receive, "#")
	return strings.Replace(body, "/0/*", "/<0;1>/*", 1)
}

// TestAdopt mines blocks, so it uses a node of its own.
func TestAdopt(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t, "-unsafesqlitesync")
	n.Mine(t, 1)
	onBoth(t, n, map[string]func(r *fixture){"adopt": testAdopt})
}

// testAdopt checks that an existing Bitcoin Core wallet is adopted with its history,
// without a rescan, and remains in Bitcoin Core when it is deleted from specterd.
func testAdopt(r *fixture) {
	t, ctx := r.t, r.t.Context()
	name := "specter0123456789abcdef/" + strings.ToLower(strings.ReplaceAll(t.Name(), "/", "_"))
	descriptor := r.foreign(name)
	plan := wallet.Plan{Name: "Savings", Descriptor: descriptor, Adopt: name, Birthday: height(1), DryRun: true}
	v, err := r.Create(ctx, r.alice, plan)
	testkit.Check(t, err)
	if v.CoreName != name || v.Alias != "savings" || r.count("SELECT count(*) FROM wallets") != 0 {
		t.Errorf("a dry run created %+v", v)
	}
	other := plan
	other.Descriptor = strings.Replace(descriptor, tpub, tpub+"/9", 1)
	_, err = r.Create(ctx, r.alice, other)
	wantErr(t, err, wallet.ErrNotAdoptable)

	plan.DryRun = false
	v, err = r.Create(ctx, r.alice, plan)
	testkit.Check(t, err)
	if v.Rescanning() || v.Birthday != 1 || v.CoreName != name || !v.Adopted() {
		t.Errorf("adopted: %+v", v)
	}
	_, err = r.Create(ctx, r.bob, plan)
	wantErr(t, err, wallet.ErrHeld)
	plan.Adopt = ""
	bobs, err := r.Create(ctx, r.bob, plan) // a separate wallet
	testkit.Check(t, err)
	if bobs.Adopted() || !bobs.Rescanning() {
		t.Errorf("created: %+v", bobs)
	}
	r.follow()
	testkit.Eventually(t, "the history that Core knows", func() bool {
		v, err = r.Get(ctx, r.access(r.alice, "savings"))
		testkit.Check(t, err)
		return v.Balances.Immature > 0
	})

	wantFault(t, r.Delete(ctx, r.access(r.alice, "savings"), true), fault.Conflict, wallet.ErrForeignFiles.Code)
	testkit.Check(t, r.Delete(ctx, r.access(r.alice, "savings"), false))
	testkit.Eventually(t, "the wallet is gone", func() bool { return r.count("SELECT count(*) FROM wallets") == 1 })
	if !slices.Contains(r.loaded(), name) || !r.hasFiles(name) {
		t.Errorf("Core's wallet is gone: loaded are %q", r.loaded())
	}
}
