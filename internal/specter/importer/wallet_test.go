package importer_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/specter/importer"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// atNode connects the services to a node.
func (h *fixture) atNode(t *testing.T, n *testkit.Node) {
	t.Helper()
	client, err := rpcclient.New(rpcclient.Config{URL: fmt.Sprintf("http://%s:%d", n.Host(), n.Port()), CookieFile: n.CookieFile()})
	testkit.Check(t, err)
	t.Cleanup(client.Close)
	monitor := nodestatus.New(slog.New(slog.DiscardHandler), client, time.Now, nodestatus.Options{})
	monitor.Check(t.Context())
	h.node = backend.NewProvider(backend.New(client), monitor.Status)
	h.chain = importer.Chain{}
	h.chain.Network = h.node.Network()
	h.chain.Height, _ = h.node.Chain(wallet.NodeWallet{})
}

func (h *fixture) service() *wallet.Service {
	return wallet.New(slog.New(slog.DiscardHandler), h.Store, h.Store, h.node, func() time.Time { return now }, func(string) {})
}

func (h *fixture) proposals() *proposal.Service {
	return proposal.New(slog.New(slog.DiscardHandler), h.Store, h.service(), h.node, func() time.Time { return now }, proposal.Options{Kick: func(string) {}})
}

func (h *fixture) as(t *testing.T, name string) *auth.Principal {
	t.Helper()
	u, err := h.users.Get(t.Context(), name)
	testkit.Check(t, err)
	who := auth.Operator("me")
	who.UserID = u.ID
	return who
}

// labels returns the labels of a wallet.
func (h *fixture) labels(t *testing.T, who *auth.Principal, alias string) (labels []string) {
	t.Helper()
	for l, err := range h.Labels(t.Context(), testkit.Access(t, h.service(), who, alias).WalletID()) {
		testkit.Check(t, err)
		labels = append(labels, *l.Label)
	}
	slices.Sort(labels)
	return labels
}

// TestImport_Wallets imports wallets with a node that does not have them. It checks that
// a dry run reports the same result, and that a second import changes nothing.
func TestImport_Wallets(t *testing.T) {
	n := testkit.Bitcoind(t)
	n.Mine(t, 15)
	onBothEngines(t, func(t *testing.T, h *fixture) {
		h.atNode(t, n)
		planned := h.importFrom(t, folders+"real", true)
		done := h.importFrom(t, folders+"real", false)
		if diff := cmp.Diff(text(planned), text(done)); diff != "" {
			t.Errorf("the dry run reported a different result: %s", diff)
		}
		if done.Count(importer.KindWallet, importer.Imported) != 5 || done.Count(importer.KindProposal, importer.Left) != 10 || done.Status() != importer.Complete {
			t.Fatalf("planned\n%s\ndone\n%s", text(planned), text(done))
		}
		admin := h.as(t, "admin")
		views, err := h.service().List(t.Context(), admin, "", 0)
		testkit.Check(t, err)
		var aliases []string
		for _, v := range views {
			aliases = append(aliases, v.Alias)
			if v.RescanFrom != 10 || v.Stage != wallet.Ready || v.RangeEnd != 1500 {
				t.Errorf("%s: %s, rescan from %d, %d addresses", v.Alias, v.Stage, v.RescanFrom, v.RangeEnd)
			}
		}
		if got := strings.Join(aliases, " "); got != "nested simple_one tap vault_23_fam" {
			t.Errorf("wallets %s", got)
		}
		one := views[1]
		if one.Name != "Simple One" || one.ReceiveNext != 6 || one.ChangeNext != 1 || one.Keys[0].Device != "my_trezor" {
			t.Errorf("%+v", one)
		}
		if k := one.Keys[0]; !strings.HasPrefix(k.Original, "vpub5YQUb4") || !strings.HasPrefix(k.XPub, "tpubDCSdid") || k.Purpose != "Single (Segwit)" {
			t.Errorf("unexpected key: %+v", k)
		}
		if got := h.labels(t, admin, "simple_one"); strings.Join(got, ", ") != "lab one, lab two, someLabel, someOtherLabel" {
			t.Errorf("labels %q", got)
		}
		devices, err := h.service().Devices(t.Context(), admin)
		testkit.Check(t, err)
		if want := []wallet.Device{{Alias: "cold_card_mk4", Name: "Cold-Card  Mk4", Type: "coldcard"}, {Alias: "my_trezor", Name: "My Trezor", Type: "trezor"}, {Alias: "specter_diy", Name: "Specter DIY", Type: "specter"}}; !slices.Equal(devices, want) {
			t.Errorf("devices %+v", devices)
		}

		// A second import changes nothing, reverts no changes and restores nothing.
		other := "another label"
		testkit.Check(t, h.service().SetLabels(t.Context(), testkit.Access(t, h.service(), admin, "simple_one"), []btc.Label{{Type: "addr", Ref: "bcrt1q5qjjs79kedrk2m0de9p9zhwfgu7rlgs8drtk0d", Label: &other}}))
		testkit.Check(t, h.service().Delete(t.Context(), testkit.Access(t, h.service(), admin, "tap"), false))
		again := h.importFrom(t, folders+"real", false)
		if again.Count(importer.KindWallet, importer.AlreadyImported) != 4 || again.Count(importer.KindWallet, importer.Skipped) != 1 || again.Count(importer.KindWallet, importer.Imported) != 0 {
			t.Error(text(again))
		}
		if got := h.labels(t, admin, "simple_one"); strings.Join(got, ", ") != "another label, lab two, someLabel, someOtherLabel" {
			t.Errorf("labels %q", got)
		}
	})
}

// TestImport_MadeUpWallets covers frozen UTXOs, old formats, unprintable names, two users with
// the same alias, and wallets that cannot be imported.
func TestImport_MadeUpWallets(t *testing.T) {
	n := testkit.Bitcoind(t)
	n.Mine(t, 1)
	onBothEngines(t, func(t *testing.T, h *fixture) {
		h.atNode(t, n)
		planned := text(h.importFrom(t, folders+"madeup", true))
		report := text(h.importFrom(t, folders+"madeup", false))
		if diff := cmp.Diff(planned, report); diff != "" {
			t.Errorf("the dry run reported a different result: %s", diff)
		}
		for _, want := range []string{
			"wallet | satoshi: Frozen, regtest | not imported | ", // same descriptors as the user's first wallet
			"wallet | satoshi: Savings, main | skipped | is on the chain main, but the node is on regtest",
			"wallet | Alice Smith: Simple, regtest | imported |",
			"wallet | bob: Simple, regtest | imported |",
		} {
			if !strings.Contains(report, want) {
				t.Errorf("%q is not in\n%s", want, report)
			}
		}
		for _, name := range []string{"Alice Smith", "bob"} {
			if _, err := h.service().Access(t.Context(), h.as(t, name), "simple"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestImport_InterruptedAfterWallet checks that an import continues after an interruption
// between creating a wallet and its labels.
func TestImport_InterruptedAfterWallet(t *testing.T) {
	n := testkit.Bitcoind(t)
	n.Mine(t, 1)
	h := newFixture(t, filepath.Join(t.TempDir(), "x.db"))
	h.atNode(t, n)
	h.chain = importer.Chain{Problem: rpcclient.ErrUnavailable.Message} // the first import omits the wallets
	h.importFrom(t, folders+"real", false)
	h.atNode(t, n)
	zero := 0
	_, err := h.service().Create(t.Context(), h.as(t, "admin"), wallet.Plan{
		Name: "Simple One", Birthday: wallet.Birthday{Height: &zero},
		Descriptor: "wpkh([e0e0f3de/84h/1h/0h]tpubDCSdidzHdMQemRVvEZVRYkDCeTqNWR9S2nAy1WnBr26cSkN1VkXJGgipFDtAiWEJeXPzb1U6GSdrGbu35odWJXst7myq85oevPo1Vtyq5nr/<0;1>/*)",
	})
	testkit.Check(t, err)
	report := h.importFrom(t, folders+"real", false)
	if report.Count(importer.KindWallet, importer.Imported) != 5 { // including the existing one
		t.Error(text(report))
	}
	if got := h.labels(t, h.as(t, "admin"), "simple_one"); len(got) != 4 {
		t.Errorf("labels %q", got)
	}
}

// TestImport_FrozenUTXOs checks that frozen UTXOs stay frozen, even if they are not indexed yet.
func TestImport_FrozenUTXOs(t *testing.T) {
	n := testkit.Bitcoind(t)
	n.Mine(t, 1)
	path := t.TempDir()
	for _, name := range []string{"users.json", "config.json", "wallets/regtest/frozen.json", "wallets/regtest/frozen_addr.csv"} {
		in, err := os.ReadFile(folders + "madeup/" + name)
		testkit.Check(t, err)
		if strings.HasSuffix(name, ".csv") {
			in = append(in, strings.Repeat("a label,,,,damaged\n", 12)...)
		}
		testkit.Check(t, os.MkdirAll(filepath.Dir(filepath.Join(path, name)), 0o700))
		testkit.Check(t, os.WriteFile(filepath.Join(path, name), in, 0o600))
	}
	onBothEngines(t, func(t *testing.T, h *fixture) {
		h.atNode(t, n)
		report := text(h.importFrom(t, path, false))
		for _, want := range []string{
			"wallet | satoshi: Frozen, regtest | imported | created again in Bitcoin Core, with a rescan from block 1: Bitcoin Core has no wallet specter/frozen; 2 labels, 2 frozen UTXOs",
			"label | frozen: Another's | not imported | belongs to an invalid address or one of another chain: bcrt1qd4mz2gl7v4t7nl5yyj5jvvkzx7nr8gqxxxxxxx",
			"label | frozen: a label | not imported | belongs to an invalid address or one of another chain: damaged",
			"label | frozen | not imported | 3 more belong to an invalid address or one of another chain",
		} {
			if !strings.Contains(report, want) {
				t.Errorf("%q is not in\n%s", want, report)
			}
		}
		if got := h.labels(t, h.as(t, "satoshi"), "frozen"); strings.Join(got, ", ") != `Rent, Two lines, "quoted"` {
			t.Errorf("labels %q", got)
		}
	})
}
