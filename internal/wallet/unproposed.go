package wallet

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// UnproposedPeriod is the period in which an unproposed spend is reported.
const UnproposedPeriod = 7 * 24 * time.Hour

// UnproposedSpend is a transaction that spends UTXOs of a wallet without being one of its
// proposals: the holders of its keys signed it elsewhere.
type UnproposedSpend struct {
	WalletID, Txid string
	Time           time.Time
	Flow           btc.Amount
}

// UnproposedSpends returns up to limit unproposed spends of a set of wallets in the last
// UnproposedPeriod, the newest first, without those of an imported history. They are found in
// the index, because events are deleted after some time.
func (s *Service) UnproposedSpends(ctx context.Context, set Set, limit int) ([]UnproposedSpend, error) {
	views, err := s.openSet(ctx, set)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(views))
	for i, v := range views {
		ids[i] = v.ID
	}
	return s.store.UnproposedSpends(ctx, ids, s.now().Add(-UnproposedPeriod), limit)
}
