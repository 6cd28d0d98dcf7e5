package v1

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/fault"
	webhooks "github.com/specterd/specterd/internal/webhook"
)

type webhook struct {
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

func webhookOf(w webhooks.Webhook) webhook {
	out := webhook{
		ID: w.ID, Description: w.Description, URL: w.URL, Order: string(w.Order), Status: "active",
		FailingSince: optionalTime(w.FailingSince), Scopes: w.Scopes.Names(), TokenID: optionalText(w.TokenID), CreatedAt: w.CreatedAt.UTC(),
	}
	if w.Wallets != nil {
		out.Wallets = &w.Aliases
	}
	if w.Kinds != nil {
		out.Kinds = &w.Kinds
	}
	if !w.Active() {
		out.Status, out.DisabledAt, out.DisabledReason = "disabled", optionalTime(w.DisabledAt), optionalText(string(w.Reason))
	}
	return out
}

type webhookWithSecret struct {
	webhook
	Secret string `json:"secret" required:"true" description:"The key that verifies the signatures of messages. It is never shown again."`
}

// ListWebhooks serves GET /api/v1/webhooks.
func (a *API) ListWebhooks(ctx context.Context, p page) (list[webhook], error) {
	limit, err := p.limit()
	if err != nil {
		return list[webhook]{}, err
	}
	after, err := webhookCursor(p)
	if err != nil {
		return list[webhook]{}, err
	}
	found, err := a.o.Webhooks.List(ctx, caller(ctx), after, limit+1)
	if err != nil {
		return list[webhook]{}, err
	}
	return newList(found, limit, webhookOf, func(w webhooks.Webhook) string {
		return strconv.FormatInt(w.CreatedAt.UnixMicro(), 10) + " " + w.ID
	}), nil
}

// webhookCursor parses a cursor into the creation time and the id of a webhook.
func webhookCursor(p page) (webhooks.Cursor, error) {
	c, err := tokenCursor(p) // of the same form
	return webhooks.Cursor(c), err
}

type createWebhookRequest struct {
	Description string   `json:"description" required:"true" minLength:"1" maxLength:"128" example:"shop" description:"What the webhook is for; unique among your webhooks."`
	URL         string   `json:"url" required:"true" maxLength:"2000" example:"https://shop.example/hooks/specterd" description:"Address to which events are sent. It must use https, unless the operator of the server allows the host."`
	Wallets     []string `json:"wallets" description:"Aliases of the only wallets whose events are sent, at least one. Default: all of yours, as far as the token permits."`
	Kinds       []string `json:"kinds" example:"[\"transaction\", \"proposal.signed\"]" description:"Kinds and groups of kinds that are sent. Default: every kind that your token permits."`
	Order       *string  `json:"order" enum:"wallet,none" description:"wallet: an event is sent when the one before it of the same wallet was delivered, or has failed for the last time. none: events are sent independently. Default: wallet."`
}

// CreateWebhook serves POST /api/v1/webhooks.
func (a *API) CreateWebhook(ctx context.Context, in createWebhookRequest) (webhookWithSecret, error) {
	params := webhooks.Params{Description: in.Description, URL: in.URL, Wallets: in.Wallets, Kinds: in.Kinds}
	if in.Order != nil {
		params.Order = webhooks.Order(*in.Order)
		if params.Order == "" {
			return webhookWithSecret{}, fault.InvalidField("order", "must be wallet or none")
		}
	}
	w, secret, err := a.o.Webhooks.Create(ctx, caller(ctx), params)
	return webhookWithSecret{webhookOf(w), secret.Key}, err
}

type webhookRequest struct {
	ID string `path:"id" json:"-" description:"The webhook's id."`
}

// GetWebhook serves GET /api/v1/webhooks/{id}.
func (a *API) GetWebhook(ctx context.Context, in webhookRequest) (webhook, error) {
	w, err := a.o.Webhooks.Get(ctx, caller(ctx), in.ID)
	return webhookOf(w), err
}

type changeWebhookRequest struct {
	webhookRequest
	Description *string    `json:"description" minLength:"1" maxLength:"128" example:"shop" description:"What the webhook is for; unique among your webhooks."`
	URL         *string    `json:"url" maxLength:"2000" description:"Address to which events are sent, also waiting ones."`
	Wallets     listChange `json:"wallets" description:"Aliases of the only wallets whose events are sent, at least one; null for all of yours, as far as the token permits."`
	Kinds       listChange `json:"kinds" description:"Kinds and groups of kinds that are sent; null for every kind that your token permits."`
	Order       *string    `json:"order" enum:"wallet,none" description:"The order of delivery."`
	Enabled     *bool      `json:"enabled" description:"true: events are sent again, beginning with the waiting ones. With a password, the webhook then no longer depends on the token that created it. false: events wait until the webhook is enabled."`
}

// listChange is a list or null, for which values is nil. isSet distinguishes null from a
// missing field.
type listChange struct {
	isSet  bool
	values []string
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *listChange) UnmarshalJSON(text []byte) error {
	c.isSet, c.values = true, nil
	return json.Unmarshal(text, &c.values)
}

// JSONSchemaBytes returns the type's JSON schema for the OpenAPI specification.
func (listChange) JSONSchemaBytes() ([]byte, error) {
	return []byte(`{"type":["array","null"],"items":{"type":"string"}}`), nil
}

func (c *listChange) change() *[]string {
	if !c.isSet {
		return nil
	}
	return &c.values
}

// ChangeWebhook serves PATCH /api/v1/webhooks/{id}.
func (a *API) ChangeWebhook(ctx context.Context, in changeWebhookRequest) (webhook, error) {
	change := webhooks.Change{
		Description: in.Description, URL: in.URL, Wallets: in.Wallets.change(), Kinds: in.Kinds.change(),
		Order: (*webhooks.Order)(in.Order), Enabled: in.Enabled,
	}
	if change == (webhooks.Change{}) {
		return webhook{}, fault.New(fault.Invalid, "no_changes", "no changes; at least one of description, url, wallets, kinds, order and enabled is required")
	}
	w, err := a.o.Webhooks.Change(ctx, caller(ctx), in.ID, change)
	return webhookOf(w), err
}

// DeleteWebhook serves DELETE /api/v1/webhooks/{id}.
func (a *API) DeleteWebhook(ctx context.Context, in webhookRequest) error {
	return a.o.Webhooks.Delete(ctx, caller(ctx), in.ID)
}

type rotateSecretRequest struct {
	webhookRequest
	GracePeriod *string `json:"grace_period" example:"24h" description:"How long messages are also signed with the current secret, such as \"24h\"; \"0s\" for not at all. Default: 24 hours."`
}

type newSecret struct {
	Secret string `json:"secret" required:"true" description:"The new key that verifies the signatures of messages. It is never shown again."`
}

const defaultSecretGracePeriod = 24 * time.Hour

// RotateWebhookSecret serves POST /api/v1/webhooks/{id}/rotate-secret.
func (a *API) RotateWebhookSecret(ctx context.Context, in rotateSecretRequest) (newSecret, error) {
	gracePeriod := defaultSecretGracePeriod
	if in.GracePeriod != nil {
		var err error
		if gracePeriod, err = gracePeriodOf(in.GracePeriod); err != nil {
			return newSecret{}, err
		}
	}
	_, secret, err := a.o.Webhooks.RotateSecret(ctx, caller(ctx), in.ID, gracePeriod)
	return newSecret{secret.Key}, err
}

// attemptResult is the result of an attempt to send a message.
type attemptResult struct {
	OK       bool    `json:"ok" required:"true" description:"Whether the receiver accepted the message, with a status 2xx."`
	Status   *int    `json:"status" required:"true" description:"Status of the response; null without a response. Redirects are not followed."`
	Problem  *string `json:"problem" required:"true" description:"Why there is no response; null if there is one."`
	Response string  `json:"response" required:"true" description:"Start of the response's body. It is empty for receivers in private networks."`
	Duration int64   `json:"duration_ms" required:"true" description:"Duration of the attempt in milliseconds."`
}

func attemptResultOf(r egress.Result) attemptResult {
	out := attemptResult{Problem: optionalText(r.Problem), Response: r.Excerpt, Duration: r.Took.Milliseconds()}
	if r.Status != 0 {
		out.Status, out.OK = &r.Status, r.OK()
	}
	return out
}

// TestWebhook serves POST /api/v1/webhooks/{id}/test.
func (a *API) TestWebhook(ctx context.Context, in webhookRequest) (attemptResult, error) {
	r, err := a.o.Webhooks.Test(ctx, caller(ctx), in.ID)
	return attemptResultOf(r), err
}

type attempt struct {
	Number int            `json:"number" required:"true" description:"Number of the attempt, from 1."`
	At     time.Time      `json:"at" required:"true"`
	Result *attemptResult `json:"result" required:"true" description:"null while the attempt is in progress, or if its process was killed."`
}

func attemptOf(a webhooks.Attempt) attempt {
	out := attempt{Number: a.Number, At: a.At.UTC()}
	if a.Ended {
		r := attemptResultOf(a.Result)
		out.Result = &r
	}
	return out
}

// delivery is the delivery of an event to a webhook.
type delivery struct {
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
	WaitingBehind *waiting   `json:"waiting_behind" required:"true" description:"The earlier delivery of the same wallet that this one waits for; null if it waits for none."`
}

type waiting struct {
	ID    string    `json:"id" required:"true" description:"Id of the delivery."`
	Since time.Time `json:"since" required:"true" description:"Since when that delivery has been pending."`
}

func deliveryOf(d webhooks.Delivery) delivery {
	out := delivery{
		ID: d.ID, Type: string(d.Kind), Timestamp: d.EventAt.UTC(), Status: string(d.Status), StatusAt: d.StatusAt.UTC(),
		Reason: optionalText(d.Reason), Attempts: d.Attempts, NextAttemptAt: optionalTime(d.NextAt),
	}
	if d.WalletID != "" {
		out.WalletID, out.N = &d.WalletID, &d.N
	}
	if d.Behind != "" {
		out.WaitingBehind, out.NextAttemptAt = &waiting{d.Behind, d.BehindSince.UTC()}, nil
	}
	return out
}

type listedDelivery struct {
	delivery
	LastAttempt *attempt `json:"last_attempt" required:"true" description:"null before the first attempt."`
}

func listedDeliveryOf(d webhooks.Delivery) listedDelivery {
	out := listedDelivery{delivery: deliveryOf(d)}
	if d.Last != nil {
		last := attemptOf(*d.Last)
		out.LastAttempt = &last
	}
	return out
}

type deliveriesRequest struct {
	webhookRequest
	page
	Status string `query:"status" json:"-" enum:"pending,delivered,failed,skipped" description:"Only deliveries with this status."`
}

// ListDeliveries serves GET /api/v1/webhooks/{id}/deliveries.
func (a *API) ListDeliveries(ctx context.Context, in deliveriesRequest) (list[listedDelivery], error) {
	limit, err := in.limit()
	if err != nil {
		return list[listedDelivery]{}, err
	}
	after, err := in.place()
	if err != nil {
		return list[listedDelivery]{}, err
	}
	found, err := a.o.Webhooks.Deliveries(ctx, caller(ctx), in.ID, webhooks.Status(in.Status), after, limit+1)
	if err != nil {
		return list[listedDelivery]{}, err
	}
	return newList(found, limit, listedDeliveryOf, func(d webhooks.Delivery) string { return d.ID }), nil
}

type deliveryRequest struct {
	webhookRequest
	DeliveryID string `path:"delivery" json:"-" description:"The delivery's id."`
}

type deliveryDetails struct {
	delivery
	Log []attempt `json:"log" required:"true" nullable:"false" description:"All attempts, the first one first."`
}

// GetDelivery serves GET /api/v1/webhooks/{id}/deliveries/{delivery}.
func (a *API) GetDelivery(ctx context.Context, in deliveryRequest) (deliveryDetails, error) {
	d, attempts, err := a.o.Webhooks.Delivery(ctx, caller(ctx), in.ID, in.DeliveryID)
	out := deliveryDetails{delivery: deliveryOf(d), Log: make([]attempt, len(attempts))}
	for i, attempt := range attempts {
		out.Log[i] = attemptOf(attempt)
	}
	return out, err
}

// Redeliver serves POST /api/v1/webhooks/{id}/deliveries/{delivery}/redeliver.
func (a *API) Redeliver(ctx context.Context, in deliveryRequest) (delivery, error) {
	d, err := a.o.Webhooks.Redeliver(ctx, caller(ctx), in.ID, in.DeliveryID)
	return deliveryOf(d), err
}

type recoverWebhookRequest struct {
	webhookRequest
	Since time.Time `json:"since" required:"true" example:"2026-11-29T08:00:00Z" description:"All events since this time that were not delivered are sent again; at most 30 days ago."`
}

type recovered struct {
	Deliveries int64 `json:"deliveries" required:"true" description:"Number of deliveries that had failed or were skipped, and are pending again. Events without a delivery are sent as well."`
}

// RecoverWebhook serves POST /api/v1/webhooks/{id}/recover.
func (a *API) RecoverWebhook(ctx context.Context, in recoverWebhookRequest) (recovered, error) {
	n, err := a.o.Webhooks.Recover(ctx, caller(ctx), in.ID, in.Since)
	return recovered{n}, err
}
