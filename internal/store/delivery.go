package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/webhook"
)

func deliveryOf(row db.Delivery) webhook.Delivery {
	return webhook.Delivery{
		ID: row.DeliveryID, WebhookID: row.WebhookID, Seq: row.Seq, WalletID: row.WalletID, N: row.N,
		Kind: event.Kind(row.Kind), EventAt: row.EventAt.Time, Queue: row.Queue,
		Status: webhook.Status(row.Status), Reason: row.Reason, Attempts: row.Attempts, Failures: row.Failures,
		NextAt: row.NextAt.Time, StatusAt: row.StatusAt.Time, LeaseUntil: row.LeaseUntil.Time,
	}
}

func waitingOf(row db.DeliveriesOfWebhookRow) webhook.Delivery {
	d := deliveryOf(row.Delivery)
	if row.Behind != "" {
		d.Behind, d.BehindSince = row.Behind, time.UnixMicro(row.BehindSince).UTC()
	}
	return d
}

func attemptOf(row db.DeliveryAttempt) webhook.Attempt {
	a := webhook.Attempt{Number: row.Number, At: row.At.Time, Result: egress.Result{Problem: row.Error, Excerpt: row.Excerpt}}
	if row.Took != nil {
		a.Ended, a.Result.Took = true, time.Duration(*row.Took)*time.Microsecond
	}
	if row.HttpStatus != nil {
		a.Result.Status = *row.HttpStatus
	}
	return a
}

// Deliveries implements webhook.Store.
func (s *Store) Deliveries(ctx context.Context, webhookID string, status webhook.Status, after string, limit int) (deliveries []webhook.Delivery, err error) {
	err = s.inReadTx(ctx, func(q *db.Queries) error {
		rows, err := q.DeliveriesOfWebhook(ctx, db.DeliveriesOfWebhookParams{
			WebhookID: webhookID, AnyStatus: status == "", Status: string(status), FromStart: after == "", AfterID: after, MaxRows: int64(limit),
		})
		if err != nil {
			return fmt.Errorf("list deliveries: %w", err)
		}
		ids, at := make([]string, len(rows)), make(map[string]int, len(rows))
		deliveries = make([]webhook.Delivery, len(rows))
		for i, row := range rows {
			deliveries[i] = waitingOf(row)
			ids[i], at[row.Delivery.DeliveryID] = row.Delivery.DeliveryID, i
		}
		last, err := q.LastAttempts(ctx, listOf(ids))
		if err != nil {
			return fmt.Errorf("list the last attempts: %w", err)
		}
		for _, row := range last {
			a := attemptOf(row)
			deliveries[at[row.DeliveryID]].Last = &a
		}
		return nil
	})
	return deliveries, err
}

// Delivery implements webhook.Store.
func (s *Store) Delivery(ctx context.Context, webhookID, id string) (d webhook.Delivery, attempts []webhook.Attempt, err error) {
	err = s.inReadTx(ctx, func(q *db.Queries) error {
		if d, err = deliveryByID(ctx, q, webhookID, id); err != nil {
			return err
		}
		rows, err := q.AttemptsOfDelivery(ctx, id)
		if err != nil {
			return fmt.Errorf("list attempts: %w", err)
		}
		attempts = make([]webhook.Attempt, len(rows))
		for i, row := range rows {
			attempts[i] = attemptOf(row)
		}
		return nil
	})
	return d, attempts, err
}

func deliveryByID(ctx context.Context, q *db.Queries, webhookID, id string) (webhook.Delivery, error) {
	row, err := q.DeliveryOfWebhook(ctx, db.DeliveryOfWebhookParams{WebhookID: webhookID, DeliveryID: id})
	if errors.Is(err, sql.ErrNoRows) {
		return webhook.Delivery{}, webhook.ErrDeliveryNotFound
	}
	if err != nil {
		return webhook.Delivery{}, fmt.Errorf("select a delivery: %w", err)
	}
	return waitingOf(db.DeliveriesOfWebhookRow(row)), nil
}

// Redeliver implements webhook.Store.
func (s *Store) Redeliver(ctx context.Context, webhookID, id string, e auth.Event, check func(*webhook.Delivery) error) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		if _, err := holdWebhook(ctx, q, webhookID); err != nil {
			return err
		}
		d, err := deliveryByID(ctx, q, webhookID, id)
		if err != nil {
			return err
		}
		if err := check(&d); err != nil {
			return err
		}
		if _, err := eventOfDelivery(ctx, q, d); err != nil {
			return err
		}
		queue := d.ID
		if d.Status == webhook.Pending { // the first of its queue, which must stay before the others
			queue = d.Queue
		}
		if err := q.RedeliverNow(ctx, db.RedeliverNowParams{Queue: queue, Now: sqltype.NullTime{Time: s.now()}, DeliveryID: id}); err != nil {
			return fmt.Errorf("make a delivery due: %w", err)
		}
		return addEvent(ctx, q, e)
	})
}

// eventOfDelivery returns the event of a delivery, or webhook.ErrEventDeleted.
func eventOfDelivery(ctx context.Context, q *db.Queries, d webhook.Delivery) (event.Event, error) {
	row, err := q.EventAt(ctx, d.Seq)
	if errors.Is(err, sql.ErrNoRows) {
		return event.Event{}, webhook.ErrEventDeleted
	}
	if err != nil {
		return event.Event{}, fmt.Errorf("select an event: %w", err)
	}
	e := eventOf(row)
	if webhook.DeliveryID(d.WebhookID, e) != d.ID { // another event after a restore
		return event.Event{}, webhook.ErrEventDeleted
	}
	return e, nil
}

// Recover implements webhook.Store.
func (s *Store) Recover(ctx context.Context, webhookID string, since time.Time, e auth.Event) (n int64, err error) {
	before, err := s.reads().LastEventBefore(ctx, sqltype.Time{Time: since})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, translate(fmt.Errorf("look up the events since a time: %w", err))
	}
	err = s.inTx(ctx, func(q *db.Queries) error {
		w, err := holdWebhook(ctx, q, webhookID)
		if err != nil {
			return err
		}
		now := s.now()
		n, err = q.RecoverDeliveries(ctx, db.RecoverDeliveriesParams{
			Now: sqltype.Time{Time: now}, WebhookID: webhookID, Since: sqltype.Time{Time: since},
		})
		if err != nil {
			return fmt.Errorf("recover deliveries: %w", err)
		}
		err = q.RequeueDeliveries(ctx, db.RequeueDeliveriesParams{
			InOrder: w.Order == webhook.OrderWallet, Now: now.UnixMicro(), WebhookID: webhookID,
		})
		if err != nil {
			return fmt.Errorf("put deliveries into queues: %w", err)
		}
		if before < w.EventsUntil {
			if err := q.SetEventsUntil(ctx, db.SetEventsUntilParams{EventsUntil: before, WebhookID: webhookID}); err != nil {
				return fmt.Errorf("set the position of a webhook: %w", err)
			}
		}
		return addEvent(ctx, q, e)
	})
	return n, err
}
