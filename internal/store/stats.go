package store

import (
	"context"
	"fmt"

	"github.com/specterd/specterd/internal/metrics"
	"github.com/specterd/specterd/internal/store/db"
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
		return nil
	})
	return f, err
}
