package indexer_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// onBothDatabases runs a test on one node, with the index in either database.
func onBothDatabases(t *testing.T, test func(w *world)) {
	t.Helper()
	n := testkit.Bitcoind(t, "-unsafesqlitesync")
	n.Mine(t, 1)
	t.Run("sqlite", func(t *testing.T) { test(worldOn(t, n, testdb.SQLite(t))) })
	t.Run("postgres", func(t *testing.T) { test(worldOn(t, n, testdb.Postgres(t))) })
}

// A rescan whose range is larger than what is known is answered at once. The range
// is extended in the background, also after an interruption in the middle of that,
// and the scan finds what was paid to the new addresses.
func TestRescanExtendsTheRangeInTheBackground(t *testing.T) {
	t.Parallel()
	onBothDatabases(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		h := w.hot("far "+t.Name(), "wpkh")
		v := h.watch(now)
		const index, wanted = 3500, 6000
		var far []string
		decode(t, w.node.CLI(t, "deriveaddresses", h.receive, []int{index, index}), &far)
		w.node.CLI(t, "generatetoaddress", 1, far[0])
		v.agree()
		w.halt()

		begin := time.Now()
		got, err := w.service.Rescan(ctx, w.who, v.alias, wallet.Birth{Height: new(int)}, wanted)
		must(t, err)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("it took %s", took)
		}
		if !got.Scanning() || got.ScanRange != wanted || got.RangeEnd >= index {
			t.Errorf("the scan that is due: %+v", got.Wallet)
		}
		dies := &mortal{Store: w.store, chunks: 2}
		_, err = wallet.New(slog.New(slog.DiscardHandler), dies, w.store, w.provider, time.Now, w.kick).EnsureScanRange(ctx, got.Wallet)
		if !errors.Is(err, errCrash) {
			t.Fatalf("the first try: %v", err)
		}
		if half := v.view(); half.RangeEnd <= got.RangeEnd || half.RangeEnd >= wanted || !half.Scanning() {
			t.Errorf("half-way: %+v", half.Wallet)
		}
		w.start()
		testkit.Eventually(t, "the scan is over", v.scanned)
		if end := v.view(); end.RangeEnd != wanted || end.ScanRange != 0 || end.ScanProblem != "" {
			t.Errorf("in the end: %+v", end.Wallet)
		}
		if b := v.view().Balances; b.Immature == 0 {
			t.Errorf("the payment was not found: %+v", b)
		}
		v.agree()
	})
}

func (v *watched) scanned() bool {
	view := v.view()
	return !view.Scanning()
}

// A user's rescan does not wait for all that another user has queued before.
func TestRescansTakeTurnsByUser(t *testing.T) {
	t.Parallel()
	onBothDatabases(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		const queued, wanted = 5, 5000
		var all []*watched
		for i := range queued + 1 {
			v := w.hot(fmt.Sprint(t.Name(), i), "wpkh").watch(now)
			v.agree()
			all = append(all, v)
		}
		// The follower comes to the one of the highest id last.
		slices.SortFunc(all, func(a, b *watched) int { return cmp.Compare(a.id, b.id) })
		last := all[queued]
		bob := auth.User{ID: uuid.NewString(), Name: "bob", PasswordHash: "x", CreatedAt: time.Now()}
		must(t, w.store.CreateUser(ctx, auth.Operator("test"), bob, auth.Event{At: bob.CreatedAt, Action: "user.create"}))
		must(t, w.store.EditMembers(ctx, auth.Operator("test"), last.id, func(e *wallet.MemberEdit) error {
			e.Members = append(e.Members, wallet.Member{UserID: bob.ID, Role: auth.RoleOwner, Alias: "shared", CreatedAt: bob.CreatedAt})
			return nil
		}))
		w.halt()
		for _, v := range all[:queued] {
			_, err := w.service.Rescan(ctx, w.who, v.alias, wallet.Birth{Height: new(int)}, wanted)
			must(t, err)
		}
		who := &auth.Principal{UserID: bob.ID, UserName: bob.Name, Scopes: auth.AllScopes}
		_, err := w.service.Rescan(ctx, who, "shared", wallet.Birth{Height: new(int)}, wanted)
		must(t, err)
		w.start()
		testkit.Eventually(t, "the rescan of the second user is over", last.scanned)
		waiting := 0
		for _, v := range all[:queued] {
			if !v.scanned() {
				waiting++
			}
		}
		if waiting < queued-2 {
			t.Errorf("of the first user's rescans, %d wait", waiting)
		}
		for _, v := range all {
			testkit.Eventually(t, "all rescans are over", v.scanned)
		}
	})
}

// mortal is a database of a process that ends after some parts of a range.
type mortal struct {
	*store.Store
	chunks int
}

func (m *mortal) ExtendRange(ctx context.Context, id string, rangeEnd uint32, addresses []wallet.Address) error {
	if m.chunks--; m.chunks < 0 {
		return errCrash
	}
	return m.Store.ExtendRange(ctx, id, rangeEnd, addresses)
}

// While Core derives many addresses for one wallet, the others are followed.
func TestExtensionDoesNotHoldUpOtherWallets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow, other := w.hot("slow", "wpkh").watch(now), w.hot("other", "wpkh").watch(now)
	slow.agree()
	other.agree()
	_, err := w.service.Rescan(t.Context(), w.who, slow.alias, wallet.Birth{Height: new(int)}, 20_000)
	must(t, err)
	var tip int
	must(t, json.Unmarshal(w.node.CLI(t, "getblockcount"), &tip))
	w.node.Mine(t, 1)
	if _, err := w.service.WaitForHeight(t.Context(), w.who, other.alias, tip+1); err != nil {
		t.Errorf("the other wallet: %v", err)
	}
	testkit.Eventually(t, "the scan is over", slow.scanned)
	slow.agree()
}

// Why a scan failed is shown until the next one.
func TestFailedRescanIsShown(t *testing.T) {
	t.Parallel()
	onBothDatabases(t, func(w *world) {
		t := w.t
		v := w.hot("failing "+t.Name(), "wpkh").watch(now)
		v.agree()
		_, err := w.store.EditWallet(t.Context(), v.id, func(e *wallet.Edit) error {
			e.StartScan(1_000_000) // as if the chain had been that long
			return nil
		})
		must(t, err)
		w.kick(v.id)
		testkit.Eventually(t, "the scan was given up", v.scanned)
		if got := v.view().ScanProblem; got != "the Bitcoin node does not know this block" {
			t.Errorf("the problem is %q", got)
		}
		_, err = w.service.Rescan(t.Context(), w.who, v.alias, wallet.Birth{Height: new(int)}, 0)
		must(t, err)
		testkit.Eventually(t, "the next scan is over", v.scanned)
		if got := v.view().ScanProblem; got != "" {
			t.Errorf("after the next scan: %q", got)
		}
	})
}
