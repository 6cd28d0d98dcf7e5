package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// ClaimKey implements idempotency.Store.
func (s *Store) ClaimKey(ctx context.Context, r idempotency.Request, before time.Time, decide func(*idempotency.Entry) (*idempotency.Entry, error)) error {
	return s.inQuotaTx(ctx, r.UserID, func(q *db.Queries) error {
		if err := q.DropIdempotencyKeys(ctx, sqltype.Time{Time: before}); err != nil {
			return fmt.Errorf("drop old idempotency keys: %w", err)
		}
		found, err := entryOf(ctx, q, r)
		if err != nil {
			return err
		}
		e, err := decide(found)
		if err != nil || e == nil {
			return err
		}
		err = q.ClaimIdempotencyKey(ctx, db.ClaimIdempotencyKeyParams{
			UserID: r.UserID, Route: r.Route, IdempotencyKey: r.Key,
			Fingerprint: e.Fingerprint, ClaimID: e.ClaimID, ClaimedAt: sqltype.Time{Time: e.ClaimedAt},
		})
		if isForeignKey(err) { // the user has been deleted
			return auth.ErrUnauthenticated
		}
		if err != nil {
			return fmt.Errorf("claim an idempotency key: %w", err)
		}
		if found != nil {
			return nil
		}
		return s.chargeUser(ctx, q, auth.QuotaIdempotencyKeys, r.UserID)
	})
}

func entryOf(ctx context.Context, q *db.Queries, r idempotency.Request) (*idempotency.Entry, error) {
	row, err := q.IdempotencyEntry(ctx, db.IdempotencyEntryParams{UserID: r.UserID, Route: r.Route, IdempotencyKey: r.Key})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("select an idempotency key: %w", err)
	}
	e := &idempotency.Entry{Fingerprint: row.Fingerprint, ClaimID: row.ClaimID, ClaimedAt: row.ClaimedAt.Time}
	if row.Status != nil {
		e.Answer = &idempotency.Answer{Status: *row.Status, Body: row.Body}
	}
	return e, nil
}

// KeepAnswer implements idempotency.Store.
func (s *Store) KeepAnswer(ctx context.Context, r idempotency.Request, claimID string, a idempotency.Answer) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		n, err := q.KeepIdempotentAnswer(ctx, db.KeepIdempotentAnswerParams{
			Status: &a.Status, Body: a.Body, ClaimID: claimID, UserID: r.UserID, Route: r.Route, IdempotencyKey: r.Key,
		})
		if err == nil && n == 0 {
			err = errors.New("another request has claimed the key")
		}
		if err != nil {
			return fmt.Errorf("store a response: %w", err)
		}
		return nil
	})
}

// ReleaseKey implements idempotency.Store.
func (s *Store) ReleaseKey(ctx context.Context, r idempotency.Request, claimID string) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		return q.ReleaseIdempotencyKey(ctx, db.ReleaseIdempotencyKeyParams{UserID: r.UserID, Route: r.Route, IdempotencyKey: r.Key, ClaimID: claimID})
	})
}
