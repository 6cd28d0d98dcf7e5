package webhook

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/webhook/signature"
)

// Client sends messages to receivers. It is an [egress.Client].
type Client interface {
	Check(url string) error
	Post(ctx context.Context, r egress.Request) egress.Result
}

// Options are the dependencies of a Service.
type Options struct {
	Store  Store
	Client Client
	Now    func() time.Time
	// Wake makes a Deliverer of this process look for deliveries. It must not block.
	Wake func()
}

// Service implements the operations of users on their webhooks. A caller with a token has
// access only to the webhooks that were created with this token: the others may show, or
// send, more than the token may see.
type Service struct {
	o   Options
	now func() time.Time
}

// New returns a Service.
func New(o Options) *Service { return &Service{o: o, now: clock.Microseconds(o.Now)} }

// Params are the parameters of a new webhook.
type Params struct {
	Description string
	URL         string
	Wallets     []string // aliases of the only wallets whose events are sent; nil means the creator's limit
	Kinds       []string // kinds and groups of kinds; nil for every kind that the creator may see
	Order       Order    // OrderWallet if empty
}

// Create creates a webhook, which gets the events from then on, and returns it with its
// secret.
func (s *Service) Create(ctx context.Context, who *auth.Principal, params Params) (Webhook, Secret, error) {
	if params.Order == "" {
		params.Order = OrderWallet
	}
	now := s.now()
	w := Webhook{
		ID: uuid.NewString(), UserID: who.UserID, TokenID: who.TokenID, Scopes: who.Scopes & event.ReadScopes,
		Description: params.Description, URL: params.URL, Kinds: params.Kinds, Order: params.Order, CreatedAt: now,
	}
	err := s.check(who, w, everyProperty(&w))
	if err == nil {
		w.Wallets, err = s.walletIDs(ctx, who, params.Wallets)
	}
	if err == nil {
		w.EventsUntil, err = s.o.Store.EventHead(ctx)
	}
	if err != nil {
		return Webhook{}, Secret{}, err
	}
	secret := Secret{Key: signature.Generate(), CreatedAt: now}
	if err := s.o.Store.AddWebhook(ctx, who, w, secret, who.Event(now, "webhook.create", w.ID, "host "+w.Host())); err != nil {
		return Webhook{}, Secret{}, err
	}
	w, err = s.withAliases(ctx, w)
	return w, secret, err
}

// check returns an Invalid fault for a webhook with an invalid property, and a Forbidden fault
// if the caller may not read the events of its kinds. It checks only the properties that c
// changes: a setting of the server, or the caller's rights, may have changed since the others
// were checked, and must not prevent that the webhook is disabled.
func (s *Service) check(who *auth.Principal, w Webhook, c Change) error {
	if c.Description != nil {
		if err := checkDescription(w.Description); err != nil {
			return err
		}
	}
	if c.URL != nil {
		if err := s.o.Client.Check(w.URL); err != nil {
			return err
		}
	}
	if c.Order != nil {
		if err := checkOrder(w.Order); err != nil {
			return err
		}
	}
	if c.Kinds == nil {
		return nil
	}
	kinds, err := kindsOf(w.Kinds)
	if err != nil {
		return err
	}
	return event.CheckKinds(who, kinds)
}

// everyProperty returns a change that sets all properties of a webhook to their present values.
func everyProperty(w *Webhook) Change {
	return Change{Description: &w.Description, URL: &w.URL, Kinds: &w.Kinds, Order: &w.Order}
}

// walletIDs converts aliases to the ids of wallets that the caller may see. If aliases is nil,
// it returns the caller's own limit, or nil without a limit.
func (s *Service) walletIDs(ctx context.Context, who *auth.Principal, aliases []string) ([]string, error) {
	if aliases == nil {
		return who.Wallets, nil
	}
	if len(aliases) == 0 {
		return nil, fault.InvalidField("wallets", "must be omitted for all wallets, or contain at least one")
	}
	members, err := s.o.Store.Memberships(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(aliases))
	for _, alias := range aliases {
		i := slices.IndexFunc(members, func(m auth.Membership) bool { return m.Alias == alias && who.MaySeeWallet(m.WalletID) })
		if i < 0 {
			return nil, fault.InvalidField("wallets", "contains a wallet that is not among your wallets")
		}
		if !slices.Contains(ids, members[i].WalletID) {
			ids = append(ids, members[i].WalletID)
		}
	}
	return ids, nil
}

// mayUse reports whether the caller has access to a webhook of the same user.
func mayUse(who *auth.Principal, w Webhook) bool { return who.ByPassword() || w.TokenID == who.TokenID }

// find returns a webhook of the caller without aliases.
func (s *Service) find(ctx context.Context, who *auth.Principal, id string) (Webhook, error) {
	w, err := s.o.Store.Webhook(ctx, who.UserID, id)
	if err == nil && !mayUse(who, w) {
		err = ErrNotFound
	}
	return w, err
}

// Get returns one of the caller's webhooks, or ErrNotFound.
func (s *Service) Get(ctx context.Context, who *auth.Principal, id string) (Webhook, error) {
	w, err := s.find(ctx, who, id)
	if err != nil {
		return Webhook{}, err
	}
	return s.withAliases(ctx, w)
}

// List returns up to limit of the caller's webhooks after the cursor, in the order of
// creation.
func (s *Service) List(ctx context.Context, who *auth.Principal, after Cursor, limit int) ([]Webhook, error) {
	webhooks, err := s.o.Store.WebhooksOfUser(ctx, who.UserID, who.TokenID, after, limit)
	if err != nil {
		return nil, err
	}
	return webhooks, s.fillAliases(ctx, who.UserID, webhooks)
}

// Change contains the properties to change; nil leaves them as they are.
type Change struct {
	Description, URL *string
	Wallets          *[]string // aliases; a nil list removes the limit
	Kinds            *[]string // a nil list selects all kinds
	Order            *Order
	Enabled          *bool
}

// Change changes one of the caller's webhooks. Enabling it with a password makes it
// independent of the token that created it. A webhook without a secret, such as after a
// restore, cannot be enabled.
func (s *Service) Change(ctx context.Context, who *auth.Principal, id string, c Change) (Webhook, error) {
	var wallets []string
	if c.Wallets != nil {
		var err error
		if wallets, err = s.walletIDs(ctx, who, *c.Wallets); err != nil {
			return Webhook{}, err
		}
	}
	if c.Enabled != nil && *c.Enabled {
		if err := s.checkSecret(ctx, who, id); err != nil {
			return Webhook{}, err
		}
	}
	var changed Webhook
	err := s.edit(ctx, who, id, func(e *Edit) error {
		c.apply(&e.Webhook)
		set := c
		if c.Wallets != nil {
			e.Wallets = wallets
		}
		if c.Enabled != nil && *c.Enabled && !e.Active() {
			e.enable()
			e.TokenID = who.TokenID
			set = everyProperty(&e.Webhook)
		}
		if c.Enabled != nil && !*c.Enabled {
			e.Disable(s.now(), ByUser)
		}
		changed = e.Webhook
		e.Event = who.Event(s.now(), "webhook.change", id, "host "+e.Host())
		return s.check(who, e.Webhook, set)
	})
	if err != nil {
		return Webhook{}, err
	}
	return s.withAliases(ctx, changed)
}

func (c Change) apply(w *Webhook) {
	if c.Description != nil {
		w.Description = *c.Description
	}
	if c.URL != nil {
		w.URL = *c.URL
	}
	if c.Kinds != nil {
		w.Kinds = *c.Kinds
	}
	if c.Order != nil {
		w.Order = *c.Order
	}
}

// edit calls edit with one of the caller's webhooks and saves the result.
func (s *Service) edit(ctx context.Context, who *auth.Principal, id string, edit func(*Edit) error) error {
	err := s.o.Store.EditWebhook(ctx, who, id, func(e *Edit) error {
		if !mayUse(who, e.Webhook) {
			return ErrNotFound
		}
		return edit(e)
	})
	if err == nil {
		s.o.Wake()
	}
	return err
}

// Delete deletes one of the caller's webhooks with its deliveries.
func (s *Service) Delete(ctx context.Context, who *auth.Principal, id string) error {
	return s.edit(ctx, who, id, func(e *Edit) error {
		e.Remove = true
		e.Event = who.Event(s.now(), "webhook.delete", id, "host "+e.Host())
		return nil
	})
}

// RotateSecret replaces the secret of a webhook, and returns the new one. Messages are signed
// with both until the grace period ends.
func (s *Service) RotateSecret(ctx context.Context, who *auth.Principal, id string, gracePeriod time.Duration) (Webhook, Secret, error) {
	var w Webhook
	secret := Secret{Key: signature.Generate(), CreatedAt: s.now()}
	err := s.edit(ctx, who, id, func(e *Edit) error {
		e.Secret = &secret
		if gracePeriod > 0 {
			e.RetireAt = secret.CreatedAt.Add(gracePeriod)
		}
		e.Event = who.Event(secret.CreatedAt, "webhook.rotate_secret", id, "")
		w = e.Webhook
		return nil
	})
	if err != nil {
		return Webhook{}, Secret{}, err
	}
	w, err = s.withAliases(ctx, w)
	return w, secret, err
}

// Test sends a message of the type webhook.test, and returns the response. The webhook may be
// disabled. There is one attempt.
func (s *Service) Test(ctx context.Context, who *auth.Principal, id string) (egress.Result, error) {
	w, err := s.find(ctx, who, id)
	if err != nil {
		return egress.Result{}, err
	}
	secrets, err := s.secrets(ctx, w)
	if err != nil {
		return egress.Result{}, err
	}
	e := event.Event{Kind: "webhook.test", At: s.now(), Data: fmt.Appendf(nil, `{"webhook_id":%q}`, w.ID)}
	var r egress.Result
	err = admission.Idle(ctx, func() error {
		r, err = post(ctx, s.o.Client, w, secrets, "msg_"+rand.Text(), s.now(), e.Payload())
		return err
	})
	return r, err
}

// secrets returns the valid secrets of a webhook, or errNoSecret.
func (s *Service) secrets(ctx context.Context, w Webhook) ([]Secret, error) {
	secrets, err := s.o.Store.Secrets(ctx, w.ID)
	if err == nil && len(secrets) == 0 {
		err = errNoSecret
	}
	return secrets, err
}

// checkSecret returns errNoSecret if one of the caller's webhooks has no secret.
func (s *Service) checkSecret(ctx context.Context, who *auth.Principal, id string) error {
	w, err := s.find(ctx, who, id)
	if err == nil {
		_, err = s.secrets(ctx, w)
	}
	return err
}

// post sends a signed message (https://www.standardwebhooks.com).
func post(ctx context.Context, c Client, w Webhook, secrets []Secret, id string, now time.Time, body []byte) (egress.Result, error) {
	keys := make([]string, len(secrets))
	for i, s := range secrets {
		keys[i] = s.Key
	}
	header, err := signature.Sign(id, now, body, keys...)
	if err != nil {
		return egress.Result{}, fmt.Errorf("sign a message: %w", err)
	}
	header["Content-Type"] = "application/json"
	return c.Post(ctx, egress.Request{URL: w.URL, Header: header, Body: body}), nil
}

// Deliveries returns up to limit deliveries of one of the caller's webhooks, the latest event
// first, after the delivery with the id after. If status is empty, it returns all.
func (s *Service) Deliveries(ctx context.Context, who *auth.Principal, id string, status Status, after string, limit int) ([]Delivery, error) {
	if status != "" && !slices.Contains([]Status{Pending, Delivered, Failed, Skipped}, status) {
		return nil, fault.InvalidField("status", "must be pending, delivered, failed or skipped")
	}
	w, err := s.find(ctx, who, id)
	if err != nil {
		return nil, err
	}
	return s.o.Store.Deliveries(ctx, w.ID, status, after, limit)
}

// Delivery returns a delivery with all attempts.
func (s *Service) Delivery(ctx context.Context, who *auth.Principal, id, deliveryID string) (Delivery, []Attempt, error) {
	w, err := s.find(ctx, who, id)
	if err != nil {
		return Delivery{}, nil, err
	}
	return s.o.Store.Delivery(ctx, w.ID, deliveryID)
}

// Redeliver sends an event again, whatever the status of its delivery, and without regard to
// the order. If the attempt fails, others follow as for a new delivery.
func (s *Service) Redeliver(ctx context.Context, who *auth.Principal, id, deliveryID string) (Delivery, error) {
	w, err := s.active(ctx, who, id)
	if err != nil {
		return Delivery{}, err
	}
	now := s.now()
	err = s.o.Store.Redeliver(ctx, w.ID, deliveryID, who.Event(now, "webhook.redeliver", id, deliveryID), func(d *Delivery) error {
		switch {
		case d.InProgress(now):
			return errInProgress
		case d.Behind != "":
			return errWaiting
		}
		return nil
	})
	if err != nil {
		return Delivery{}, err
	}
	s.o.Wake()
	d, _, err := s.o.Store.Delivery(ctx, w.ID, deliveryID)
	return d, err
}

// KeepFor is the time for which deliveries that have ended are kept.
const KeepFor = 30 * 24 * time.Hour

// Recover sends all events since a time again that were not delivered, in their order: failed
// and skipped ones, and events that have no delivery. It returns the number of
// the former, and makes pending deliveries due. Events from before the creation of the
// webhook are not sent.
func (s *Service) Recover(ctx context.Context, who *auth.Principal, id string, since time.Time) (int64, error) {
	now := s.now()
	if since.After(now) {
		return 0, fault.InvalidField("since", "must not be in the future")
	}
	if since.Before(now.Add(-KeepFor)) {
		return 0, fault.InvalidField("since", "must be within the last 30 days")
	}
	w, err := s.active(ctx, who, id)
	if err != nil {
		return 0, err
	}
	if since.Before(w.CreatedAt) {
		since = w.CreatedAt
	}
	n, err := s.o.Store.Recover(ctx, w.ID, since, who.Event(now, "webhook.recover", id, "since "+since.UTC().Format(time.RFC3339)))
	if err == nil {
		s.o.Wake()
	}
	return n, err
}

// active returns one of the caller's webhooks, or errDisabled.
func (s *Service) active(ctx context.Context, who *auth.Principal, id string) (Webhook, error) {
	w, err := s.find(ctx, who, id)
	if err == nil && !w.Active() {
		err = errDisabled
	}
	return w, err
}

func (s *Service) withAliases(ctx context.Context, w Webhook) (Webhook, error) {
	one := []Webhook{w}
	err := s.fillAliases(ctx, w.UserID, one)
	return one[0], err
}

// fillAliases sets the Aliases of each webhook that is limited to wallets. It omits wallets
// that the user has left.
func (s *Service) fillAliases(ctx context.Context, userID string, webhooks []Webhook) error {
	if !slices.ContainsFunc(webhooks, func(w Webhook) bool { return w.Wallets != nil }) {
		return nil
	}
	members, err := s.o.Store.Memberships(ctx, userID)
	if err != nil {
		return err
	}
	for i := range webhooks {
		w := &webhooks[i]
		if w.Wallets == nil {
			continue
		}
		w.Aliases = []string{}
		for _, m := range members {
			if slices.Contains(w.Wallets, m.WalletID) {
				w.Aliases = append(w.Aliases, m.Alias)
			}
		}
	}
	return nil
}
