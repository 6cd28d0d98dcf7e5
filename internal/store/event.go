package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

var _ event.Store = (*Store)(nil)

const (
	// settingEventKey is the key that encrypts positions in the event log. A restore
	// replaces it, since positions after the time of the backup mean nothing any more.
	settingEventKey = "event_key"
	// settingEventsPruned is the position up to which events were deleted.
	settingEventsPruned = "events_pruned"
)

func eventOf(row db.Event) event.Event {
	e := event.Event{
		Seq: row.Seq, Kind: event.Kind(row.Kind), At: row.At.Time, Subject: row.Subject, Data: json.RawMessage(row.Data),
		Actor: event.Actor{UserID: row.ActorID, UserName: row.ActorUser, TokenID: row.ActorToken},
	}
	if row.WalletID != nil && row.N != nil {
		e.WalletID, e.N = *row.WalletID, *row.N
	}
	if row.UserID != nil {
		e.UserID = *row.UserID
	}
	return e
}

func eventsOf(rows []db.Event) []event.Event {
	list := make([]event.Event, len(rows))
	for i, row := range rows {
		list[i] = eventOf(row)
	}
	return list
}

// kindList returns the arguments that select kinds; all if kinds is nil.
func kindList(kinds []event.Kind) (anyKind bool, list string) {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return kinds == nil, listOf(names)
}

// EventsOfWallet implements event.Store.
func (s *Store) EventsOfWallet(ctx context.Context, walletID string, after int64, kinds []event.Kind, limit int) (events []event.Event, b event.Bounds, err error) {
	anyKind, list := kindList(kinds)
	err = s.inReadTx(ctx, func(q *db.Queries) error {
		bounds, err := q.EventBounds(ctx, walletID)
		if errors.Is(err, sql.ErrNoRows) {
			return wallet.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("look up the events of a wallet: %w", err)
		}
		b = event.Bounds{First: bounds.FirstEvent, Last: bounds.LastEvent}
		if limit == 0 || after >= b.Last {
			return nil
		}
		rows, err := q.EventsOfWallet(ctx, db.EventsOfWalletParams{WalletID: walletID, After: after, AnyKind: anyKind, Kinds: list, MaxRows: int64(limit)})
		if err != nil {
			return fmt.Errorf("list the events of a wallet: %w", err)
		}
		events = eventsOf(rows)
		return nil
	})
	return events, b, err
}

// EventsOfUser implements event.Store. It reads the events of one wallet after the other,
// and none that are behind a full page of those read before.
func (s *Store) EventsOfUser(ctx context.Context, userID string, sees func(walletID string) bool, after int64, kinds []event.Kind, limit int) (events []event.Event, b event.Bounds, err error) {
	anyKind, list := kindList(kinds)
	err = s.inReadTx(ctx, func(q *db.Queries) error {
		if b, err = eventBounds(ctx, q); err != nil || limit == 0 || after >= b.Last {
			return err
		}
		rows, err := q.EventsOfUserFrom(ctx, db.EventsOfUserFromParams{
			UserID: userID, After: after, Until: b.Last, AnyKind: anyKind, Kinds: list, MaxRows: int64(limit),
		})
		if err != nil {
			return fmt.Errorf("list the events of a user: %w", err)
		}
		events = eventsOf(rows)
		visible, err := walletsSeen(ctx, q, userID, sees)
		if err != nil {
			return err
		}
		ids, err := q.WalletsWithEvents(ctx, db.WalletsWithEventsParams{WalletIds: listOf(visible), After: after})
		if err != nil {
			return fmt.Errorf("list the wallets with events: %w", err)
		}
		for _, id := range ids {
			until := b.Last
			if len(events) == limit {
				until = events[limit-1].Seq
			}
			rows, err := q.EventsOfWalletFrom(ctx, db.EventsOfWalletFromParams{
				WalletID: id, After: after, Until: until, AnyKind: anyKind, Kinds: list, MaxRows: int64(limit),
			})
			if err != nil {
				return fmt.Errorf("list the events of a wallet: %w", err)
			}
			events = event.Merge(events, eventsOf(rows), limit)
		}
		return nil
	})
	return events, b, err
}

// walletsSeen returns the ids of the user's wallets for which sees is true; none if it is nil.
func walletsSeen(ctx context.Context, q *db.Queries, userID string, sees func(walletID string) bool) ([]string, error) {
	if sees == nil {
		return nil, nil
	}
	rows, err := q.WalletsOfUser(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("list the user's wallets: %w", err)
	}
	var ids []string
	for _, row := range rows {
		if sees(row.WalletID) {
			ids = append(ids, row.WalletID)
		}
	}
	return ids, nil
}

// eventBounds returns the bounds of the log, as positions.
func eventBounds(ctx context.Context, q *db.Queries) (b event.Bounds, err error) {
	if b.Last, err = q.HeadEvent(ctx); err != nil {
		return b, fmt.Errorf("look up the last event: %w", err)
	}
	pruned, err := q.Setting(ctx, settingEventsPruned)
	if errors.Is(err, sql.ErrNoRows) {
		return event.Bounds{First: 1, Last: b.Last}, nil
	}
	if err != nil {
		return b, fmt.Errorf("look up the first event: %w", err)
	}
	n, err := strconv.ParseInt(pruned, 10, 64)
	b.First, b.Last = n+1, max(b.Last, n)
	return b, err
}

// EventHead implements event.Store.
func (s *Store) EventHead(ctx context.Context) (int64, error) {
	head, err := s.reads().HeadEvent(ctx)
	return head, translate(err)
}

// EventTargets implements event.Store.
func (s *Store) EventTargets(ctx context.Context, after int64, limit int) ([]event.Target, error) {
	rows, err := s.reads().EventTargets(ctx, db.EventTargetsParams{After: after, MaxRows: int64(limit)})
	if err != nil {
		return nil, translate(fmt.Errorf("list new events: %w", err))
	}
	targets := make([]event.Target, len(rows))
	for i, row := range rows {
		targets[i].Seq, targets[i].UserID = row.Seq, row.UserID
		if row.WalletID != nil {
			targets[i].WalletID = *row.WalletID
		}
	}
	return targets, nil
}

// ValidTokens implements event.Store.
func (s *Store) ValidTokens(ctx context.Context, ids []string) ([]string, error) {
	valid, err := s.reads().ValidTokensAmong(ctx, db.ValidTokensAmongParams{TokenIds: listOf(ids), Now: sqltype.Time{Time: s.now()}})
	return valid, translate(err)
}

// EventKey implements event.Store.
func (s *Store) EventKey(ctx context.Context) ([]byte, error) {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	key, err := s.settle(ctx, settingEventKey, hex.EncodeToString(random))
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(key)
}

// pruneAtATime is the number of events that PruneEvents deletes in one transaction.
const pruneAtATime = 1000

// PruneEvents implements event.Store.
func (s *Store) PruneEvents(ctx context.Context, before time.Time, keep int64) (pruned int64, err error) {
	for {
		n, err := s.pruneSome(ctx, before, keep)
		pruned += n
		if n < pruneAtATime || err != nil {
			return pruned, err
		}
	}
}

// pruneSome deletes the oldest events if they are from before a time, or if more than keep
// follow them. It counts positions instead of rows, so that it may keep fewer.
func (s *Store) pruneSome(ctx context.Context, before time.Time, keep int64) (n int64, err error) {
	err = s.inTx(ctx, func(q *db.Queries) error {
		n = 0
		bounds, err := eventBounds(ctx, q)
		if err != nil {
			return err
		}
		rows, err := q.OldestEvents(ctx, db.OldestEventsParams{Pruned: bounds.First - 1, MaxRows: pruneAtATime})
		if err != nil {
			return fmt.Errorf("list the oldest events: %w", err)
		}
		for _, row := range rows {
			if !row.At.Before(before) && row.Seq > bounds.Last-keep {
				break
			}
			n++
		}
		if n == 0 {
			return nil
		}
		last := rows[n-1].Seq
		if err := q.DeleteEvents(ctx, last); err != nil {
			return fmt.Errorf("delete events: %w", err)
		}
		return q.PutSetting(ctx, db.PutSettingParams{Name: settingEventsPruned, Value: strconv.FormatInt(last, 10)})
	})
	return n, err
}
