package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// eventLog collects the events of one transaction, which withEvents inserts at its end.
type eventLog struct {
	now     time.Time
	entries []logEntry
}

type logEntry struct {
	event.Event
	payload any
}

// add adds an event of a wallet.
func (l *eventLog) add(walletID string, kind event.Kind, subject string, by event.Actor, payload any) {
	l.entries = append(l.entries, logEntry{event.Event{WalletID: walletID, Kind: kind, Subject: subject, Actor: by}, payload})
}

// addForUser adds an event that only the user may see.
func (l *eventLog) addForUser(userID string, kind event.Kind, subject string, by event.Actor, payload any) {
	l.entries = append(l.entries, logEntry{event.Event{UserID: userID, Kind: kind, Subject: subject, Actor: by}, payload})
}

// transaction is one of the functions that run a body in a transaction, such as inTx.
type transaction func(ctx context.Context, body func(*db.Queries) error) error

// withEvents runs body in a transaction, and inserts the events that it adds as the last
// statements before the commit: on PostgreSQL, the first of these statements makes other
// transactions wait before they insert events.
func (s *Store) withEvents(ctx context.Context, in transaction, body func(*db.Queries, *eventLog) error) error {
	var log *eventLog
	err := in(ctx, func(q *db.Queries) error {
		log = &eventLog{now: s.now()} // again for each attempt
		if err := body(q, log); err != nil {
			return err
		}
		return log.write(ctx, q)
	})
	if err == nil && len(log.entries) > 0 {
		s.eventsCommitted()
	}
	return err
}

// errWritingEvents is in the chain of errors of eventLog.write.
var errWritingEvents = errors.New("write events")

// withUrgentEvents runs body like withEvents, for a transaction that revokes access. It must
// not fail because of its events: if they cannot be written, for example because the disk is
// full, it is made without them.
func (s *Store) withUrgentEvents(ctx context.Context, body func(*db.Queries, *eventLog) error) error {
	err := s.withEvents(ctx, s.inUrgentTx, body)
	if err == nil || ctx.Err() != nil || !errors.Is(err, errWritingEvents) && !errors.Is(err, ErrDiskFull) {
		return err
	}
	s.log.WarnContext(ctx, "a change that revokes access is made without its events", "error", err)
	return s.inUrgentTx(ctx, func(q *db.Queries) error { return body(q, &eventLog{now: s.now()}) })
}

// write numbers and inserts the events.
func (l *eventLog) write(ctx context.Context, q *db.Queries) error {
	if err := l.insert(ctx, q); err != nil {
		return fmt.Errorf("%w: %w", errWritingEvents, err)
	}
	return nil
}

func (l *eventLog) insert(ctx context.Context, q *db.Queries) error {
	if len(l.entries) == 0 {
		return nil
	}
	exists, err := l.number(ctx, q)
	if err != nil {
		return err
	}
	for _, e := range l.entries {
		if e.WalletID != "" && !exists[e.WalletID] {
			continue // it was deleted outside of specterd
		}
		data, err := event.Encode(e.WalletID, e.N, e.payload)
		if err != nil {
			return fmt.Errorf("encode an event: %w", err)
		}
		p := db.AddEventParams{
			Kind: string(e.Kind), At: sqltype.Time{Time: l.now}, Subject: e.Subject, Data: string(data),
			ActorID: e.Actor.UserID, ActorUser: e.Actor.UserName, ActorToken: e.Actor.TokenID,
		}
		if e.WalletID != "" {
			p.WalletID, p.N = &e.WalletID, &e.N
		} else {
			p.UserID = &e.UserID
		}
		if err := q.AddEvent(ctx, p); err != nil {
			return fmt.Errorf("insert an event: %w", err)
		}
	}
	return nil
}

// number sets the numbers of the events, and returns which of their wallets exist. It locks
// the numbers in the order of the wallets, so that transactions cannot block each other.
func (l *eventLog) number(ctx context.Context, q *db.Queries) (exists map[string]bool, err error) {
	added := map[string]int64{}
	for _, e := range l.entries {
		if e.WalletID != "" {
			added[e.WalletID]++
		}
	}
	if len(added) == 0 {
		return nil, nil
	}
	ids := slices.Sorted(maps.Keys(added))
	for _, id := range ids {
		if err := q.RaiseEventNumber(ctx, db.RaiseEventNumberParams{Added: added[id], WalletID: id}); err != nil {
			return nil, fmt.Errorf("raise the number of the last event: %w", err)
		}
	}
	rows, err := q.LastEvents(ctx, listOf(ids))
	if err != nil {
		return nil, fmt.Errorf("look up the numbers of events: %w", err)
	}
	exists, next := make(map[string]bool, len(rows)), make(map[string]int64, len(rows))
	for _, row := range rows {
		exists[row.WalletID] = true
		next[row.WalletID] = row.Last - added[row.WalletID]
	}
	for i := range l.entries {
		e := &l.entries[i]
		next[e.WalletID]++
		e.N = next[e.WalletID]
	}
	return exists, nil
}

// eventsCommitted wakes the reader of EventSignal.
func (s *Store) eventsCommitted() {
	select {
	case s.eventSignal <- struct{}{}:
	default: // it has not read the last one yet
	}
}

// EventSignal implements event.Store.
func (s *Store) EventSignal() <-chan struct{} { return s.eventSignal }
