package store_test

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestTrends_EqualLedger compares the running balances of a history, and the balances of a
// trend, with the ledger of random histories.
func TestTrends_EqualLedger(t *testing.T) {
	testkit.NeedsTime(t)
	seed := testkit.Seed(t)
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		m := newLedgerModel(b, rand.New(rand.NewPCG(seed, 1)), b.wallet(alice, "a"), b.wallet(alice, "b"), b.wallet(bob, "c"))
		who := &auth.Principal{UserID: alice.ID, Scopes: auth.AllScopes}
		inactive := 0
		for round := 0; round < 15 && !t.Failed(); round++ {
			for range 1 + m.r.IntN(12) {
				m.grow()
			}
			m.settle()
			m.write()
			for _, alias := range []string{"a", "b"} {
				all := m.ledger(who, alias, wallet.LedgerParams{})
				m.wantRunning(who, alias, all)
				for range 4 {
					m.wantTrend(who, alias, all)
				}
				for _, e := range all {
					if e.Kind == wallet.EntryInactive {
						inactive++
					}
				}
			}
		}
		if inactive == 0 {
			t.Error("no inactive transaction held outputs")
		}
	})
}

// wantRunning compares the running balances of all pages of a history with the ledger.
func (m *ledgerModel) wantRunning(who *auth.Principal, alias string, all []wallet.Entry) {
	m.b.t.Helper()
	access := testkit.Access(m.b.t, m.service, who, alias)
	filter, size := wallet.Filter{Dead: m.r.IntN(2) == 0}, 1+m.r.IntN(9)
	var after wallet.HistoryCursor
	for {
		page, err := m.b.Transactions(m.b.t.Context(), access.WalletID(), filter, after, size)
		testkit.Check(m.b.t, err)
		got, err := m.service.RunningBalances(m.b.t.Context(), access, page)
		testkit.Check(m.b.t, err)
		for i, r := range page {
			want := btc.Amount(0)
			for _, e := range all {
				if e.Time.Before(r.Time) || e.Time.Equal(r.Time) && e.Txid <= r.Txid {
					want = e.Balance
				}
			}
			if got[i] != want {
				m.b.t.Errorf("%s has %d after %s (%s), not %d", alias, got[i], r.Txid, r.Status, want)
			}
		}
		if len(page) < size {
			return
		}
		last := page[len(page)-1]
		after = wallet.HistoryCursor{Time: last.Time, Txid: last.Txid}
	}
}

// wantTrend compares a trend since a random time, with random steps, with the ledger. The
// last transactions may have times in the future.
func (m *ledgerModel) wantTrend(who *auth.Principal, alias string, all []wallet.Entry) {
	m.b.t.Helper()
	span := len(m.txs)/3 + 10
	since := time.Unix(int64(995+m.r.IntN(span)), 0).UTC()
	step := time.Duration(1+m.r.IntN(7)) * time.Second
	now := since.Add(time.Duration(m.r.IntN(span)) * time.Second)
	s := wallet.New(slog.New(slog.DiscardHandler), m.b.Store, m.b.Store, nil, func() time.Time { return now }, func(string) {})
	access := testkit.Access(m.b.t, s, who, alias)
	trends, err := s.Trends(m.b.t.Context(), wallet.All(who), since, step)
	testkit.Check(m.b.t, err)
	if len(trends) != 2 {
		m.b.t.Errorf("trends of %d wallets", len(trends))
	}
	got := trends[access.WalletID()]
	if steps := int(now.Sub(since)/step) + 1; len(got.Balances) != steps {
		m.b.t.Fatalf("%d steps, not %d", len(got.Balances), steps)
	}
	want := make([]btc.Amount, len(got.Balances))
	opening := btc.Amount(0)
	for _, e := range all {
		if e.Time.Before(since) {
			opening = e.Balance
		}
		for i := range want {
			if i == len(want)-1 || e.Time.Before(since.Add(time.Duration(i+1)*step)) {
				want[i] = e.Balance
			}
		}
	}
	if got.Opening != opening || got.Change() != want[len(want)-1]-opening {
		m.b.t.Errorf("%s begins with %d and changes by %d, not %d and %d", alias, got.Opening, got.Change(), opening, want[len(want)-1]-opening)
	}
	for i := range want {
		if got.Balances[i] != want[i] {
			m.b.t.Errorf("%s has %d after step %d, not %d", alias, got.Balances[i], i, want[i])
		}
	}
}

// TestTrends_Refused checks the limits of a trend.
func TestTrends_Refused(t *testing.T) {
	b := openSQLite(t)
	u := b.user("alice", false)
	b.wallet(u, "a")
	s := wallet.New(slog.New(slog.DiscardHandler), b.Store, b.Store, nil, func() time.Time { return b.now }, func(string) {})
	who := &auth.Principal{UserID: u.ID, Scopes: auth.AllScopes}
	for name, test := range map[string]struct {
		since time.Time
		step  time.Duration
		field string
	}{
		"future":         {b.now.Add(time.Second), time.Second, "since"},
		"no step":        {b.now.Add(-time.Second), 0, "step"},
		"too many steps": {b.now.Add(-1000 * time.Second), time.Second, "step"},
		"most steps":     {b.now.Add(-999 * time.Second), time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Trends(t.Context(), wallet.All(who), test.since, test.step)
			if test.field == "" {
				testkit.Check(t, err)
				return
			}
			wantFault(t, err, fault.InvalidField(test.field, ""))
		})
	}
}
