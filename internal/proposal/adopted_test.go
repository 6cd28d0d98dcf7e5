package proposal_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// adopted creates a wallet in Core, outside of specterd, and adopts it as alice.
func (w *world) adopted(k testkit.Script) vault {
	w.t.Helper()
	ctx := w.t.Context()
	name := "specter/" + uuid.NewString()[:8]
	descriptor := k.Descriptor(w.t, int(firstKey.Add(10)), "<0;1>", -1)
	testkit.Check(w.t, w.core.CreateWatchOnly(ctx, name))
	for branch, internal := range map[string]bool{"0": false, "1": true} {
		info, err := w.core.DescriptorInfo(ctx, strings.Replace(descriptor, "<0;1>", branch, 1))
		testkit.Check(w.t, err)
		w.node.WalletCLI(w.t, name, "importdescriptors", []map[string]any{{
			"desc": info.Canonical, "timestamp": "now", "active": true, "internal": internal, "range": 20,
		}})
	}
	height := 1
	view, err := w.wallets.Create(ctx, w.alice, wallet.Plan{Name: name, Descriptor: descriptor, Adopt: name, Birthday: wallet.Birthday{Height: &height}})
	testkit.Check(w.t, err)
	return vault{world: w, alias: view.Alias, coreName: name, required: k.SignaturesRequired()}
}

// TestDeleteAdoptedWallet_ReleasesLocks checks that deleting an adopted wallet keeps
// Core's wallet and releases only the locks that specterd set in it, even if the deletion
// is interrupted and repeated, and whether or not Core has the wallet loaded.
func TestDeleteAdoptedWallet_ReleasesLocks(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t, ctx := w.t, w.t.Context()
		for _, loaded := range []bool{true, false} {
			v := w.adopted(testkit.WPKH)
			v.fund(1_000_000, 2_000_000, 3_000_000, 4_000_000)
			foreign, frozen, cancelled := v.utxo(1_000_000), v.utxo(2_000_000), v.utxo(3_000_000)
			testkit.Check(t, w.core.Wallet(v.coreName).Lock(ctx, []btc.Outpoint{foreign}, true))
			testkit.Check(t, w.wallets.Freeze(ctx, w.access(w.alice, v.alias), frozen, true))
			o := pay(2_500_000, 1000)
			o.UTXOs = []btc.Outpoint{cancelled}
			p := v.create(o)
			v.create(pay(3_500_000, 1000))
			testkit.Eventually(t, "four UTXOs are locked", func() bool { return len(v.locked()) == 4 })
			testkit.Check(t, v.Cancel(ctx, v.access(v.alice, v.alias), p.ID, nil))

			id := v.get0().ID
			w.stopFollower()
			testkit.Check(t, w.wallets.Delete(ctx, w.access(w.alice, v.alias), false))
			row, err := w.store.WalletByID(ctx, id)
			testkit.Check(t, err)
			if !loaded {
				w.node.CLI(t, "unloadwallet", v.coreName)
			}
			crashing := wallet.New(slog.New(slog.DiscardHandler), crashed{w.store}, w.store, w.provider, time.Now, func(string) {})
			if err := crashing.Finish(ctx, row); !errors.Is(err, errCrashed) {
				t.Fatalf("interrupted deletion: %v", err)
			}
			testkit.Check(t, w.wallets.Finish(ctx, row))
			testkit.Check(t, w.wallets.Finish(ctx, row))
			names, err := w.core.ListWallets(ctx)
			testkit.Check(t, err)
			if slices.Contains(names, v.coreName) != loaded {
				t.Errorf("Core has %q loaded", names)
			}
			if !loaded {
				w.node.CLI(t, "loadwallet", v.coreName)
			}
			if locked := v.locked(); len(locked) != 1 || !locked[foreign] {
				t.Errorf("loaded %v: %v are locked, want %s", loaded, locked, foreign)
			}
			w.startIndexer()
		}
	})
}

// TestDeleteAdoptedWallet_MissingFiles checks that a wallet can be deleted even if Core
// has lost its files.
func TestDeleteAdoptedWallet_MissingFiles(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		v := w.adopted(testkit.WPKH)
		v.fund(1_000_000)
		testkit.Check(w.t, w.wallets.Freeze(w.t.Context(), w.access(w.alice, v.alias), v.utxo(1_000_000), true))
		id := v.get0().ID
		w.stopFollower()
		w.node.CLI(w.t, "unloadwallet", v.coreName)
		testkit.Check(w.t, os.RemoveAll(filepath.Join(w.node.WalletFolder(), v.coreName)))
		testkit.Check(w.t, w.wallets.Delete(w.t.Context(), w.access(w.alice, v.alias), false))
		row, err := w.store.WalletByID(w.t.Context(), id)
		testkit.Check(w.t, err)
		testkit.Check(w.t, w.wallets.Finish(w.t.Context(), row))
	})
}

var errCrashed = errors.New("crashed")

// crashed is a store that fails to delete a wallet's row, as if the process had ended
// before.
type crashed struct{ *store.Store }

func (crashed) DeleteWallet(context.Context, string, auth.Event) error { return errCrashed }
