package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

var _ auth.AuditStore = (*Store)(nil)

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

// Audit implements auth.AuditStore.
func (s *Store) Audit(ctx context.Context, f auth.AuditFilter, before int64, limit int) ([]auth.Entry, error) {
	p := db.ListAuditParams{
		BeforeID: before, Since: sqltype.Time{Time: f.Since}, Until: sqltype.Time{Time: f.Until},
		AnyUser: f.UserName == "", UserName: f.UserName,
		AnyAction: f.Action == "", Action: f.Action, ActionGroup: f.Action + ".",
		AnyTarget: f.Target == "", Target: f.Target,
		AnyOutcome: f.Outcome == "", Outcome: f.Outcome,
		MaxRows: int64(limit),
	}
	if before == 0 {
		p.BeforeID = math.MaxInt64
	}
	if f.Until.IsZero() {
		p.Until.Time = endOfTime
	}
	rows, err := s.reads().ListAudit(ctx, p)
	return auditEntriesOf(rows, err)
}

// AuditChain implements auth.AuditStore.
func (s *Store) AuditChain(ctx context.Context, from int64, limit int) ([]auth.Entry, error) {
	rows, err := s.reads().AuditChain(ctx, db.AuditChainParams{First: &from, MaxRows: int64(limit)})
	return auditEntriesOf(rows, err)
}

func auditEntriesOf(rows []db.Audit, err error) ([]auth.Entry, error) {
	if err != nil {
		return nil, translate(fmt.Errorf("read the audit record: %w", err))
	}
	entries := make([]auth.Entry, len(rows))
	for i, row := range rows {
		entries[i] = auditEntryOf(row)
	}
	return entries, nil
}

func auditEntryOf(row db.Audit) auth.Entry {
	e := auth.Entry{
		ID: row.AuditID, PreviousHash: row.PreviousHash, Hash: row.Hash,
		Event: auth.Event{
			At: row.At.Time, UserID: row.UserID, UserName: row.UserName, TokenID: row.TokenID, Address: row.Address,
			Action: row.Action, Target: row.Target, Outcome: row.Outcome, Detail: row.Detail,
		},
	}
	if row.ChainPosition != nil {
		e.Position = *row.ChainPosition
	}
	return e
}

// sealedAtATime is how many entries one transaction seals at most.
const sealedAtATime = 500

// SealAudit implements auth.AuditStore. Entries are sealed after they were committed
// and not with what they tell of: those would wait for one another.
func (s *Store) SealAudit(ctx context.Context) error {
	for {
		has, err := s.reads().HasUnsealedAudit(ctx)
		if err == nil && has > 0 {
			err = s.inBulkTx(ctx, func(q *db.Queries) error { return sealSome(ctx, q) })
		}
		if err != nil {
			return translate(fmt.Errorf("seal the audit record: %w", err))
		}
		if has == 0 {
			return nil
		}
	}
}

func sealSome(ctx context.Context, q *db.Queries) error {
	rows, err := q.UnsealedAudit(ctx, sealedAtATime)
	if err != nil {
		return err
	}
	end, err := q.EndOfAuditChain(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	last := auditEntryOf(end)
	for _, row := range rows {
		e := auditEntryOf(row)
		e.SealBehind(last)
		last = e
		err := q.SealAudit(ctx, db.SealAuditParams{
			AuditID: e.ID, ChainPosition: &e.Position, PreviousHash: e.PreviousHash, Hash: e.Hash,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
