package backend_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestCheckAdoptable checks that a wallet is adoptable if it has exactly the two given
// descriptors and no private keys, and that CheckAdoptable changes neither which wallets
// are loaded nor which ones the node loads at its start.
func TestCheckAdoptable(t *testing.T) {
	t.Parallel()
	p := provide(t)
	ctx := t.Context()
	receive, change := p.canonical(t)
	third, err := p.CanonicalDescriptor(ctx, wallet.NodeWallet{}, strings.ReplaceAll(receiveDescriptor, "/0/*", "/7/*"))
	testkit.Check(t, err)
	const good = "specter0123456789abcdef/good"
	watching := map[string][]string{
		good: {receive, change}, "loaded": {receive, change}, "half": {receive}, "more": {receive, change, third}, "other": {receive, third}, "empty": nil,
	}
	var names []string
	for name, descriptors := range watching {
		t.Run(name, func(t *testing.T) {
			names = append(names, name)
			testkit.Check(t, p.core.CreateWatchOnly(ctx, name))
			for _, text := range descriptors {
				p.WalletCLI(t, name, "importdescriptors", []map[string]any{{"desc": text, "timestamp": "now", "range": 20}})
			}
		})
	}
	for _, name := range []string{good, "half", "more"} {
		p.CLI(t, "unloadwallet", name)
	}
	p.CLI(t, "createwallet", "keys")
	before := p.loaded(t, p.core)

	for _, name := range []string{good, "loaded"} {
		testkit.Check(t, p.CheckAdoptable(ctx, in(name), receive, change))
	}
	for _, name := range []string{"half", "more", "other", "empty", "keys", "nowhere", "", "specter0123456789abcdef/../loaded", p.WalletFolder() + "/loaded"} {
		wantErr(t, p.CheckAdoptable(ctx, in(name), receive, change), wallet.ErrNotAdoptable)
	}
	if after := p.loaded(t, p.core); !slices.Equal(after, before) {
		t.Errorf("loaded wallets %q, before %q", after, before)
	}
	p.Stop(t)
	wantErr(t, p.CheckAdoptable(ctx, in("loaded"), receive, change), rpcclient.ErrUnavailable)
	p.Start(t)
	slices.Sort(names)
	if again := p.loaded(t, backend.New(client(t, p.Node))); !slices.Equal(again, names) {
		t.Errorf("after a restart, loaded are %q, want %q", again, names)
	}
}

// loaded returns the names of the wallets that the node has loaded, sorted.
func (p provider) loaded(t *testing.T, n *backend.Node) []string {
	t.Helper()
	names, err := n.ListWallets(t.Context())
	testkit.Check(t, err)
	slices.Sort(names)
	return names
}
