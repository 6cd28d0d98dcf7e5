package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/webhook"
)

// Transactions that add deliveries of a webhook, or end one, lock its row first (holdWebhook,
// AdvanceWebhook). So each sees what the others have done, although they run at the isolation
// level of inRowTx, at which they wait for each other instead of being aborted.

// UsersOfWallets implements webhook.Queue.
func (s *Store) UsersOfWallets(ctx context.Context, walletIDs []string) ([]string, error) {
	ids, err := s.reads().UsersOfWallets(ctx, listOf(walletIDs))
	return ids, translate(err)
}

// ActiveWebhooks implements webhook.Queue.
func (s *Store) ActiveWebhooks(ctx context.Context) ([]webhook.Webhook, error) {
	rows, err := s.reads().ActiveWebhooks(ctx)
	if err != nil {
		return nil, translate(fmt.Errorf("list the active webhooks: %w", err))
	}
	return webhooksOf(rows), nil
}

// WebhooksWithoutAccess implements webhook.Queue.
func (s *Store) WebhooksWithoutAccess(ctx context.Context) (map[string]webhook.Reason, error) {
	rows, err := s.reads().WebhooksWithoutAccess(ctx, sqltype.Time{Time: s.now()})
	if err != nil {
		return nil, translate(fmt.Errorf("list webhooks without access: %w", err))
	}
	lost := make(map[string]webhook.Reason, len(rows))
	for _, row := range rows {
		switch {
		case row.UserDisabled:
			lost[row.WebhookID] = webhook.UserDisabled
		case row.TokenExists:
			lost[row.WebhookID] = webhook.TokenExpired
		default:
			lost[row.WebhookID] = webhook.TokenRevoked
		}
	}
	return lost, nil
}

// DisableWebhook implements webhook.Queue.
func (s *Store) DisableWebhook(ctx context.Context, id string, why webhook.Reason) (disabled bool, err error) {
	err = s.withEvents(ctx, s.inRowTx, func(q *db.Queries, log *eventLog) error {
		was, err := holdWebhook(ctx, q, id)
		disabled = err == nil && was.Active()
		if errors.Is(err, webhook.ErrNotFound) {
			return nil
		}
		if err != nil || !disabled {
			return err
		}
		w := was
		w.Disable(log.now, why)
		return saveWebhook(ctx, q, log, was, w, event.Actor{})
	})
	return disabled, err
}

// CountPending implements webhook.Queue.
func (s *Store) CountPending(ctx context.Context, webhookID string) (int64, error) {
	n, err := s.reads().CountPending(ctx, webhookID)
	return n, translate(err)
}

// AddDeliveries implements webhook.Queue.
func (s *Store) AddDeliveries(ctx context.Context, w webhook.Webhook, events []event.Event, next int64) error {
	return s.inRowTx(ctx, func(q *db.Queries) error {
		advanced, err := q.AdvanceWebhook(ctx, db.AdvanceWebhookParams{EventsUntil: next, WebhookID: w.ID, Expected: w.EventsUntil})
		if err != nil {
			return fmt.Errorf("advance a webhook: %w", err)
		}
		if advanced == 0 || len(events) == 0 {
			return nil
		}
		return s.addDeliveries(ctx, q, w, events)
	})
}

func (s *Store) addDeliveries(ctx context.Context, q *db.Queries, w webhook.Webhook, events []event.Event) error {
	now := s.now()
	ids, queues := make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		ids[i] = webhook.DeliveryID(w.ID, e)
		queues[i] = w.Order.QueueOf(e.WalletID, ids[i])
	}
	first, err := firstPending(ctx, q, w.ID, queues)
	if err != nil {
		return err
	}
	for i, e := range events {
		p := db.AddDeliveryParams{
			DeliveryID: ids[i], WebhookID: w.ID, Seq: e.Seq, WalletID: e.WalletID, N: e.N, Kind: string(e.Kind),
			EventAt: sqltype.Time{Time: e.At}, Queue: queues[i], StatusAt: sqltype.Time{Time: now},
		}
		before, found := first[p.Queue]
		isFirst := !found || e.Seq < before
		if isFirst {
			p.NextAt = sqltype.NullTime{Time: now}
		}
		added, err := q.AddDelivery(ctx, p)
		if err != nil {
			return fmt.Errorf("insert a delivery: %w", err)
		}
		if isFirst && added > 0 { // it did not exist
			first[p.Queue] = e.Seq
		}
	}
	return nil
}

// firstPending returns, for each of the queues with pending deliveries, the position of the
// event of the first.
func firstPending(ctx context.Context, q *db.Queries, webhookID string, queues []string) (map[string]int64, error) {
	rows, err := q.FirstPending(ctx, db.FirstPendingParams{WebhookID: webhookID, Queues: listOf(queues)})
	if err != nil {
		return nil, fmt.Errorf("look up pending deliveries: %w", err)
	}
	first := make(map[string]int64, len(rows))
	for _, row := range rows {
		first[row.Queue] = row.FirstSeq
	}
	return first, nil
}

// ClaimDeliveries implements webhook.Queue.
func (s *Store) ClaimDeliveries(ctx context.Context, c webhook.Claim) (claimed []webhook.Delivery, err error) {
	if due, err := s.reads().DeliveriesAreDue(ctx, sqltype.NullTime{Time: c.Now}); err != nil || !due {
		return nil, translate(err) // without a write
	}
	err = s.inRowTx(ctx, func(q *db.Queries) error {
		rows, err := q.ClaimDeliveries(ctx, db.ClaimDeliveriesParams{
			Until: sqltype.Time{Time: c.Until}, Holder: c.Holder, Now: sqltype.Time{Time: c.Now},
			PerHost: int64(c.PerHost), PerUser: int64(c.PerUser), MaxRows: int64(c.Limit),
		})
		if err != nil {
			return fmt.Errorf("lease deliveries: %w", err)
		}
		claimed = make([]webhook.Delivery, len(rows))
		for i, row := range rows {
			claimed[i] = deliveryOf(row)
			err := q.AddAttempt(ctx, db.AddAttemptParams{DeliveryID: row.DeliveryID, Number: row.Attempts, At: sqltype.Time{Time: c.Now}})
			if err != nil {
				return fmt.Errorf("insert an attempt: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// Message implements webhook.Queue.
func (s *Store) Message(ctx context.Context, d webhook.Delivery) (w webhook.Webhook, secrets []webhook.Secret, e event.Event, err error) {
	err = s.inReadTx(ctx, func(q *db.Queries) error {
		row, err := q.WebhookByID(ctx, d.WebhookID)
		if errors.Is(err, sql.ErrNoRows) {
			return webhook.ErrDeliveryNotFound
		}
		if err != nil {
			return fmt.Errorf("select a webhook: %w", err)
		}
		w = webhookOf(row)
		if secrets, err = secretsOf(ctx, q, w.ID, s.now()); err != nil {
			return err
		}
		e, err = eventOfDelivery(ctx, q, d)
		return err
	})
	return w, secrets, e, err
}

// EndAttempt implements webhook.Queue.
func (s *Store) EndAttempt(ctx context.Context, d webhook.Delivery, holder string, r *egress.Result, settle func(*webhook.Webhook, *webhook.Delivery)) (disabled bool, err error) {
	err = s.withEvents(ctx, s.inRowTx, func(q *db.Queries, log *eventLog) error {
		was, err := holdWebhook(ctx, q, d.WebhookID)
		if errors.Is(err, webhook.ErrNotFound) {
			return webhook.ErrDeliveryNotFound // it was deleted with the webhook
		}
		if err != nil {
			return err
		}
		if err := saveAttempt(ctx, q, d, r); err != nil {
			return err
		}
		w, d := was, d
		if r == nil {
			d.Attempts--
		}
		settle(&w, &d)
		if held, err := saveDelivery(ctx, q, d, holder); err != nil || !held {
			return err // another process makes the next attempt
		}
		if d.Status != webhook.Pending {
			err := q.PromoteDelivery(ctx, db.PromoteDeliveryParams{Now: sqltype.NullTime{Time: s.now()}, WebhookID: d.WebhookID, Queue: d.Queue})
			if err != nil {
				return fmt.Errorf("make the next delivery due: %w", err)
			}
		}
		disabled = was.Active() && !w.Active()
		if !disabled && was.FailingSince.Equal(w.FailingSince) {
			return nil
		}
		return saveWebhook(ctx, q, log, was, w, event.Actor{})
	})
	return disabled, err
}

func saveAttempt(ctx context.Context, q *db.Queries, d webhook.Delivery, r *egress.Result) error {
	if r == nil {
		if err := q.DeleteAttempt(ctx, db.DeleteAttemptParams{DeliveryID: d.ID, Number: d.Attempts}); err != nil {
			return fmt.Errorf("delete an attempt: %w", err)
		}
		return nil
	}
	took := r.Took.Microseconds()
	p := db.EndAttemptParams{Took: &took, Error: r.Problem, Excerpt: r.Excerpt, DeliveryID: d.ID, Number: d.Attempts}
	if r.Status != 0 {
		p.HttpStatus = &r.Status
	}
	if err := q.EndAttempt(ctx, p); err != nil {
		return fmt.Errorf("update an attempt: %w", err)
	}
	return nil
}

// saveDelivery saves a delivery if its lease has not passed to another holder.
func saveDelivery(ctx context.Context, q *db.Queries, d webhook.Delivery, holder string) (held bool, err error) {
	n, err := q.EndDelivery(ctx, db.EndDeliveryParams{
		Status: string(d.Status), Reason: d.Reason, Attempts: d.Attempts, Failures: d.Failures,
		NextAt: sqltype.NullTime{Time: d.NextAt}, StatusAt: sqltype.Time{Time: d.StatusAt}, DeliveryID: d.ID, LeaseHolder: holder,
	})
	if err != nil {
		return false, fmt.Errorf("update a delivery: %w", err)
	}
	return n > 0, nil
}

// PruneDeliveries implements webhook.Queue.
func (s *Store) PruneDeliveries(ctx context.Context, before time.Time) (pruned int64, err error) {
	now := s.now()
	err = s.inTx(ctx, func(q *db.Queries) error {
		if err := q.DeleteSecretsRetiredBefore(ctx, sqltype.NullTime{Time: now}); err != nil {
			return fmt.Errorf("delete retired secrets: %w", err)
		}
		if err := q.PromoteDeliveries(ctx, sqltype.NullTime{Time: now}); err != nil {
			return fmt.Errorf("make deliveries due: %w", err)
		}
		return nil
	})
	for n := int64(pruneAtATime); n == pruneAtATime && err == nil; pruned += n {
		n = 0
		err = s.inTx(ctx, func(q *db.Queries) (err error) {
			n, err = q.DeleteOldDeliveries(ctx, db.DeleteOldDeliveriesParams{Before: sqltype.Time{Time: before}, MaxRows: pruneAtATime})
			return err
		})
	}
	return pruned, err
}
