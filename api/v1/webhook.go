package v1

import (
	"time"
)

// Webhook is an address to which events are sent, without its secret.
type Webhook struct {
	ID             string     `json:"id" required:"true" format:"uuid"`
	Description    string     `json:"description" required:"true"`
	URL            string     `json:"url" required:"true"`
	Wallets        *[]string  `json:"wallets" required:"true" description:"Aliases of the wallets whose events are sent; null for all of the user's, as far as the token permits."`
	Kinds          *[]string  `json:"kinds" required:"true" description:"Kinds and groups of kinds that are sent; null for every kind that token and user permit."`
	Order          string     `json:"order" required:"true" enum:"wallet,none" description:"wallet: an event is sent when the one before it of the same wallet was delivered, or has failed for the last time. none: events are sent independently."`
	Status         string     `json:"status" required:"true" enum:"active,disabled" description:"Events are sent only while it is active."`
	DisabledReason *string    `json:"disabled_reason" required:"true" enum:"user,failing,gone,token_revoked,token_expired,user_disabled,access_revoked,restored" description:"Why it is disabled: by a request; because the receiver has failed for 5 days or responded with 410; because the token that created it was deleted or has expired, its user was disabled, or all tokens were revoked; or because the database was restored. null while it is active."`
	DisabledAt     *time.Time `json:"disabled_at" required:"true" description:"null while it is active."`
	FailingSince   *time.Time `json:"failing_since" required:"true" description:"Time of the first failed attempt since the last success; null if there is none."`
	Scopes         []string   `json:"scopes" required:"true" nullable:"false" description:"Scopes of its creator that decide which events are sent. The token and the user must still have them."`
	TokenID        *string    `json:"token_id" required:"true" description:"Id of the token that created it, with which it ends; null if it was created with a password."`
	CreatedAt      time.Time  `json:"created_at" required:"true"`
}

// WebhookWithSecret is a new webhook with its secret.
type WebhookWithSecret struct {
	Webhook
	Secret string `json:"secret" required:"true" description:"The key that verifies the signatures of messages. It is never shown again."`
}

// CreateWebhookRequest is a webhook to create.
type CreateWebhookRequest struct {
	Description string   `json:"description" required:"true" minLength:"1" maxLength:"128" example:"shop" description:"What the webhook is for; unique among your webhooks."`
	URL         string   `json:"url" required:"true" maxLength:"2000" example:"https://shop.example/hooks/specterd" description:"Address to which events are sent. It must use https, unless the operator of the server allows the host."`
	Wallets     []string `json:"wallets,omitzero" description:"Aliases of the only wallets whose events are sent, at least one. Default: all of yours, as far as the token permits."`
	Kinds       []string `json:"kinds,omitzero" example:"[\"transaction\", \"proposal.signed\"]" description:"Kinds and groups of kinds that are sent. Default: every kind that your token permits."`
	Order       *string  `json:"order,omitzero" enum:"wallet,none" description:"wallet: an event is sent when the one before it of the same wallet was delivered, or has failed for the last time. none: events are sent independently. Default: wallet."`
}

// ChangeWebhookRequest has the changes to a webhook; at least one field is required.
type ChangeWebhookRequest struct {
	Description *string          `json:"description,omitzero" minLength:"1" maxLength:"128" example:"shop" description:"What the webhook is for; unique among your webhooks."`
	URL         *string          `json:"url,omitzero" maxLength:"2000" description:"Address to which events are sent, also waiting ones."`
	Wallets     Change[[]string] `json:"wallets,omitzero" description:"Aliases of the only wallets whose events are sent, at least one; null for all of yours, as far as the token permits."`
	Kinds       Change[[]string] `json:"kinds,omitzero" description:"Kinds and groups of kinds that are sent; null for every kind that your token permits."`
	Order       *string          `json:"order,omitzero" enum:"wallet,none" description:"The order of delivery."`
	Enabled     *bool            `json:"enabled,omitzero" description:"true: events are sent again, beginning with the waiting ones. With a password, the webhook then no longer depends on the token that created it. false: events wait until the webhook is enabled."`
}

// RotateSecretRequest has the options of the replacement of a secret; all fields are optional.
type RotateSecretRequest struct {
	GracePeriod *string `json:"grace_period,omitzero" example:"24h" description:"How long messages are also signed with the current secret, such as \"24h\"; \"0s\" for not at all. Default: 24 hours."`
}

// NewSecret is the new secret of a webhook.
type NewSecret struct {
	Secret string `json:"secret" required:"true" description:"The new key that verifies the signatures of messages. It is never shown again."`
}

// AttemptResult is the result of an attempt to send a message.
type AttemptResult struct {
	OK       bool    `json:"ok" required:"true" description:"Whether the receiver accepted the message, with a status 2xx."`
	Status   *int    `json:"status" required:"true" description:"Status of the response; null without a response. Redirects are not followed."`
	Problem  *string `json:"problem" required:"true" description:"Why there is no response; null if there is one."`
	Response string  `json:"response" required:"true" description:"Start of the response's body. It is empty for receivers in private networks."`
	Duration int64   `json:"duration_ms" required:"true" description:"Duration of the attempt in milliseconds."`
}

// Attempt is an attempt to send a message.
type Attempt struct {
	Number int            `json:"number" required:"true" description:"Number of the attempt, from 1."`
	At     time.Time      `json:"at" required:"true"`
	Result *AttemptResult `json:"result" required:"true" description:"null while the attempt is in progress, or if its process was killed."`
}

// Delivery is the delivery of an event to a webhook.
type Delivery struct {
	ID            string     `json:"id" required:"true" description:"Id of the message, in the header webhook-id. It is the same in all attempts."`
	Type          string     `json:"type" required:"true" description:"Kind of the event."`
	Timestamp     time.Time  `json:"timestamp" required:"true" description:"Time of the event."`
	WalletID      *string    `json:"wallet_id" required:"true" description:"Id of the wallet; null for an event of the user."`
	N             *int64     `json:"n" required:"true" description:"Number of the event in the wallet; null for an event of the user."`
	Status        string     `json:"status" required:"true" enum:"pending,delivered,failed,skipped" description:"failed: after ten attempts. skipped: the event must not be sent any more."`
	StatusAt      time.Time  `json:"status_at" required:"true" description:"Since when it has the status."`
	Reason        *string    `json:"reason" required:"true" enum:"not_visible,event_deleted,restored" description:"Why it was skipped: you may not see the event any more, it was deleted, or the database was restored. null otherwise."`
	Attempts      int        `json:"attempts" required:"true" description:"Number of attempts."`
	NextAttemptAt *time.Time `json:"next_attempt_at" required:"true" description:"Time of the next attempt; null if there is none, or if the delivery waits for another."`
	WaitingBehind *Waiting   `json:"waiting_behind" required:"true" description:"The earlier delivery of the same wallet that this one waits for; null if it waits for none."`
}

// Waiting is the delivery that another one waits for.
type Waiting struct {
	ID    string    `json:"id" required:"true" description:"Id of the delivery."`
	Since time.Time `json:"since" required:"true" description:"Since when that delivery has been pending."`
}

// ListedDelivery is a delivery with its last attempt.
type ListedDelivery struct {
	Delivery
	LastAttempt *Attempt `json:"last_attempt" required:"true" description:"null before the first attempt."`
}

// DeliveryDetails is a delivery with all attempts.
type DeliveryDetails struct {
	Delivery
	Log []Attempt `json:"log" required:"true" nullable:"false" description:"All attempts, the first one first."`
}

// RecoverWebhookRequest has the time since which undelivered events are sent again.
type RecoverWebhookRequest struct {
	Since time.Time `json:"since" required:"true" example:"2026-11-29T08:00:00Z" description:"All events since this time that were not delivered are sent again; at most 30 days ago."`
}

// Recovered is the result of a recovery.
type Recovered struct {
	Deliveries int64 `json:"deliveries" required:"true" description:"Number of deliveries that had failed or were skipped, and are pending again. Events without a delivery are sent as well."`
}
