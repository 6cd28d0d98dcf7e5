package store

import (
	"context"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// expiringAtATime is the number of tokens whose events are added in one transaction.
const expiringAtATime = 100

// NextExpiringToken returns when the next event of a token that expires is due; zero if
// there is no such token.
func (s *Store) NextExpiringToken(ctx context.Context) (time.Time, error) {
	at, err := s.reads().NextExpiring(ctx)
	if err != nil || at == 0 {
		return time.Time{}, translate(err)
	}
	return time.UnixMicro(at), nil
}

// RecordExpiringTokens adds the events of expiring tokens that are due. A token that has
// expired meanwhile has none.
func (s *Store) RecordExpiringTokens(ctx context.Context) error {
	for {
		n, err := s.recordSomeExpiring(ctx)
		if n < expiringAtATime || err != nil {
			return err
		}
	}
}

func (s *Store) recordSomeExpiring(ctx context.Context) (n int, err error) {
	err = s.withEvents(ctx, s.inTx, func(q *db.Queries, log *eventLog) error {
		due, err := q.ExpiringTokens(ctx, db.ExpiringTokensParams{Now: sqltype.NullTime{Time: log.now}, MaxRows: expiringAtATime})
		if n = len(due); n == 0 || err != nil {
			return err
		}
		ids := make([]string, n)
		for i, t := range due {
			ids[i] = t.TokenID
			if t.ExpiresAt.After(log.now) {
				log.addForUser(t.UserID, event.TokenExpiring, t.TokenID, event.Actor{}, event.ExpiringData{
					TokenID: t.TokenID, Description: t.Description, ExpiresAt: t.ExpiresAt.Time,
				})
			}
		}
		return q.StopExpiring(ctx, listOf(ids))
	})
	if err != nil {
		return n, fmt.Errorf("record the tokens that will expire: %w", err)
	}
	return n, nil
}
