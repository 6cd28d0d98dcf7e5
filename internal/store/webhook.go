package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/webhook"
)

var (
	_ webhook.Store = (*Store)(nil)
	_ webhook.Queue = (*Store)(nil)
)

func webhookOf(row db.Webhook) webhook.Webhook {
	w := webhook.Webhook{
		ID: row.WebhookID, UserID: row.UserID, TokenID: row.TokenID, Scopes: auth.ScopesFromText(row.Scopes),
		Description: row.Description, URL: row.Url, Wallets: walletIDs(row.WalletIds), Order: webhook.Order(row.Ordering),
		EventsUntil: row.EventsUntil, CreatedAt: row.CreatedAt.Time,
		FailingSince: row.FailingSince.Time, DisabledAt: row.DisabledAt.Time, Reason: webhook.Reason(row.DisabledReason),
	}
	if row.Kinds.Valid {
		w.Kinds = strings.Split(row.Kinds.String, ",")
	}
	return w
}

func webhooksOf(rows []db.Webhook) []webhook.Webhook {
	list := make([]webhook.Webhook, len(rows))
	for i, row := range rows {
		list[i] = webhookOf(row)
	}
	return list
}

func kindsText(kinds []string) sql.NullString {
	return sql.NullString{String: strings.Join(kinds, ","), Valid: kinds != nil}
}

// AddWebhook implements webhook.Store.
func (s *Store) AddWebhook(ctx context.Context, who *auth.Principal, w webhook.Webhook, secret webhook.Secret, e auth.Event) error {
	return s.inQuotaTx(ctx, w.UserID, func(q *db.Queries) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		err := q.AddWebhook(ctx, db.AddWebhookParams{
			WebhookID: w.ID, UserID: w.UserID, TokenID: w.TokenID, Scopes: w.Scopes.String(), Description: w.Description,
			Url: w.URL, Host: w.Host(), WalletIds: walletText(w.Wallets), Kinds: kindsText(w.Kinds), Ordering: string(w.Order),
			EventsUntil: w.EventsUntil, CreatedAt: sqltype.Time{Time: w.CreatedAt},
		})
		if isUnique(err) {
			return webhook.ErrDescriptionTaken
		}
		if err != nil {
			return fmt.Errorf("insert a webhook: %w", err)
		}
		if err := addSecret(ctx, q, w.ID, secret); err != nil {
			return err
		}
		if err := s.chargeWebhook(ctx, q, who, w.UserID); err != nil {
			return err
		}
		return addEvent(ctx, q, e)
	})
}

// chargeWebhook charges the quota of webhooks, which does not limit the command line.
func (s *Store) chargeWebhook(ctx context.Context, q *db.Queries, who *auth.Principal, userID string) error {
	limited := userID
	if who.IsTrusted() {
		limited = ""
	}
	return s.charge(ctx, q, auth.QuotaWebhooks, limited, userID, 1)
}

func addSecret(ctx context.Context, q *db.Queries, webhookID string, s webhook.Secret) error {
	err := q.AddWebhookSecret(ctx, db.AddWebhookSecretParams{WebhookID: webhookID, Secret: s.Key, CreatedAt: sqltype.Time{Time: s.CreatedAt}})
	if err != nil {
		return fmt.Errorf("insert a secret: %w", err)
	}
	return nil
}

// Webhook implements webhook.Store.
func (s *Store) Webhook(ctx context.Context, userID, id string) (webhook.Webhook, error) {
	row, err := s.reads().WebhookOfUser(ctx, db.WebhookOfUserParams{WebhookID: id, UserID: userID})
	if errors.Is(err, sql.ErrNoRows) {
		return webhook.Webhook{}, webhook.ErrNotFound
	}
	if err != nil {
		return webhook.Webhook{}, translate(fmt.Errorf("select a webhook: %w", err))
	}
	return webhookOf(row), nil
}

// WebhooksOfUser implements webhook.Store.
func (s *Store) WebhooksOfUser(ctx context.Context, userID, tokenID string, after webhook.Cursor, limit int) ([]webhook.Webhook, error) {
	rows, err := s.reads().WebhooksOfUser(ctx, db.WebhooksOfUserParams{
		UserID: userID, AnyToken: tokenID == "", TokenID: tokenID,
		AfterTime: sqltype.Time{Time: after.CreatedAt}, AfterID: after.ID, MaxRows: int64(limit),
	})
	if err != nil {
		return nil, translate(fmt.Errorf("list webhooks: %w", err))
	}
	return webhooksOf(rows), nil
}

// AllWebhooks returns the webhooks of a user, or of all users if userName is empty, together
// with the names of their users in the same order. It is for the command line.
func (s *Store) AllWebhooks(ctx context.Context, userName string) (webhooks []webhook.Webhook, owners []string, err error) {
	rows, err := s.reads().AllWebhooks(ctx, db.AllWebhooksParams{NameFolded: auth.FoldName(userName), EveryUser: userName == ""})
	if err != nil {
		return nil, nil, translate(fmt.Errorf("list webhooks: %w", err))
	}
	for _, row := range rows {
		webhooks = append(webhooks, webhookOf(row.Webhook))
		owners = append(owners, row.UserName)
	}
	return webhooks, owners, nil
}

// OwnerOfWebhook returns the id of the user of a webhook, or webhook.ErrNotFound.
func (s *Store) OwnerOfWebhook(ctx context.Context, id string) (string, error) {
	owner, err := s.reads().OwnerOfWebhook(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", webhook.ErrNotFound
	}
	return owner, translate(err)
}

// EditWebhook implements webhook.Store.
func (s *Store) EditWebhook(ctx context.Context, who *auth.Principal, id string, edit func(*webhook.Edit) error) error {
	return s.withEvents(ctx, s.inTx, func(q *db.Queries, log *eventLog) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		was, err := holdWebhook(ctx, q, id)
		if err == nil && was.UserID != who.UserID {
			err = webhook.ErrNotFound
		}
		if err != nil {
			return err
		}
		e := webhook.Edit{Webhook: was}
		if err := edit(&e); err != nil {
			return err
		}
		if err := s.applyWebhookEdit(ctx, q, log, was, e); err != nil {
			return err
		}
		return addEvent(ctx, q, e.Event)
	})
}

// holdWebhook returns a webhook and locks its row.
func holdWebhook(ctx context.Context, q *db.Queries, id string) (webhook.Webhook, error) {
	row, err := q.HoldWebhook(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return webhook.Webhook{}, webhook.ErrNotFound
	}
	if err != nil {
		return webhook.Webhook{}, fmt.Errorf("lock a webhook: %w", err)
	}
	return webhookOf(row), nil
}

func (s *Store) applyWebhookEdit(ctx context.Context, q *db.Queries, log *eventLog, was webhook.Webhook, e webhook.Edit) error {
	if e.Remove {
		if err := q.DeleteWebhook(ctx, e.ID); err != nil {
			return fmt.Errorf("delete a webhook: %w", err)
		}
		return s.charge(ctx, q, auth.QuotaWebhooks, "", e.UserID, -1)
	}
	if e.Secret != nil {
		if err := rotateSecret(ctx, q, e); err != nil {
			return err
		}
	}
	if err := saveWebhook(ctx, q, log, was, e.Webhook, event.ActorOf(e.Event)); err != nil {
		return err
	}
	if was.Order == e.Order && (was.Active() || !e.Active()) {
		return nil
	}
	err := q.RequeueDeliveries(ctx, db.RequeueDeliveriesParams{
		InOrder: e.Order == webhook.OrderWallet, Now: s.now().UnixMicro(), WebhookID: e.ID,
	})
	if err != nil {
		return fmt.Errorf("put deliveries into queues: %w", err)
	}
	return nil
}

func rotateSecret(ctx context.Context, q *db.Queries, e webhook.Edit) error {
	if err := q.DeleteRetiredSecrets(ctx, e.ID); err != nil {
		return fmt.Errorf("delete retired secrets: %w", err)
	}
	at := cmp.Or(e.RetireAt, e.Secret.CreatedAt)
	if err := q.RetireWebhookSecrets(ctx, db.RetireWebhookSecretsParams{RetiresAt: sqltype.NullTime{Time: at}, WebhookID: e.ID}); err != nil {
		return fmt.Errorf("retire a secret: %w", err)
	}
	return addSecret(ctx, q, e.ID, *e.Secret)
}

// saveWebhook saves a webhook, and adds the event if it was disabled or enabled.
func saveWebhook(ctx context.Context, q *db.Queries, log *eventLog, was, w webhook.Webhook, by event.Actor) error {
	err := q.UpdateWebhook(ctx, db.UpdateWebhookParams{
		TokenID: w.TokenID, Scopes: w.Scopes.String(), Description: w.Description, Url: w.URL, Host: w.Host(),
		WalletIds: walletText(w.Wallets), Kinds: kindsText(w.Kinds), Ordering: string(w.Order),
		FailingSince: sqltype.NullTime{Time: w.FailingSince}, DisabledAt: sqltype.NullTime{Time: w.DisabledAt},
		DisabledReason: string(w.Reason), WebhookID: w.ID,
	})
	if isUnique(err) {
		return webhook.ErrDescriptionTaken
	}
	if err != nil {
		return fmt.Errorf("update a webhook: %w", err)
	}
	log.addWebhook(was, w, by)
	return nil
}

// disableAccessOf disables the webhooks of a user whose tokens are revoked together, since
// another person may have created them.
func disableAccessOf(ctx context.Context, q *db.Queries, log *eventLog, userID string, by event.Actor) error {
	rows, err := q.ActiveWebhooksOfUser(ctx, userID)
	if err != nil {
		return fmt.Errorf("list the webhooks of a user: %w", err)
	}
	for _, row := range rows {
		was := webhookOf(row)
		w := was
		w.Disable(log.now, webhook.AccessRevoked)
		if err := saveWebhook(ctx, q, log, was, w, by); err != nil {
			return err
		}
	}
	return nil
}

// Secrets implements webhook.Store.
func (s *Store) Secrets(ctx context.Context, webhookID string) ([]webhook.Secret, error) {
	secrets, err := secretsOf(ctx, s.reads(), webhookID, s.now())
	return secrets, translate(err)
}

func secretsOf(ctx context.Context, q *db.Queries, webhookID string, now time.Time) ([]webhook.Secret, error) {
	rows, err := q.WebhookSecrets(ctx, db.WebhookSecretsParams{WebhookID: webhookID, Now: sqltype.NullTime{Time: now}})
	if err != nil {
		return nil, fmt.Errorf("select the secrets of a webhook: %w", err)
	}
	secrets := make([]webhook.Secret, len(rows))
	for i, row := range rows {
		secrets[i] = webhook.Secret{Key: row.Secret, CreatedAt: row.CreatedAt.Time, RetiresAt: row.RetiresAt.Time}
	}
	return secrets, nil
}
