package backend_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// scene is a test node and a client of it.
type scene struct {
	*testkit.Node
	core *backend.Node
}

func start(t testing.TB, extraArgs ...string) scene {
	t.Helper()
	n := testkit.Bitcoind(t, append([]string{"-unsafesqlitesync"}, extraArgs...)...) // wallets need not be durable
	return scene{n, backend.New(client(t, n))}
}

func client(t testing.TB, n *testkit.Node) *rpcclient.Client {
	t.Helper()
	rpc, err := rpcclient.New(rpcclient.Config{URL: n.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rpc.Close)
	return rpc
}

// payer creates a wallet with keys and confirmed funds.
func (s scene) payer(t testing.TB, name string) {
	t.Helper()
	s.CLI(t, "createwallet", name)
	s.CLI(t, "generatetoaddress", 2, s.address(t, name))
	s.CLI(t, "generatetoaddress", 101, anyoneAddress)
}

// anyoneAddress is an address whose outputs anyone can spend.
const anyoneAddress = "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"

func (s scene) address(t testing.TB, wallet string) string {
	t.Helper()
	return text(t, s.WalletCLI(t, wallet, "getnewaddress", "", "bech32"))
}

// watch creates a watch-only wallet with the descriptors of wallet, and rescans the
// blockchain.
func (s scene) watch(t testing.TB, name, wallet string) *backend.Wallet {
	t.Helper()
	testkit.Check(t, s.core.CreateWatchOnly(t.Context(), name))
	descriptors, err := s.core.Wallet(wallet).Descriptors(t.Context())
	testkit.Check(t, err)
	imports := make([]backend.Import, len(descriptors))
	for i, d := range descriptors {
		imports[i] = backend.Import{Text: d.Text, Active: d.Active, Internal: d.Internal, RangeEnd: d.RangeEnd, NextIndex: d.Next}
	}
	w := s.core.Wallet(name)
	_, err = w.ImportDescriptors(t.Context(), imports)
	testkit.Check(t, err)
	_, err = w.Rescan(t.Context(), 0)
	testkit.Check(t, err)
	return w
}

// pay sends a payment from a wallet, and returns the txid once all wallets have
// processed it.
func (s scene) pay(t testing.TB, wallet, to string, amount json.Number) string {
	t.Helper()
	txid := text(t, s.WalletCLI(t, wallet, "sendtoaddress", to, amount))
	s.CLI(t, "syncwithvalidationinterfacequeue")
	return txid
}

func text(t testing.TB, raw json.RawMessage) (s string) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(raw, &s))
	return s
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestManage(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, n := t.Context(), s.core

	const name = "specterd/a wallet"
	testkit.Check(t, n.CreateWatchOnly(ctx, name))
	wantErr(t, n.CreateWatchOnly(ctx, name), backend.ErrWalletExists)
	info, err := n.Wallet(name).Info(ctx)
	testkit.Check(t, err)
	tip, err := n.Tip(ctx)
	testkit.Check(t, err)
	if info.PrivateKeys || !info.Descriptors || info.Scan != nil || info.Transactions != 0 || info.LastProcessed != tip || !json.Valid(info.Raw) {
		t.Errorf("got %+v", info)
	}

	testkit.Check(t, n.LoadWallet(ctx, name)) // already loaded
	testkit.Check(t, n.UnloadWallet(ctx, name))
	wantErr(t, n.UnloadWallet(ctx, name), backend.ErrWalletNotLoaded)
	wantErr(t, n.CreateWatchOnly(ctx, name), backend.ErrWalletExists)
	wantErr(t, n.LoadWallet(ctx, "no such"), backend.ErrWalletMissing)
	if err := n.LoadWallet(ctx, "no such"); errors.Is(err, backend.ErrWalletNotLoaded) {
		t.Error("ErrWalletMissing matches ErrWalletNotLoaded")
	}
	if list, err := n.ListWallets(ctx); err != nil || len(list) != 0 {
		t.Errorf("loaded: %q, %v", list, err)
	}
	testkit.Check(t, n.LoadWallet(ctx, name))
	s.Stop(t)
	s.Start(t) // with a new cookie
	again := backend.New(client(t, s.Node))
	if list, err := again.ListWallets(ctx); err != nil || len(list) != 1 || list[0] != name {
		t.Errorf("loaded after a restart: %q, %v", list, err)
	}
}

// TestWalletNotLoaded checks that every method of a wallet that is not loaded returns
// ErrWalletNotLoaded.
func TestWalletNotLoaded(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, w := t.Context(), s.core.Wallet("none")
	utxo := []btc.Outpoint{{Txid: noHash}}
	for method, call := range map[string]func() error{
		"Info":              func() error { _, err := w.Info(ctx); return err },
		"Balances":          func() error { _, err := w.Balances(ctx); return err },
		"Unspent":           func() error { _, err := w.Unspent(ctx); return err },
		"Descriptors":       func() error { _, err := w.Descriptors(ctx); return err },
		"ImportDescriptors": func() error { _, err := w.ImportDescriptors(ctx, []backend.Import{{Text: "x"}}); return err },
		"Lock":              func() error { return w.Lock(ctx, utxo, true) },
		"Unlock":            func() error { return w.Unlock(ctx, utxo) },
		"ListLocked":        func() error { _, err := w.ListLocked(ctx); return err },
		"Rescan":            func() error { _, err := w.Rescan(ctx, 0); return err },
		"AbortRescan":       func() error { _, err := w.AbortRescan(ctx); return err },
		"Probe":             func() error { _, err := w.Probe(ctx, "", 1<<20); return err },
		"ListSinceBlock": func() error {
			_, err := w.ListSinceBlock(ctx, "", func(backend.Entry) error { return nil })
			return err
		},
		"FundPSBT": func() error { _, err := w.FundPSBT(ctx, proposal.Funding{}, 0); return err },
		"Transactions": func() error {
			return w.Transactions(ctx, []string{noHash}, func(backend.Transaction) error { return nil })
		},
	} {
		t.Run(method, func(t *testing.T) {
			if err := call(); !errors.Is(err, backend.ErrWalletNotLoaded) {
				t.Errorf("%s: %v", method, err)
			}
		})
	}
}

// noHash is not the hash of any block or transaction.
const noHash = "00000000000000000000000000000000000000000000000000000000000000aa"
