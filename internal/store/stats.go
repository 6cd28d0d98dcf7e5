package store

import (
	"context"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/metrics"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
)

var _ metrics.Store = (*Store)(nil)

// Stats implements metrics.Store.
func (s *Store) Stats(ctx context.Context) (metrics.Stats, error) {
	f := metrics.Stats{Wallets: map[string]int64{}, Proposals: map[string]int64{}, LeastHeight: -1}
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		wallets, err := q.WalletStats(ctx)
		if err != nil {
			return fmt.Errorf("count wallets: %w", err)
		}
		for _, row := range wallets {
			f.Wallets[row.Status] = row.Wallets
			if row.Status == "ready" {
				f.LeastHeight = row.LeastHeight
			}
		}
		proposals, err := q.ProposalStats(ctx)
		if err != nil {
			return fmt.Errorf("count proposals: %w", err)
		}
		for _, row := range proposals {
			f.Proposals[row.Status] = row.Proposals
		}
		if f.Webhooks, err = webhookStats(ctx, q); err != nil {
			return err
		}
		f.UnproposedSpends, err = q.UnproposedCount(ctx, db.UnproposedCountParams{
			Since: s.now().Add(-wallet.UnproposedPeriod).UnixMicro(), Margin: blockTimeMargin.Microseconds(),
		})
		if err != nil {
			return fmt.Errorf("count unproposed spends: %w", err)
		}
		f.LastBackup, err = lastBackup(ctx, q)
		return err
	})
	return f, err
}

func webhookStats(ctx context.Context, q *db.Queries) (metrics.WebhookStats, error) {
	row, err := q.WebhookStats(ctx)
	if err != nil {
		return metrics.WebhookStats{}, fmt.Errorf("count webhooks: %w", err)
	}
	f := metrics.WebhookStats{Active: row.Active, Failing: row.Failing, Disabled: row.Disabled, Pending: row.Pending}
	if row.Oldest != 0 {
		f.OldestPending = time.UnixMicro(row.Oldest)
	}
	return f, nil
}
