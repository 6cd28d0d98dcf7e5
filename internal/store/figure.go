package store

import (
	"context"
	"fmt"

	"github.com/specterd/specterd/internal/metrics"
	"github.com/specterd/specterd/internal/store/db"
)

var _ metrics.Store = (*Store)(nil)

// Figures implements metrics.Store.
func (s *Store) Figures(ctx context.Context) (metrics.Figures, error) {
	f := metrics.Figures{Wallets: map[string]int64{}, Proposals: map[string]int64{}, LeastHeight: -1}
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		wallets, err := q.WalletFigures(ctx)
		if err != nil {
			return fmt.Errorf("count wallets: %w", err)
		}
		for _, row := range wallets {
			f.Wallets[row.Status] = row.Wallets
			if row.Status == "ready" {
				f.LeastHeight = row.LeastHeight
			}
		}
		proposals, err := q.ProposalFigures(ctx)
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
