package wallet_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

func TestParseBirthday(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]wallet.Birthday{
		"now": fromNow, "0": height(0), "812000": height(812000), "2026-01-31": at(day),
		"2026-01-31T12:00:00Z": at(day.Add(12 * time.Hour)), "2026-01-31T12:00:00+02:00": at(day.Add(10 * time.Hour)),
	} {
		t.Run(text, func(t *testing.T) {
			got, err := wallet.ParseBirthday("birthday", text)
			testkit.Check(t, err)
			same := got.Now == want.Now && (got.Height == nil) == (want.Height == nil) && (got.Time == nil) == (want.Time == nil) &&
				(got.Height == nil || *got.Height == *want.Height) && (got.Time == nil || got.Time.Equal(*want.Time))
			if !same {
				t.Errorf("%s is %+v", text, got)
			}
		})
	}
	for _, text := range []string{"", "-1", "Now", "1.5", "2026-02-30", "31.1.2026", "99999999999999999999"} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			_, err := wallet.ParseBirthday("from", text)
			wantField(t, err, "from")
		})
	}
}

func testRescan(r *fixture) {
	t, ctx := r.t, r.t.Context()
	v := r.storeWatched(r.alice, "vault")
	tip, _ := r.provider.Chain(wallet.NodeWallet{})
	_, err := r.Rescan(ctx, r.access(r.alice, "vault"), height(tip+1), 0)
	wantField(t, err, "from")
	_, err = r.Rescan(ctx, r.access(r.alice, "vault"), wallet.Birthday{}, 0)
	wantField(t, err, "from")
	_, err = r.Rescan(ctx, r.access(r.alice, "vault"), height(0), 100_001)
	wantField(t, err, "addresses")

	got, err := r.Rescan(ctx, r.access(r.alice, "vault"), height(10), 0)
	testkit.Check(t, err)
	if got.RescanFrom != 10 || got.RescanProgress != 0 || got.Birthday != 0 || got.RangeEnd != v.RangeEnd || got.Alias != "vault" {
		t.Errorf("got %+v", got)
	}
	r.wantKick(v.ID)
	r.wantEvent(r.alice, "wallet.rescan", v.ID)
	_, err = r.Rescan(ctx, r.access(r.alice, "vault"), height(5), 0)
	wantFault(t, err, fault.Conflict, "rescan_in_progress")

	testkit.Check(t, r.StopRescan(ctx, r.access(r.alice, "vault")))
	r.wantKick(v.ID)
	r.wantEvent(r.alice, "wallet.rescan.stop", v.ID)
	testkit.Check(t, r.StopRescan(ctx, r.access(r.alice, "vault"))) // no rescan is running
	if n := r.count("SELECT count(*) FROM audit WHERE action = 'wallet.rescan.stop'"); n != 1 {
		t.Errorf("%d stops are recorded", n)
	}
	if got, err = r.Get(ctx, r.access(r.alice, "vault")); err != nil || got.Rescanning() {
		t.Errorf("scanning from %d, %v", got.RescanFrom, err)
	}

	// The range of a rescan may exceed the range of the wallet.
	from, err := r.provider.HeightAt(ctx, wallet.NodeWallet{}, time.Now())
	testkit.Check(t, err)
	got, err = r.Rescan(ctx, r.access(r.alice, "vault"), at(time.Now()), v.RangeEnd+1100)
	testkit.Check(t, err)
	if got.RangeEnd != v.RangeEnd || got.RescanRange != v.RangeEnd+1100 || got.Birthday != 0 || got.RescanFrom != from {
		t.Errorf("got %+v", got)
	}
	for range 2 {
		if got.Wallet, err = r.EnsureScanRange(ctx, v.Wallet); err != nil || got.RangeEnd != v.RangeEnd+1100 || got.RescanFrom != from {
			t.Errorf("extended to %+v, %v", got, err)
		}
	}
	r.wantAddresses(got)
	watched, err := r.core.Wallet(v.CoreName).Descriptors(ctx)
	testkit.Check(t, err)
	for _, d := range watched {
		if d.RangeEnd != int(got.RangeEnd)-1 {
			t.Errorf("Core watches %+v", d)
		}
	}
	warn := func(want bool) {
		t.Helper()
		a, err := r.NextAddress(ctx, r.access(r.alice, "vault"), "")
		testkit.Check(t, err)
		if got := strings.Contains(a.Warning(), "may have been used before"); got != want {
			t.Errorf("the warning is %q", a.Warning())
		}
	}
	warn(true)
	testkit.Check(t, r.StopRescan(ctx, r.access(r.alice, "vault")))
	warn(false)
}

// TestPruned checks that a rescan cannot start at a block that the node has pruned, and
// that the error has the height of the first block that the node has.
func TestPruned(t *testing.T) {
	t.Parallel()
	n := testkit.Bitcoind(t, "-txindex=0", "-prune=1", "-fastprune")
	n.CLI(t, "setmocktime", time.Now().Add(-10*24*time.Hour).Unix()) // an import scans the last two hours
	n.Mine(t, 650)
	n.CLI(t, "setmocktime", 0)
	n.Mine(t, 300)
	n.CLI(t, "pruneblockchain", 600)
	onOne(t, n, map[string]func(r *fixture){"birthday and rescan": func(r *fixture) {
		t, ctx := r.t, r.t.Context()
		_, lowest := r.provider.Chain(wallet.NodeWallet{})
		if lowest < 2 {
			t.Fatalf("pruned to %d", lowest)
		}
		create := func(b wallet.Birthday) (wallet.View, error) {
			return r.Create(ctx, r.alice, wallet.Plan{Name: "vault", Descriptor: descriptor(), Birthday: b})
		}
		early := []wallet.Birthday{height(lowest - 1), at(time.Date(2011, 2, 2, 0, 0, 0, 0, time.UTC))}
		for _, b := range early {
			_, err := create(b)
			wantField(t, err, "birthday")
			if got := faultOf(err).Details["lowest_height"]; got != strconv.Itoa(lowest) {
				t.Errorf("lowest height is %q, want %d", got, lowest)
			}
		}
		v, err := create(height(lowest))
		testkit.Check(t, err)
		testkit.Check(t, r.StopRescan(ctx, r.access(r.alice, "vault")))
		for _, b := range early {
			_, err := r.Rescan(ctx, r.access(r.alice, "vault"), b, 0)
			wantField(t, err, "from")
		}
		_, err = r.Rescan(ctx, r.access(r.alice, "vault"), height(v.Birthday), 0)
		testkit.Check(t, err)
		// The node indeed has that block.
		_, err = r.core.Wallet(v.CoreName).Rescan(ctx, int64(v.Birthday))
		testkit.Check(t, err)
	}})
}
