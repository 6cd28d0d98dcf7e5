package backend_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestBalancesUTXOsAndLocks(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	s.payer(t, "alice")
	w := s.watch(t, "watch", "alice")
	bobs := s.address(t, "alice")
	own := s.pay(t, "alice", bobs, "1.00000001")

	// Both wallets have the same descriptors, so they have the same balances.
	theirs, err := s.core.Wallet("alice").Balances(ctx)
	testkit.Check(t, err)
	ours, err := w.Balances(ctx)
	testkit.Check(t, err)
	if ours != theirs || ours.Trusted <= 99*btc.BTC || ours.Trusted >= 100*btc.BTC {
		t.Errorf("balances %+v, theirs %+v", ours, theirs)
	}
	utxos, err := w.Unspent(ctx)
	testkit.Check(t, err)
	var sum btc.Amount
	var paid backend.UTXO
	for _, c := range utxos {
		sum += c.Amount
		if c.Address == bobs {
			paid = c
		}
	}
	if sum != ours.Trusted || len(utxos) != 3 || paid.Txid != own || paid.Amount != btc.BTC+1 || paid.Confirmations != 0 || !paid.Safe || len(paid.Script) == 0 {
		t.Errorf("UTXOs %+v", utxos)
	}

	first, second := utxos[0].Outpoint, utxos[1].Outpoint
	testkit.Check(t, w.Lock(ctx, []btc.Outpoint{first}, false))
	wantErr(t, w.Lock(ctx, []btc.Outpoint{second, first}, false), backend.ErrUTXOUnavailable)
	wantErr(t, w.Lock(ctx, []btc.Outpoint{{Txid: noHash}}, true), backend.ErrUTXOUnavailable)
	wantErr(t, w.Unlock(ctx, []btc.Outpoint{first, second}), backend.ErrUTXONotLocked)
	if locked, err := w.ListLocked(ctx); err != nil || !slices.Equal(locked, []btc.Outpoint{first}) {
		t.Errorf("locked %v, %v; want the first alone", locked, err)
	}
	testkit.Check(t, w.Unlock(ctx, nil)) // must not unlock all
	testkit.Check(t, w.Lock(ctx, []btc.Outpoint{first, second}, true))
	if left, err := w.Unspent(ctx); err != nil || len(left) != 1 {
		t.Errorf("unspent: %v, %v", left, err)
	}
	p, err := w.Probe(ctx, "", 1<<20)
	testkit.Check(t, err)
	if len(p.Locked) != 2 {
		t.Errorf("probe: locked %v", p.Locked)
	}
	testkit.Check(t, w.Unlock(ctx, []btc.Outpoint{first, second}))
	if locked, err := w.ListLocked(ctx); err != nil || len(locked) != 0 {
		t.Errorf("locked %v, %v", locked, err)
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := t.Context()
	s.payer(t, "alice")
	descriptors, err := s.core.Wallet("alice").Descriptors(ctx)
	testkit.Check(t, err)
	i := slices.IndexFunc(descriptors, func(d backend.Descriptor) bool { return d.Active && !d.Internal && d.Text[:5] == "wpkh(" })
	testkit.Check(t, s.core.CreateWatchOnly(ctx, "watch"))
	w := s.core.Wallet("watch")

	_, err = w.ImportDescriptors(ctx, []backend.Import{
		{Text: "wpkh(nonsense)"},
		{Text: descriptors[i].Text, Active: true, RangeEnd: 1999, NextIndex: 7},
		{Text: "addr(" + anyoneAddress + ")"},
	})
	failed, ok := errors.AsType[*backend.ImportError](err)
	if !ok || !slices.Equal(slices.Sorted(maps.Keys(failed.Failures)), []int{0, 2}) {
		t.Fatalf("got %v", err)
	}
	list, err := w.Descriptors(ctx)
	testkit.Check(t, err)
	if len(list) != 1 || list[0].Text != descriptors[i].Text || !list[0].Active || list[0].Internal ||
		list[0].RangeEnd != 1999 || list[0].Next != 7 || list[0].Since.IsZero() {
		t.Errorf("got %+v", list)
	}
	if a, err := s.core.DeriveAddresses(ctx, descriptors[i].Text, 7, 7); err != nil || a[0] != s.address(t, "watch") {
		t.Errorf("the next address does not have index 7: %v, %v", a, err)
	}

	// An import with a time scans the chain.
	genesis, err := s.core.BlockHash(ctx, 0)
	testkit.Check(t, err)
	h, err := s.core.BlockHeader(ctx, genesis)
	testkit.Check(t, err)
	info, err := s.core.DescriptorInfo(ctx, "addr("+anyoneAddress+")")
	testkit.Check(t, err)
	warnings, err := w.ImportDescriptors(ctx, []backend.Import{{Text: info.Canonical, Since: h.Time}})
	testkit.Check(t, err)
	if len(warnings) != 0 {
		t.Errorf("warnings %q", warnings)
	}
	if b, err := w.Balances(ctx); err != nil || b.Immature+b.Trusted != 103*50*btc.BTC {
		t.Errorf("balances %+v, %v", b, err)
	}
}

func TestRescan(t *testing.T) {
	t.Parallel()
	s := start(t, "-blockfilterindex=0") // makes the rescan take longer
	ctx := t.Context()
	s.payer(t, "alice")
	w := s.watch(t, "watch", "alice")
	tip, err := s.core.Tip(ctx)
	testkit.Check(t, err)
	if to, err := w.Rescan(ctx, 5); err != nil || to != tip.Height {
		t.Errorf("reached %d, %v", to, err)
	}
	_, err = w.Rescan(ctx, tip.Height+1)
	wantErr(t, err, backend.ErrBlockNotFound)
	if was, err := w.AbortRescan(ctx); err != nil || was {
		t.Errorf("aborted %v, %v without a rescan", was, err)
	}

	// A wallet with many scripts and blocks, so that the rescan can be observed.
	s.Mine(t, 1500)
	info, err := s.core.DescriptorInfo(ctx, ranged)
	testkit.Check(t, err)
	_, err = w.ImportDescriptors(ctx, []backend.Import{{Text: info.Canonical, RangeEnd: 2000}})
	testkit.Check(t, err)
	var during backend.Info
	var seen, second, imported, unloaded, aborted error
	var was bool
	s.duringScan(t, w, func() {
		during, seen = w.Info(ctx)
		_, second = w.Rescan(ctx, 0)
		_, imported = w.ImportDescriptors(ctx, []backend.Import{{Text: info.Canonical}})
		unloaded = s.core.UnloadWallet(ctx, w.Name())
		was, aborted = w.AbortRescan(ctx)
	})
	testkit.Check(t, seen)
	if during.Scan == nil || during.Scan.Progress < 0 || during.Scan.Progress > 1 {
		t.Errorf("scan %+v", during.Scan)
	}
	wantErr(t, second, backend.ErrScanning)
	wantErr(t, imported, backend.ErrScanning)
	wantErr(t, unloaded, backend.ErrScanning)
	if aborted != nil || !was {
		t.Errorf("aborted %v, %v", was, aborted)
	}
}

// duringScan calls do, which must abort the rescan, while the wallet rescans the whole
// chain. Such a rescan is short; if it ends before it is aborted, duringScan starts over.
func (s scene) duringScan(t *testing.T, w *backend.Wallet, do func()) {
	t.Helper()
	for range 50 {
		ended := make(chan error, 1)
		go func() {
			_, err := w.Rescan(t.Context(), 0)
			ended <- err
		}()
		testkit.Eventually(t, "a rescan is running", func() bool {
			info, err := w.Info(t.Context())
			testkit.Check(t, err)
			return info.Scan != nil || len(ended) > 0
		})
		do()
		err := <-ended
		if errors.Is(err, backend.ErrScanAborted) {
			return
		}
		if err != nil {
			t.Logf("rescan: %v", err)
		}
		testkit.Check(t, s.core.LoadWallet(t.Context(), w.Name()))
	}
	t.Fatal("each rescan ended before it was aborted")
}

const ranged = "pkh(tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P/0/*)"

func TestRescan_ContextEnds(t *testing.T) {
	t.Parallel()
	s := start(t)
	testkit.Check(t, s.core.CreateWatchOnly(t.Context(), "w"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.core.Wallet("w").Rescan(ctx, 0)
	wantErr(t, err, context.Canceled)
}
