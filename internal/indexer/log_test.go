package indexer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestLog_NoUserText checks that log entries about rescans, and about node errors
// that quote a wallet's name, contain the wallet's ID and no user text. worldOn makes
// every test of this package check that at its end.
func TestLog_NoUserText(t *testing.T) {
	t.Parallel()
	onBothDatabases(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		name := "specter/hoard_" + uuid.NewString()[:8]
		h := w.hot("hoard of "+uuid.NewString()[:8], "wpkh")
		testkit.Check(t, w.core.CreateWatchOnly(ctx, name))
		for _, text := range []string{h.receive, h.change} {
			w.node.WalletCLI(t, name, "importdescriptors", []map[string]any{
				{"desc": text, "timestamp": "now", "active": true, "internal": text == h.change, "range": 20},
			})
		}
		view, err := w.service.Create(ctx, w.who, wallet.Plan{
			Name: "The " + name, Alias: "secret_hoard", Descriptor: h.receive, Change: h.change, Adopt: name, Birthday: wallet.Birthday{Height: new(int)},
		})
		testkit.Check(t, err)
		v := &watched{world: w, alias: view.Alias, core: view.CoreName, id: view.ID}
		v.wantSynced()
		_, err = w.service.Rescan(ctx, w.access(w.who, v.alias), wallet.Birthday{Height: new(int)}, 0)
		testkit.Check(t, err)
		testkit.Eventually(t, "the rescan has finished", v.scanned)

		w.halt() // a running indexer would load the wallet again
		w.node.CLI(t, "unloadwallet", name)
		path := filepath.Join(w.node.WalletFolder(), name)
		testkit.Check(t, os.RemoveAll(path))
		testkit.Check(t, os.WriteFile(path, []byte("not a wallet"), 0o600)) // Core's refusal quotes the path
		w.start()
		testkit.Eventually(t, "the node's refusal is logged", func() bool {
			return strings.Contains(w.log.String(), `"msg":"wallet sync failed","wallet_id":"`+v.id)
		})
		if log := w.log.String(); !strings.Contains(log, "…") || strings.Contains(log, "hoard") {
			t.Errorf("log: %s", log)
		}
	})
}
