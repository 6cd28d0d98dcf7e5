package backend_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

var _ wallet.Node = (*backend.Provider)(nil)

// in returns the wallet of this name.
func in(name string) wallet.NodeWallet { return wallet.NodeWallet{Name: name} }

// provider is a test node from the view of package wallet.
type provider struct {
	scene
	*backend.Provider
	monitor *nodestatus.Monitor
}

func provide(t testing.TB, extraArgs ...string) provider {
	t.Helper()
	s := start(t, extraArgs...)
	m := nodestatus.New(slog.New(slog.DiscardHandler), client(t, s.Node), time.Now, nodestatus.Options{})
	p := provider{s, backend.NewProvider(s.core, m.Status), m}
	wantErr(t, p.Ready(wallet.NodeWallet{}), rpcclient.ErrUnavailable) // before the first contact
	if network := p.Network(); network != "" {
		t.Errorf("network %q", network)
	}
	s.Mine(t, 1) // ends the initial block download
	m.Check(t.Context())
	testkit.Check(t, p.Ready(wallet.NodeWallet{}))
	return p
}

const (
	receiveDescriptor = "wpkh([d34db33f/84h/1h/0h]tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P/0/*)"
	changeDescriptor  = "wpkh([d34db33f/84h/1h/0h]tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P/1/*)"
)

// canonical returns both descriptors with their checksums.
func (p provider) canonical(t *testing.T) (receive, change string) {
	t.Helper()
	receive, err := p.CanonicalDescriptor(t.Context(), wallet.NodeWallet{}, receiveDescriptor)
	testkit.Check(t, err)
	change, err = p.CanonicalDescriptor(t.Context(), wallet.NodeWallet{}, changeDescriptor)
	testkit.Check(t, err)
	return receive, change
}

// wantRanges checks the ranges that Core's wallet watches.
func (p provider) wantRanges(t *testing.T, name string, last int) {
	t.Helper()
	list, err := p.core.Wallet(name).Descriptors(t.Context())
	testkit.Check(t, err)
	if len(list) != 2 {
		t.Fatalf("Core watches %+v", list)
	}
	for _, d := range list {
		if !d.Active || d.RangeEnd != last {
			t.Errorf("Core watches %+v, want indexes up to %d", d, last)
		}
	}
}

func TestProvide(t *testing.T) {
	t.Parallel()
	p := provide(t)
	ctx := t.Context()
	receive, change := p.canonical(t)
	ensure := func(rangeEnd uint32, want bool) {
		t.Helper()
		created, err := p.Provide(ctx, in("w"), receive, change, rangeEnd)
		testkit.Check(t, err)
		if created != want {
			t.Errorf("created %v, want %v", created, want)
		}
	}
	ensure(1030, true) // more than Core's default
	p.wantRanges(t, "w", 1029)
	ensure(1030, false)
	next := text(t, p.WalletCLI(t, "w", "getnewaddress", "", "bech32"))
	ensure(1040, false)
	p.wantRanges(t, "w", 1039)
	if after := text(t, p.WalletCLI(t, "w", "getnewaddress", "", "bech32")); after == next {
		t.Error("Core reveals an address twice after the range was extended")
	}
	ensure(20, false) // less than the current range
	p.wantRanges(t, "w", 1039)

	p.CLI(t, "unloadwallet", "w")
	ensure(20, false)
	p.CLI(t, "createwallet", "half", true, true, nil, false, true, true)
	created, err := p.Provide(ctx, in("half"), receive, change, 1010)
	testkit.Check(t, err)
	if !created {
		t.Error("a wallet without descriptors must count as created")
	}
	p.wantRanges(t, "half", 1009)

	testkit.Check(t, p.Unload(ctx, in("w")))
	testkit.Check(t, p.Unload(ctx, in("w")))
	testkit.Check(t, p.Unload(ctx, in("never")))
	p.Stop(t)
	_, err = p.Provide(ctx, in("w"), receive, change, 10)
	wantErr(t, err, rpcclient.ErrUnavailable)
	p.Start(t)
	if list, err := backend.New(client(t, p.Node)).ListWallets(ctx); err != nil || !slices.Equal(list, []string{"half"}) {
		t.Errorf("loaded after a restart: %q, %v", list, err)
	}
}

// TestProvide_Concurrent checks that concurrent calls for one wallet succeed.
func TestProvide_Concurrent(t *testing.T) {
	t.Parallel()
	p := provide(t)
	receive, change := p.canonical(t)
	var created [8]bool
	var wg sync.WaitGroup
	for i := range created {
		wg.Go(func() {
			var err error
			if created[i], err = p.Provide(t.Context(), in("w"), receive, change, uint32(1020+i%2)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p.wantRanges(t, "w", 1020)
	if n := len(slices.DeleteFunc(created[:], func(c bool) bool { return !c })); n != 1 {
		t.Errorf("%d calls report that they created it", n)
	}
}

func TestProvider_Chain(t *testing.T) {
	t.Parallel()
	p := provide(t)
	ctx := t.Context()
	p.Mine(t, 4)
	p.monitor.Check(ctx)
	network := p.Network()
	height, pruneHeight := p.Chain(wallet.NodeWallet{})
	if network != btc.Regtest || height != 5 || pruneHeight != 0 {
		t.Errorf("chain %s, height %d, pruned to %d", network, height, pruneHeight)
	}
	if height, err := p.HeightAt(ctx, wallet.NodeWallet{}, time.Now().Add(24*time.Hour)); err != nil || height != 5 {
		t.Errorf("height %d, %v", height, err)
	}
	receive, _ := p.canonical(t)
	three, err := p.DeriveAddresses(ctx, wallet.NodeWallet{}, receive, 0, 3)
	testkit.Check(t, err)
	two, err := p.DeriveAddresses(ctx, wallet.NodeWallet{}, receive, 1, 3)
	testkit.Check(t, err)
	if len(three) != 3 || !slices.Equal(two, three[1:]) {
		t.Errorf("addresses %q, %q", three, two)
	}
	p.Stop(t)
	p.monitor.Check(ctx)
	for name, call := range map[string]func() error{
		"Ready":               func() error { return p.Ready(in("w")) },
		"CanonicalDescriptor": func() error { _, err := p.CanonicalDescriptor(ctx, wallet.NodeWallet{}, receive); return err },
		"DeriveAddresses":     func() error { _, err := p.DeriveAddresses(ctx, wallet.NodeWallet{}, receive, 0, 1); return err },
		"HeightAt":            func() error { _, err := p.HeightAt(ctx, wallet.NodeWallet{}, time.Now()); return err },
		"Provide":             func() error { _, err := p.Provide(ctx, in("w"), receive, receive, 1); return err },
		"Unload":              func() error { return p.Unload(ctx, in("w")) },
		"SetLocked":           func() error { return p.SetLocked(ctx, in("w"), []btc.Outpoint{{}}, true) },
		"Fund":                func() error { _, err := p.Fund(ctx, in("w"), proposal.Funding{}); return err },
		"Test":                func() error { return p.Test(ctx, wallet.NodeWallet{}, nil) },
		"Send":                func() error { return p.Send(ctx, wallet.NodeWallet{}, nil) },
		"AbortRescan":         func() error { return p.AbortRescan(ctx, in("w")) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := call(); !errors.Is(err, rpcclient.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	if height, _ := p.Chain(in("w")); p.Network() != btc.Regtest || height != 5 {
		t.Errorf("chain %s, height %d after the node went away", p.Network(), height)
	}
}

// TestProvider_WrongChain checks that a node on another chain is not changed.
func TestProvider_WrongChain(t *testing.T) {
	t.Parallel()
	s := start(t)
	m := nodestatus.New(slog.New(slog.DiscardHandler), client(t, s.Node), time.Now, nodestatus.Options{Identity: stranger{}})
	m.Check(t.Context())
	p := backend.NewProvider(s.core, m.Status)
	if height, _ := p.Chain(in("w")); p.Network() != "" || height != 0 {
		t.Errorf("network %q, height %d", p.Network(), height)
	}
	_, err := p.Provide(t.Context(), in("w"), receiveDescriptor, changeDescriptor, 1)
	wantErr(t, err, nodestatus.ErrWrongChain)
	if list, err := s.core.ListWallets(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("wallets %q, %v", list, err)
	}
}

// stranger is an Identity that rejects every chain.
type stranger struct{}

func (stranger) CheckChain(context.Context, string, string) error { return nodestatus.ErrWrongChain }

func TestSetLocked(t *testing.T) {
	t.Parallel()
	p := provide(t)
	ctx := t.Context()
	p.payer(t, "alice")
	w := p.watch(t, "w", "alice")
	utxos, err := w.Unspent(ctx)
	testkit.Check(t, err)
	first, second, unknown := utxos[0].Outpoint, utxos[1].Outpoint, btc.Outpoint{Txid: noHash}
	want := func(want ...btc.Outpoint) {
		t.Helper()
		list, err := w.ListLocked(ctx)
		testkit.Check(t, err)
		slices.SortFunc(list, func(a, b btc.Outpoint) int { return strings.Compare(a.String(), b.String()) })
		slices.SortFunc(want, func(a, b btc.Outpoint) int { return strings.Compare(a.String(), b.String()) })
		if !slices.Equal(list, want) {
			t.Errorf("locked %v, want %v", list, want)
		}
	}
	for _, locked := range []bool{true, true, false, false, true} {
		testkit.Check(t, p.SetLocked(ctx, in("w"), []btc.Outpoint{first}, locked))
		if locked {
			want(first)
		} else {
			want()
		}
	}
	wantErr(t, p.SetLocked(ctx, in("w"), []btc.Outpoint{unknown}, true), backend.ErrUTXOUnavailable)
	// An output that cannot be locked or unlocked does not prevent the others.
	wantErr(t, p.SetLocked(ctx, in("w"), []btc.Outpoint{unknown, second}, true), backend.ErrUTXOUnavailable)
	want(first, second)
	testkit.Check(t, p.SetLocked(ctx, in("w"), []btc.Outpoint{second}, false))
	testkit.Check(t, p.SetLocked(ctx, in("w"), []btc.Outpoint{second, unknown, first}, false))
	want()
	testkit.Check(t, p.SetLocked(ctx, in("w"), []btc.Outpoint{first}, true))
	p.Stop(t)
	p.Start(t)
	if list, err := backend.New(client(t, p.Node)).Wallet("w").ListLocked(ctx); err != nil || !slices.Equal(list, []btc.Outpoint{utxos[0].Outpoint}) {
		t.Errorf("locked after a restart: %v, %v", list, err)
	}
}

// TestUnload_DuringRescan checks that a wallet can be unloaded during a rescan.
func TestUnload_DuringRescan(t *testing.T) {
	t.Parallel()
	p := provide(t, "-blockfilterindex=0")
	ctx := t.Context()
	receive, change := p.canonical(t)
	_, err := p.Provide(ctx, in("w"), receive, change, 2000)
	testkit.Check(t, err)
	p.Mine(t, 1500)
	var wider, same, unloaded error
	end := uint32(2000)
	p.duringScan(t, p.core.Wallet("w"), func() {
		_, wider = p.Provide(ctx, in("w"), receive, change, end+1000)
		if wider == nil {
			end += 1000
		}
		_, same = p.Provide(ctx, in("w"), receive, change, end)
		unloaded = p.Unload(ctx, in("w"))
	})
	wantErr(t, wider, wallet.ErrNodeScanning)
	testkit.Check(t, same)
	testkit.Check(t, unloaded)
	if list, err := p.core.ListWallets(ctx); err != nil || len(list) != 0 {
		t.Errorf("loaded: %q, %v", list, err)
	}
}
