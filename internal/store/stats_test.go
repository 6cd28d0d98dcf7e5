package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/metrics"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestStats(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		got, err := b.Stats(t.Context())
		testkit.Check(t, err)
		if diff := cmp.Diff(metrics.Stats{Wallets: map[string]int64{}, Proposals: map[string]int64{}, LeastHeight: -1}, got); diff != "" {
			t.Error(diff)
		}
		w := b.wallet(b.user("alice", false), "vault")
		b.wallet(b.user("bob", false), "other")
		testkit.Check(t, b.propose(proposalFor(b, w, 3, utxoNumber(1))))
		b.exec("UPDATE wallets SET stage = 'ready', rescan_from = NULL, synced_height = 7 WHERE wallet_id = '" + w.ID + "'")
		got, err = b.Stats(t.Context())
		testkit.Check(t, err)
		if got.Wallets["ready"] != 1 || got.Wallets["rescanning"] != 1 || got.Proposals["created"] != 1 || got.LeastHeight != 7 {
			t.Errorf("got %+v", got)
		}
	})
}
