package store

import (
	"context"
	"fmt"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// WriteEvents implements auth.RecorderStore.
func (s *Store) WriteEvents(ctx context.Context, events []auth.Event, uses map[string]auth.Use) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		for _, e := range events {
			if err := addEvent(ctx, q, e); err != nil {
				return err
			}
		}
		for id, use := range uses {
			err := q.RecordTokenUse(ctx, db.RecordTokenUseParams{
				TokenID: id, LastUsedAt: sqltype.NullTime{Time: use.At},
				LastUsedAddress: use.Address, LastUsedAgent: use.Agent,
			})
			if err != nil {
				return fmt.Errorf("record the use of a token: %w", err)
			}
		}
		return nil
	})
}
