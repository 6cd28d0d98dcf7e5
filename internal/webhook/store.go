package webhook

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
)

// Store stores webhooks for a Service.
type Store interface {
	// Memberships returns the wallets that a user is a member of.
	Memberships(ctx context.Context, userID string) ([]auth.Membership, error)
	// EventHead returns the position of the last event.
	EventHead(ctx context.Context) (int64, error)
	// AddWebhook adds a webhook with its first secret, after checking the permissions of who
	// again. It returns ErrDescriptionTaken.
	AddWebhook(ctx context.Context, who *auth.Principal, w Webhook, s Secret, e auth.Event) error
	// Webhook returns ErrNotFound for webhooks of other users.
	Webhook(ctx context.Context, userID, id string) (Webhook, error)
	// WebhooksOfUser returns up to limit webhooks after the cursor, in the order of creation;
	// if tokenID is not empty, only webhooks that were created with this token.
	WebhooksOfUser(ctx context.Context, userID, tokenID string, after Cursor, limit int) ([]Webhook, error)
	// EditWebhook calls edit with a webhook of the user and saves the result, in one
	// transaction, after checking the permissions of who again. It may call edit more than
	// once. It returns ErrNotFound or ErrDescriptionTaken.
	EditWebhook(ctx context.Context, who *auth.Principal, id string, edit func(*Edit) error) error
	// Secrets returns the secrets that sign messages now, the newest first.
	Secrets(ctx context.Context, webhookID string) ([]Secret, error)
	// Deliveries returns up to limit deliveries before the one with the id after, the latest
	// event first; from the latest if after is empty. If status is empty, it returns all.
	Deliveries(ctx context.Context, webhookID string, status Status, after string, limit int) ([]Delivery, error)
	// Delivery returns a delivery and its attempts, or ErrDeliveryNotFound.
	Delivery(ctx context.Context, webhookID, id string) (Delivery, []Attempt, error)
	// Redeliver makes a delivery pending and due at once, independently of others. It returns
	// ErrDeliveryNotFound, ErrEventDeleted, or the error of check.
	Redeliver(ctx context.Context, webhookID, id string, e auth.Event, check func(*Delivery) error) error
	// Recover makes the deliveries of events since a time pending again that have failed or
	// were skipped, returns their number, and makes a Deliverer look for events without
	// deliveries again. It makes all pending deliveries of the webhook due.
	Recover(ctx context.Context, webhookID string, since time.Time, e auth.Event) (int64, error)
}

// Cursor is a position in the list of a user's webhooks: after the webhook with this time
// and id.
type Cursor struct {
	CreatedAt time.Time
	ID        string
}

// Edit is a change of a webhook.
type Edit struct {
	Webhook

	// The fields below are set by the callback.
	Remove bool
	// Secret is a new secret. The current one then retires at RetireAt, at once if that is
	// zero, and others retire at once.
	Secret   *Secret
	RetireAt time.Time
	Event    auth.Event
}

// Queue stores the deliveries of a Deliverer.
type Queue interface {
	EventHead(ctx context.Context) (int64, error)
	EventTargets(ctx context.Context, after int64, limit int) ([]event.Target, error)
	// UsersOfWallets returns the ids of the members of wallets.
	UsersOfWallets(ctx context.Context, walletIDs []string) ([]string, error)
	ActiveWebhooks(ctx context.Context) ([]Webhook, error)
	// WebhooksWithoutAccess returns the active webhooks, with the reason, whose user is
	// disabled or whose token is not valid.
	WebhooksWithoutAccess(ctx context.Context) (map[string]Reason, error)
	// DisableWebhook disables a webhook if it is active, and reports whether it was.
	DisableWebhook(ctx context.Context, id string, why Reason) (bool, error)
	// AddDeliveries adds deliveries of events up to the position next, unless the webhook is
	// not active or another process has added them. Existing deliveries stay as they are.
	AddDeliveries(ctx context.Context, w Webhook, events []event.Event, next int64) error
	// CountPending returns the number of pending deliveries of a webhook.
	CountPending(ctx context.Context, webhookID string) (int64, error)
	// ClaimDeliveries leases deliveries that are due, and begins an attempt of each.
	ClaimDeliveries(ctx context.Context, c Claim) ([]Delivery, error)
	// Message returns the webhook of a delivery, its secrets, and the event. It returns
	// ErrDeliveryNotFound, or ErrEventDeleted with the webhook.
	Message(ctx context.Context, d Delivery) (Webhook, []Secret, event.Event, error)
	// EndAttempt calls settle and saves the results, unless the lease with this holder has
	// ended. It may call settle more than once. If r is nil, nothing was sent, and the
	// attempt is forgotten. If the delivery is not pending any more, the next one of its queue
	// becomes due. It reports whether the webhook was disabled.
	EndAttempt(ctx context.Context, d Delivery, holder string, r *egress.Result, settle func(*Webhook, *Delivery)) (disabled bool, err error)
	// PruneDeliveries deletes deliveries that have ended, of events from before a time. It
	// also deletes retired secrets, and makes deliveries due that wait for no other.
	PruneDeliveries(ctx context.Context, before time.Time) (pruned int64, err error)
}

// Claim selects deliveries that are due.
type Claim struct {
	Now, Until time.Time // of the lease
	Holder     string    // unique for each claim
	// PerHost and PerUser are the maximum numbers of attempts in progress.
	PerHost, PerUser int
	Limit            int
}
