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

// onBothDatabases runs a test twice on one node: with the index in SQLite and in
// PostgreSQL.
func onBothDatabases(t *testing.T, test func(w *world)) {
	t.Helper()
	n := testkit.Bitcoind(t, "-unsafesqlitesync")
	n.Mine(t, 1)
	t.Run("sqlite", func(t *testing.T) { test(worldOn(t, n, testdb.SQLite(t))) })
	t.Run("postgres", func(t *testing.T) { test(worldOn(t, n, testdb.Postgres(t))) })
}

// TestRescan_ExtendsRangeInBackground checks that a request for a rescan beyond the
// known range returns immediately, that the range is extended in the background, even
// after an interruption, and that the rescan then finds payments to the new
// addresses.
func TestRescan_ExtendsRangeInBackground(t *testing.T) {
	t.Parallel()
	onBothDatabases(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		h := w.hot("far "+t.Name(), "wpkh")
		v := h.watch(now)
		const index, wanted = 3500, 6000
		var far []string
		decode(t, w.node.CLI(t, "deriveaddresses", h.receive, []int{index, index}), &far)
		w.node.CLI(t, "generatetoaddress", 1, far[0])
		v.wantSynced()
		w.halt()

		begin := time.Now()
		got, err := w.service.Rescan(ctx, w.access(w.who, v.alias), wallet.Birthday{Height: new(int)}, wanted)
		testkit.Check(t, err)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the request took %s", took)
		}
		if !got.Rescanning() || got.RescanRange != wanted || got.RangeEnd >= index {
			t.Errorf("due rescan: %+v", got.Wallet)
		}
		dies := &interruptedStore{Store: w.store, chunks: 2}
		_, err = wallet.New(slog.New(slog.DiscardHandler), dies, w.store, w.provider, time.Now, w.kick).EnsureScanRange(ctx, got.Wallet)
		if !errors.Is(err, errCrash) {
			t.Fatalf("first attempt: %v", err)
		}
		if half := v.view(); half.RangeEnd <= got.RangeEnd || half.RangeEnd >= wanted || !half.Rescanning() {
			t.Errorf("half-way: %+v", half.Wallet)
		}
		w.start()
		testkit.Eventually(t, "the rescan has finished", v.scanned)
		if end := v.view(); end.RangeEnd != wanted || end.RescanRange != 0 || end.RescanProblem != "" {
			t.Errorf("at the end: %+v", end.Wallet)
		}
		if b := v.view().Balances; b.Immature == 0 {
			t.Errorf("the payment was not found: %+v", b)
		}
		v.wantSynced()
	})
}

func (v *watched) scanned() bool {
	view := v.view()
	return !view.Rescanning()
}

// TestRescans_FairByUser checks that a user's rescan does not wait for all rescans
// that another user queued earlier.
func TestRescans_FairByUser(t *testing.T) {
	t.Parallel()
	onBothDatabases(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		const queued, wanted = 5, 5000
		var all []*watched
		for i := range queued + 1 {
			v := w.hot(fmt.Sprint(t.Name(), i), "wpkh").watch(now)
			v.wantSynced()
			all = append(all, v)
		}
		// The indexer processes the wallet with the highest id last.
		slices.SortFunc(all, func(a, b *watched) int { return cmp.Compare(a.id, b.id) })
		last := all[queued]
		bob := auth.User{ID: uuid.NewString(), Name: "bob", PasswordHash: "x", CreatedAt: time.Now()}
		testkit.Check(t, w.store.CreateUser(ctx, auth.Operator("test"), bob, auth.Event{At: bob.CreatedAt, Action: "user.create"}))
		testkit.Check(t, w.store.EditMembers(ctx, auth.Operator("test"), last.id, func(e *wallet.MemberEdit) error {
			e.Members = append(e.Members, wallet.Member{UserID: bob.ID, Role: auth.RoleOwner, Alias: "shared", CreatedAt: bob.CreatedAt})
			return nil
		}))
		w.halt()
		for _, v := range all[:queued] {
			_, err := w.service.Rescan(ctx, w.access(w.who, v.alias), wallet.Birthday{Height: new(int)}, wanted)
			testkit.Check(t, err)
		}
		who := &auth.Principal{UserID: bob.ID, UserName: bob.Name, Scopes: auth.AllScopes}
		_, err := w.service.Rescan(ctx, w.access(who, "shared"), wallet.Birthday{Height: new(int)}, wanted)
		testkit.Check(t, err)
		w.start()
		testkit.Eventually(t, "the rescan of the second user has finished", last.scanned)
		waiting := 0
		for _, v := range all[:queued] {
			if !v.scanned() {
				waiting++
			}
		}
		if waiting < queued-2 {
			t.Errorf("%d rescans of the first user are waiting", waiting)
		}
		for _, v := range all {
			testkit.Eventually(t, "all rescans have finished", v.scanned)
		}
	})
}

// interruptedStore is the database of a process that ends after storing some parts of a
// range.
type interruptedStore struct {
	*store.Store
	chunks int
}

func (m *interruptedStore) ExtendRange(ctx context.Context, id string, rangeEnd uint32, addresses []wallet.Address) error {
	if m.chunks--; m.chunks < 0 {
		return errCrash
	}
	return m.Store.ExtendRange(ctx, id, rangeEnd, addresses)
}

// TestRangeExtension_DoesNotBlockOtherWallets checks that other wallets are synced
// while Bitcoin Core derives many addresses for one wallet.
func TestRangeExtension_DoesNotBlockOtherWallets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow, other := w.hot("slow", "wpkh").watch(now), w.hot("other", "wpkh").watch(now)
	slow.wantSynced()
	other.wantSynced()
	_, err := w.service.Rescan(t.Context(), w.access(w.who, slow.alias), wallet.Birthday{Height: new(int)}, 20_000)
	testkit.Check(t, err)
	var tip int
	testkit.Check(t, json.Unmarshal(w.node.CLI(t, "getblockcount"), &tip))
	w.node.Mine(t, 1)
	if _, err := w.service.WaitForHeight(t.Context(), wallet.One(w.access(w.who, other.alias)), tip+1); err != nil {
		t.Errorf("the other wallet: %v", err)
	}
	testkit.Eventually(t, "the rescan has finished", slow.scanned)
	slow.wantSynced()
}

// TestRescan_FailureIsShown checks that the reason for a failed rescan is shown until
// the next rescan.
func TestRescan_FailureIsShown(t *testing.T) {
	t.Parallel()
	onBothDatabases(t, func(w *world) {
		t := w.t
		v := w.hot("failing "+t.Name(), "wpkh").watch(now)
		v.wantSynced()
		_, err := w.store.EditWallet(t.Context(), v.id, func(e *wallet.Edit) error {
			e.StartRescan(1_000_000) // as if the chain were that long
			return nil
		})
		testkit.Check(t, err)
		w.kick(v.id)
		testkit.Eventually(t, "the rescan has failed", v.scanned)
		if got := v.view().RescanProblem; got != "the Bitcoin node does not know this block" {
			t.Errorf("the problem is %q", got)
		}
		_, err = w.service.Rescan(t.Context(), w.access(w.who, v.alias), wallet.Birthday{Height: new(int)}, 0)
		testkit.Check(t, err)
		testkit.Eventually(t, "the next rescan has finished", v.scanned)
		if got := v.view().RescanProblem; got != "" {
			t.Errorf("after the next scan: %q", got)
		}
	})
}
