package store

import (
	"context"
	"fmt"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// WriteJournal implements auth.JournalStore.
func (s *Store) WriteJournal(ctx context.Context, events []auth.Event, uses map[string]auth.Use) error {
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

func addEvent(ctx context.Context, q *db.Queries, e auth.Event) error {
	err := q.AddAudit(ctx, db.AddAuditParams{
		At: sqltype.Time{Time: e.At}, UserID: e.UserID, UserName: e.UserName, TokenID: e.TokenID,
		Address: e.Address, Action: e.Action, Target: e.Target, Outcome: e.Outcome, Detail: e.Detail,
	})
	if err != nil {
		return fmt.Errorf("add to the audit record: %w", err)
	}
	return nil
}

// addEventIfAny adds an event unless it says that there is nothing to record.
func addEventIfAny(ctx context.Context, q *db.Queries, e auth.Event) error {
	if e.Action == "" {
		return nil
	}
	return addEvent(ctx, q, e)
}
