package wallet_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// foreign has somebody else make a wallet in Core, as Specter Desktop does, and
// returns its descriptor. It has a payment.
func (r *rig) foreign(coreName string) (descriptor string) {
	r.t.Helper()
	ctx := r.t.Context()
	v := r.wallet(r.alice, "the same")
	must(r.t, r.core.CreateWatchOnly(ctx, coreName))
	for _, text := range []string{v.Receive, v.Change} {
		r.node.WalletCLI(r.t, coreName, "importdescriptors", []map[string]any{{"desc": text, "timestamp": "now", "active": true, "internal": text == v.Change, "range": 20}})
	}
	a, _, err := r.NextAddress(ctx, r.alice, v.Alias, "")
	must(r.t, err)
	r.node.CLI(r.t, "generatetoaddress", 1, a.Address)
	must(r.t, r.Delete(ctx, r.alice, v.Alias, false))
	w, err := r.store.WalletByID(ctx, v.ID)
	must(r.t, err)
	must(r.t, r.Finish(ctx, w))
	body, _, _ := strings.Cut(v.Receive, "#")
	return strings.Replace(body, "/0/*", "/<0;1>/*", 1)
}

// It mines, which the other tests had better not see on their node.
func TestAdopt(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t, "-unsafesqlitesync")
	n.Mine(t, 1)
	onBoth(t, n, map[string]func(r *rig){"adopt": testAdopt})
}

// A wallet that Core has becomes one of ours with its history, without a scan,
// and stays with Core when it is one no more.
func testAdopt(r *rig) {
	t, ctx := r.t, r.t.Context()
	name := "specter0123456789abcdef/" + strings.ToLower(strings.ReplaceAll(t.Name(), "/", "_"))
	descriptor := r.foreign(name)
	plan := wallet.Plan{Name: "Savings", Descriptor: descriptor, Adopt: name, Birth: height(1), DryRun: true}
	v, err := r.Create(ctx, r.alice, plan)
	must(t, err)
	if v.CoreName != name || v.Alias != "savings" || r.count("SELECT count(*) FROM wallets") != 0 {
		t.Errorf("a dry run made %+v", v)
	}
	other := plan
	other.Descriptor = strings.Replace(descriptor, tpub, tpub+"/9", 1)
	_, err = r.Create(ctx, r.alice, other)
	wantErr(t, err, wallet.ErrNotAdoptable)

	plan.DryRun = false
	v, err = r.Create(ctx, r.alice, plan)
	must(t, err)
	if v.Scanning() || v.Birth != 1 || v.CoreName != name || !v.Adopted() {
		t.Errorf("adopted: %+v", v)
	}
	_, err = r.Create(ctx, r.bob, plan)
	wantErr(t, err, wallet.ErrHeld)
	plan.Adopt = ""
	bobs, err := r.Create(ctx, r.bob, plan) // of his own
	must(t, err)
	if bobs.Adopted() || !bobs.Scanning() {
		t.Errorf("made anew: %+v", bobs)
	}
	r.follow()
	testkit.Eventually(t, "the history that Core knows", func() bool {
		v, err = r.Get(ctx, r.alice, "savings")
		must(t, err)
		return v.Balances.Immature > 0
	})

	wantFault(t, r.Delete(ctx, r.alice, "savings", true), fault.Conflict, wallet.ErrForeignFiles.Code)
	must(t, r.Delete(ctx, r.alice, "savings", false))
	testkit.Eventually(t, "the wallet is gone", func() bool { return r.count("SELECT count(*) FROM wallets") == 1 })
	if !slices.Contains(r.loaded(), name) || !r.hasFiles(name) {
		t.Errorf("Core's wallet is gone: loaded are %q", r.loaded())
	}
}
