// Package webhook sends events to addresses that users chose. A [Service] manages webhooks,
// and a [Deliverer] sends their messages, each at least once. It does not depend on SQL or
// HTTP.
//
// Invariant: a message is sent only if the event is one that the webhook's user may see at
// that time, with the token that created the webhook. With the order OrderWallet, it is sent
// only if no earlier event of the same wallet waits for its delivery.
package webhook

import (
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// Errors of webhooks.
var (
	ErrNotFound         = fault.New(fault.NotFound, "webhook_not_found", "webhook not found among your webhooks; a token finds only webhooks that were created with it")
	ErrDeliveryNotFound = fault.New(fault.NotFound, "delivery_not_found", "delivery not found; deliveries are kept for 30 days")
	ErrDescriptionTaken = fault.New(fault.Conflict, "description_exists", "one of your webhooks has this description already")
	errDisabled         = fault.New(fault.Conflict, "webhook_disabled", "the webhook is disabled; enable it first")
	errNoSecret         = fault.New(fault.Conflict, "webhook_without_secret", "the webhook has no secret, because it was restored from a backup; rotate its secret first")
	errInProgress       = fault.New(fault.Conflict, "delivery_in_progress", "an attempt is in progress; try again later")
	errWaiting          = fault.New(fault.Conflict, "delivery_waiting", "the delivery waits for an earlier one of the same wallet; redeliver that one")
	// ErrEventDeleted is returned for a delivery whose event does not exist any more.
	ErrEventDeleted = fault.New(fault.Gone, "event_deleted", "the event was deleted, and cannot be sent again")
)

// Order is the order in which the events of a webhook are delivered.
type Order string

// The orders.
const (
	// OrderWallet: an event is sent when the event before it of the same wallet has been
	// delivered or has failed for the last time.
	OrderWallet Order = "wallet"
	// OrderNone: all events are sent independently of each other.
	OrderNone Order = "none"
)

// Reason is why a webhook is disabled.
type Reason string

// The reasons. A webhook stays disabled until its user enables it.
const (
	ByUser        Reason = "user"
	Failing       Reason = "failing"        // no success for DisableAfter
	Gone          Reason = "gone"           // the receiver responded with 410
	TokenRevoked  Reason = "token_revoked"  // the token that created it was deleted
	TokenExpired  Reason = "token_expired"  // or has expired
	UserDisabled  Reason = "user_disabled"  // the user was disabled
	AccessRevoked Reason = "access_revoked" // all tokens of the user were revoked together
	Restored      Reason = "restored"       // the database was restored from a backup
)

// Webhook is the database row of a webhook.
type Webhook struct {
	ID     string // UUIDv4
	UserID string
	// TokenID is the id of the token that created it, which must stay valid; empty if it was
	// created with a password.
	TokenID string
	// Scopes are the scopes of the creator. Deliveries also need the scopes of the moment.
	Scopes      auth.Scopes
	Description string // unique among the user's webhooks
	URL         string
	Wallets     []string // ids of the wallets that it is limited to; nil means no limit
	Aliases     []string // user's aliases of these wallets; filled in by Service
	Kinds       []string // kinds and groups of kinds; nil for all
	Order       Order
	// EventsUntil is a position in the event log. All events up to it have deliveries.
	EventsUntil int64
	CreatedAt   time.Time
	// FailingSince is the time of the first failure since the last success; zero without one.
	FailingSince time.Time
	DisabledAt   time.Time // zero while it is active
	Reason       Reason    // why it is disabled
}

// Active reports whether events are sent.
func (w *Webhook) Active() bool { return w.DisabledAt.IsZero() }

// Disable stops deliveries until the webhook is enabled again. It does nothing if the webhook
// is disabled already.
func (w *Webhook) Disable(now time.Time, why Reason) {
	if w.Active() {
		w.DisabledAt, w.Reason = now, why
	}
}

func (w *Webhook) enable() { w.DisabledAt, w.Reason, w.FailingSince = time.Time{}, "", time.Time{} }

// Host returns the host and port of the URL. The number of concurrent requests to one host
// is limited.
func (w *Webhook) Host() string {
	u, err := url.Parse(w.URL)
	if err != nil {
		return w.URL
	}
	return strings.ToLower(u.Host)
}

// Secret is a key that signs messages.
type Secret struct {
	Key       string // whsec_…
	CreatedAt time.Time
	RetiresAt time.Time // zero for the current one
}

// QueueOf returns the queue of a delivery. The deliveries of a queue are made one after the
// other. Events of the user, which have no wallet, are in one queue.
func (o Order) QueueOf(walletID, deliveryID string) string {
	if o == OrderWallet {
		return walletID
	}
	return deliveryID
}

// maxDescription is the maximum length of a description in characters.
const maxDescription = 128

func checkDescription(description string) error {
	switch {
	case strings.TrimSpace(description) == "":
		return fault.InvalidField("description", "is missing or blank")
	case utf8.RuneCountInString(description) > maxDescription:
		return fault.InvalidField("description", "must be at most %d characters long", maxDescription)
	}
	if problem := text.Problem(description); problem != "" {
		return fault.InvalidField("description", "%s", problem)
	}
	return nil
}

func checkOrder(o Order) error {
	if o != OrderWallet && o != OrderNone {
		return fault.InvalidField("order", "must be wallet or none")
	}
	return nil
}

// kindsOf returns the kinds that a list of kinds and groups selects; nil for nil.
func kindsOf(names []string) ([]event.Kind, error) {
	if names == nil {
		return nil, nil
	}
	const hint = "must be omitted for all kinds, or contain at least one"
	if len(names) == 0 || slices.Contains(names, "") {
		return nil, fault.InvalidField("kinds", hint)
	}
	return event.ParseKinds("kinds", strings.Join(names, ","))
}
