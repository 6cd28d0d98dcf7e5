package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

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
		return fmt.Errorf("add to the audit log: %w", err)
	}
	return nil
}

// addEventIfAny adds an event, unless its Action is empty.
func addEventIfAny(ctx context.Context, q *db.Queries, e auth.Event) error {
	if e.Action == "" {
		return nil
	}
	return addEvent(ctx, q, e)
}

// Audit implements auth.AuditStore.
func (s *Store) Audit(ctx context.Context, f auth.AuditFilter, before int64, limit int) ([]auth.Entry, error) {
	old := oldAction(f.Action)
	p := db.ListAuditParams{
		BeforeID: before, Since: sqltype.Time{Time: f.Since}, Until: sqltype.Time{Time: f.Until},
		AnyUser: f.UserName == "", UserName: f.UserName,
		AnyAction: f.Action == "", Action: f.Action, ActionGroup: f.Action + ".", OldAction: old, OldActionGroup: old + ".",
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

// oldAction returns the name that an action or a group of actions had before schema 21. The
// audit log still contains the old names, since its entries are never rewritten.
func oldAction(action string) string {
	if group, name, _ := strings.Cut(action, "."); group == "proposal" {
		return strings.TrimSuffix("psbt."+name, ".")
	}
	return action
}

// AuditChain implements auth.AuditStore.
func (s *Store) AuditChain(ctx context.Context, from int64, limit int) ([]auth.Entry, error) {
	rows, err := s.reads().AuditChain(ctx, db.AuditChainParams{First: &from, MaxRows: int64(limit)})
	return auditEntriesOf(rows, err)
}

func auditEntriesOf(rows []db.Audit, err error) ([]auth.Entry, error) {
	if err != nil {
		return nil, translate(fmt.Errorf("read the audit log: %w", err))
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

// sealedAtATime is the maximum number of entries that one transaction seals.
const sealedAtATime = 500

// SealAudit implements auth.AuditStore. It seals entries after the transactions that
// added them have committed; sealing within those transactions would serialize them.
func (s *Store) SealAudit(ctx context.Context) error {
	for {
		has, err := s.reads().HasUnsealedAudit(ctx)
		if err == nil && has > 0 {
			err = s.inBulkTx(ctx, func(q *db.Queries) error { return sealSome(ctx, q) })
		}
		if err != nil {
			return translate(fmt.Errorf("seal the audit log: %w", err))
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
	last := auditEntryOf(end)
	if errors.Is(err, sql.ErrNoRows) { // if all entries were archived, the anchor is the last one
		last, err = auditAnchor(ctx, q)
	}
	if err != nil {
		return err
	}
	for _, row := range rows {
		e := auditEntryOf(row)
		e.SealAfter(last)
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

// AuditAnchor implements auth.AuditStore.
func (s *Store) AuditAnchor(ctx context.Context) (auth.Entry, error) {
	e, err := auditAnchor(ctx, s.reads())
	return e, translate(err)
}

func auditAnchor(ctx context.Context, q *db.Queries) (auth.Entry, error) {
	text, err := q.Setting(ctx, settingAuditAnchor)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Entry{}, nil
	}
	var e auth.Entry
	if err == nil {
		_, err = fmt.Sscanf(text, "%d %s", &e.Position, &e.Hash)
	}
	if err != nil {
		return e, fmt.Errorf("read the end of the archived part of the audit log: %w", err)
	}
	return e, nil
}

// RemoveAudit implements auth.AuditStore.
func (s *Store) RemoveAudit(ctx context.Context, last auth.Entry, e auth.Event) error {
	return s.inBulkTx(ctx, func(q *db.Queries) error {
		rows, err := q.AuditChain(ctx, db.AuditChainParams{First: &last.Position, MaxRows: 1})
		if err != nil {
			return fmt.Errorf("read the last entry: %w", err)
		}
		if len(rows) == 0 || auditEntryOf(rows[0]).Position != last.Position || rows[0].Hash != last.Hash {
			return errors.New("the audit log has changed since it was archived; nothing was removed")
		}
		if err := q.DeleteAuditUpTo(ctx, &last.Position); err != nil {
			return fmt.Errorf("remove archived entries: %w", err)
		}
		if err := q.DeleteSetting(ctx, settingAuditAnchor); err != nil {
			return fmt.Errorf("replace the anchor: %w", err)
		}
		_, err = q.PutSettingOnce(ctx, db.PutSettingOnceParams{Name: settingAuditAnchor, Value: fmt.Sprintf("%d %s", last.Position, last.Hash)})
		if err != nil {
			return fmt.Errorf("set the anchor: %w", err)
		}
		return addEvent(ctx, q, e)
	})
}
