package v1

import (
	"context"
	"strconv"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
	webhooks "github.com/specterd/specterd/internal/webhook"
)

func webhookOf(w webhooks.Webhook) api.Webhook {
	out := api.Webhook{
		ID: w.ID, Description: w.Description, URL: w.URL, Order: string(w.Order), Status: "active",
		FailingSince: optionalTime(w.FailingSince), Scopes: w.Scopes.Names(), TokenID: text.Optional(w.TokenID), CreatedAt: w.CreatedAt.UTC(),
	}
	if w.Wallets != nil {
		out.Wallets = &w.Aliases
	}
	if w.Kinds != nil {
		out.Kinds = &w.Kinds
	}
	if !w.Active() {
		out.Status, out.DisabledAt, out.DisabledReason = "disabled", optionalTime(w.DisabledAt), text.Optional(string(w.Reason))
	}
	return out
}

// ListWebhooks serves GET /api/v1/webhooks.
func (a *API) ListWebhooks(ctx context.Context, p page) (api.List[api.Webhook], error) {
	limit, err := p.limit()
	if err != nil {
		return api.List[api.Webhook]{}, err
	}
	after, err := webhookCursor(p)
	if err != nil {
		return api.List[api.Webhook]{}, err
	}
	found, err := a.o.Webhooks.List(ctx, caller(ctx), after, limit+1)
	if err != nil {
		return api.List[api.Webhook]{}, err
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

// CreateWebhook serves POST /api/v1/webhooks.
func (a *API) CreateWebhook(ctx context.Context, in api.CreateWebhookRequest) (api.WebhookWithSecret, error) {
	params := webhooks.Params{Description: in.Description, URL: in.URL, Wallets: in.Wallets, Kinds: in.Kinds}
	if in.Order != nil {
		params.Order = webhooks.Order(*in.Order)
		if params.Order == "" {
			return api.WebhookWithSecret{}, fault.InvalidField("order", "must be wallet or none")
		}
	}
	w, secret, err := a.o.Webhooks.Create(ctx, caller(ctx), params)
	return api.WebhookWithSecret{Webhook: webhookOf(w), Secret: secret.Key}, err
}

type webhookRequest struct {
	ID string `path:"id" json:"-" description:"The webhook's id."`
}

// GetWebhook serves GET /api/v1/webhooks/{id}.
func (a *API) GetWebhook(ctx context.Context, in webhookRequest) (api.Webhook, error) {
	w, err := a.o.Webhooks.Get(ctx, caller(ctx), in.ID)
	return webhookOf(w), err
}

type changeWebhookRequest struct {
	webhookRequest
	api.ChangeWebhookRequest
}

// changeOfList converts a change of a list, in which a nil list stands for null.
func changeOfList(c api.Change[[]string]) *[]string {
	values, isSet := c.Get()
	if isSet && values == nil {
		return new([]string(nil))
	}
	return values
}

// ChangeWebhook serves PATCH /api/v1/webhooks/{id}.
func (a *API) ChangeWebhook(ctx context.Context, in changeWebhookRequest) (api.Webhook, error) {
	change := webhooks.Change{
		Description: in.Description, URL: in.URL, Wallets: changeOfList(in.Wallets), Kinds: changeOfList(in.Kinds),
		Order: (*webhooks.Order)(in.Order), Enabled: in.Enabled,
	}
	if change == (webhooks.Change{}) {
		return api.Webhook{}, fault.New(fault.Invalid, "no_changes", "no changes; at least one of description, url, wallets, kinds, order and enabled is required")
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
	api.RotateSecretRequest
}

const defaultSecretGracePeriod = 24 * time.Hour

// RotateWebhookSecret serves POST /api/v1/webhooks/{id}/rotate-secret.
func (a *API) RotateWebhookSecret(ctx context.Context, in rotateSecretRequest) (api.NewSecret, error) {
	gracePeriod := defaultSecretGracePeriod
	if in.GracePeriod != nil {
		var err error
		if gracePeriod, err = gracePeriodOf(in.GracePeriod); err != nil {
			return api.NewSecret{}, err
		}
	}
	_, secret, err := a.o.Webhooks.RotateSecret(ctx, caller(ctx), in.ID, gracePeriod)
	return api.NewSecret{Secret: secret.Key}, err
}

func attemptResultOf(r egress.Result) api.AttemptResult {
	out := api.AttemptResult{Problem: text.Optional(r.Problem), Response: r.Excerpt, Duration: r.Took.Milliseconds()}
	if r.Status != 0 {
		out.Status, out.OK = &r.Status, r.OK()
	}
	return out
}

// TestWebhook serves POST /api/v1/webhooks/{id}/test.
func (a *API) TestWebhook(ctx context.Context, in webhookRequest) (api.AttemptResult, error) {
	r, err := a.o.Webhooks.Test(ctx, caller(ctx), in.ID)
	return attemptResultOf(r), err
}

func attemptOf(a webhooks.Attempt) api.Attempt {
	out := api.Attempt{Number: a.Number, At: a.At.UTC()}
	if a.Ended {
		r := attemptResultOf(a.Result)
		out.Result = &r
	}
	return out
}

func deliveryOf(d webhooks.Delivery) api.Delivery {
	out := api.Delivery{
		ID: d.ID, Type: string(d.Kind), Timestamp: d.EventAt.UTC(), Status: string(d.Status), StatusAt: d.StatusAt.UTC(),
		Reason: text.Optional(d.Reason), Attempts: d.Attempts, NextAttemptAt: optionalTime(d.NextAt),
	}
	if d.WalletID != "" {
		out.WalletID, out.N = &d.WalletID, &d.N
	}
	if d.Behind != "" {
		out.WaitingBehind, out.NextAttemptAt = &api.Waiting{ID: d.Behind, Since: d.BehindSince.UTC()}, nil
	}
	return out
}

func listedDeliveryOf(d webhooks.Delivery) api.ListedDelivery {
	out := api.ListedDelivery{Delivery: deliveryOf(d)}
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
func (a *API) ListDeliveries(ctx context.Context, in deliveriesRequest) (api.List[api.ListedDelivery], error) {
	limit, err := in.limit()
	if err != nil {
		return api.List[api.ListedDelivery]{}, err
	}
	after, err := in.place()
	if err != nil {
		return api.List[api.ListedDelivery]{}, err
	}
	found, err := a.o.Webhooks.Deliveries(ctx, caller(ctx), in.ID, webhooks.Status(in.Status), after, limit+1)
	if err != nil {
		return api.List[api.ListedDelivery]{}, err
	}
	return newList(found, limit, listedDeliveryOf, func(d webhooks.Delivery) string { return d.ID }), nil
}

type deliveryRequest struct {
	webhookRequest
	DeliveryID string `path:"delivery" json:"-" description:"The delivery's id."`
}

// GetDelivery serves GET /api/v1/webhooks/{id}/deliveries/{delivery}.
func (a *API) GetDelivery(ctx context.Context, in deliveryRequest) (api.DeliveryDetails, error) {
	d, attempts, err := a.o.Webhooks.Delivery(ctx, caller(ctx), in.ID, in.DeliveryID)
	out := api.DeliveryDetails{Delivery: deliveryOf(d), Log: make([]api.Attempt, len(attempts))}
	for i, attempt := range attempts {
		out.Log[i] = attemptOf(attempt)
	}
	return out, err
}

// Redeliver serves POST /api/v1/webhooks/{id}/deliveries/{delivery}/redeliver.
func (a *API) Redeliver(ctx context.Context, in deliveryRequest) (api.Delivery, error) {
	d, err := a.o.Webhooks.Redeliver(ctx, caller(ctx), in.ID, in.DeliveryID)
	return deliveryOf(d), err
}

type recoverWebhookRequest struct {
	webhookRequest
	api.RecoverWebhookRequest
}

// RecoverWebhook serves POST /api/v1/webhooks/{id}/recover.
func (a *API) RecoverWebhook(ctx context.Context, in recoverWebhookRequest) (api.Recovered, error) {
	n, err := a.o.Webhooks.Recover(ctx, caller(ctx), in.ID, in.Since)
	return api.Recovered{Deliveries: n}, err
}
