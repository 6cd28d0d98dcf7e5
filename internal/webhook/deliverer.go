package webhook

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
)

const (
	// PollInterval is the interval at which deliveries are found that are due, and events
	// that another process has committed.
	PollInterval = time.Second
	// maxConcurrent is the number of attempts in progress in a process.
	maxConcurrent = 16
	// maxPerHost and maxPerUser are numbers of attempts in progress in all processes, so that a
	// receiver that does not respond delays no other user.
	maxPerHost, maxPerUser = 2, 8
	// leaseTime is the time after which another process takes over the deliveries of a killed
	// process. An attempt, which takes egress.Timeout at most, ends before that.
	leaseTime = 30 * time.Second
	// endPatience is the part of the lease that is left to save the result.
	endPatience = 8 * time.Second
	// eventsAtATime is the number of events for which a pass adds deliveries, per webhook.
	eventsAtATime = 100
	// maxUnordered is the number of pending deliveries of a webhook without an order from
	// which on no further ones are added.
	maxUnordered = 10_000
)

// Events tells which events a webhook gets.
type Events interface {
	Scan(ctx context.Context, who *auth.Principal, kinds []event.Kind, after int64, limit int) (events []event.Event, next int64, more bool, err error)
	MaySee(ctx context.Context, who *auth.Principal, e event.Event) (bool, error)
}

// DelivererOptions are the dependencies of a Deliverer.
type DelivererOptions struct {
	Queue  Queue
	Events Events
	// Principal returns the current permissions of a user's token, or of the user if tokenID
	// is empty, or auth.ErrUnauthenticated.
	Principal func(ctx context.Context, userID, tokenID string) (*auth.Principal, error)
	Client    Client
	Log       *slog.Logger
	Now       func() time.Time
	// Observe, if not nil, is called after each attempt.
	Observe func(ok bool, took time.Duration)
	// Wake, if not nil, makes the caller of Run call it soon.
	Wake func()
}

// Deliverer sends the messages of webhooks. Several processes can share a database.
type Deliverer struct {
	o     DelivererOptions
	now   func() time.Time
	slots chan struct{} // has a value for each attempt in progress
	tasks sync.WaitGroup
	woken atomic.Bool
	feed  feed
}

// NewDeliverer returns a Deliverer.
func NewDeliverer(o DelivererOptions) *Deliverer {
	return &Deliverer{o: o, now: clock.Microseconds(o.Now), slots: make(chan struct{}, maxConcurrent), feed: newFeed()}
}

// Wake makes the next pass due: there are new events or deliveries. It does not block.
func (d *Deliverer) Wake() {
	d.woken.Store(true)
	if d.o.Wake != nil {
		d.o.Wake()
	}
}

// Next returns the time at which Run must be called again; last is the end of the last call.
func (d *Deliverer) Next(_ context.Context, last time.Time) (time.Time, error) {
	if last.IsZero() || d.woken.Load() {
		return d.now(), nil
	}
	return last.Add(PollInterval), nil
}

// Run adds the deliveries of new events and begins the attempts that are due. It does not
// wait for their end; see Wait. It must not be called concurrently.
func (d *Deliverer) Run(ctx context.Context) error {
	d.woken.Store(false)
	if err := d.endAccess(ctx); err != nil {
		return err
	}
	more, err := d.feed.add(ctx, d)
	if err != nil {
		return err
	}
	if more {
		d.woken.Store(true)
	}
	return d.begin(ctx)
}

// Wait waits until no attempt is in progress.
func (d *Deliverer) Wait() { d.tasks.Wait() }

// endAccess disables the webhooks whose user or token is not valid any more.
func (d *Deliverer) endAccess(ctx context.Context) error {
	lost, err := d.o.Queue.WebhooksWithoutAccess(ctx)
	if err != nil {
		return err
	}
	for id, why := range lost {
		disabled, err := d.o.Queue.DisableWebhook(ctx, id, why)
		if err != nil {
			return err
		}
		if disabled {
			d.o.Log.InfoContext(ctx, "webhook disabled", "webhook_id", id, "reason", string(why))
		}
	}
	return nil
}

// principal returns the permissions of a webhook now: the permissions of its creator, as far
// as the user and the token still have them.
func (d *Deliverer) principal(ctx context.Context, w *Webhook) (*auth.Principal, error) {
	p, err := d.o.Principal(ctx, w.UserID, w.TokenID)
	if err != nil {
		return nil, err
	}
	limited := *p
	limited.Scopes &= w.Scopes
	if w.Wallets != nil {
		limited.Wallets = []string{}
		for _, id := range w.Wallets {
			if p.MaySeeWallet(id) {
				limited.Wallets = append(limited.Wallets, id)
			}
		}
	}
	return &limited, nil
}

// begin begins the attempts that are due, as far as there are free slots.
func (d *Deliverer) begin(ctx context.Context) error {
	free := cap(d.slots) - len(d.slots)
	if free == 0 {
		return nil // the end of an attempt wakes the deliverer
	}
	now := d.now()
	c := Claim{
		Now: now, Until: now.Add(leaseTime), Holder: uuid.NewString(),
		PerHost: maxPerHost, PerUser: maxPerUser, Limit: free,
	}
	claimed, err := d.o.Queue.ClaimDeliveries(ctx, c)
	for _, delivery := range claimed {
		d.slots <- struct{}{} // has room: only begin adds values
		d.tasks.Go(func() {
			d.attempt(ctx, delivery, c.Holder)
			<-d.slots
			d.Wake()
		})
	}
	return err
}

// attempt makes an attempt, and saves its result. If that fails, the delivery is repeated
// when the lease ends.
func (d *Deliverer) attempt(ctx context.Context, delivery Delivery, holder string) {
	r, change, err := d.send(ctx, delivery)
	if err != nil && ctx.Err() != nil { // this process stops
		change, err = d.again, nil
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	var disabled bool
	if err == nil {
		disabled, err = d.o.Queue.EndAttempt(saving, delivery, holder, r, change)
	}
	switch {
	case errors.Is(err, ErrDeliveryNotFound): // deleted meanwhile
	case err != nil:
		d.o.Log.WarnContext(ctx, "webhook delivery failed; will retry", "webhook_id", delivery.WebhookID, "error", err)
	case disabled:
		d.o.Log.InfoContext(ctx, "webhook disabled after a delivery", "webhook_id", delivery.WebhookID)
	}
	if r != nil && d.o.Observe != nil {
		d.o.Observe(r.OK(), r.Took)
	}
}

// send sends the message of a delivery. It returns the response, nil if nothing was sent, and
// the function that changes webhook and delivery accordingly.
func (d *Deliverer) send(ctx context.Context, delivery Delivery) (*egress.Result, func(*Webhook, *Delivery), error) {
	w, secrets, e, err := d.o.Queue.Message(ctx, delivery)
	if errors.Is(err, ErrEventDeleted) {
		return nil, d.skip(EventDeleted), nil
	}
	if err != nil {
		return nil, nil, err
	}
	if !w.Active() {
		return nil, d.again, nil
	}
	who, err := d.principal(ctx, &w)
	if errors.Is(err, auth.ErrUnauthenticated) {
		return nil, d.again, nil // endAccess disables the webhook
	}
	if err != nil {
		return nil, nil, err
	}
	sees, err := d.o.Events.MaySee(ctx, who, e)
	if err != nil {
		return nil, nil, err
	}
	if !sees {
		return nil, d.skip(NotVisible), nil
	}
	if delivery.LeaseUntil.Sub(d.now()) < egress.Timeout+endPatience {
		return nil, d.again, nil // the lease could end before the attempt
	}
	r, err := post(ctx, d.o.Client, w, secrets, delivery.ID, d.now(), e.Payload())
	if err != nil { // the secrets were changed outside of specterd
		r = egress.Result{Problem: "the webhook has no valid secret"}
	}
	if ctx.Err() != nil && !r.OK() { // this process stops
		r.Problem = "interrupted, because specterd was stopped"
		return &r, d.again, nil
	}
	return &r, func(w *Webhook, delivery *Delivery) { settle(w, delivery, r, d.now()) }, nil
}

// again leaves a delivery for another attempt, by this or another process.
func (d *Deliverer) again(_ *Webhook, delivery *Delivery) {
	delivery.NextAt = d.now().Add(PollInterval)
}

// skip returns a function that ends a delivery without a message.
func (d *Deliverer) skip(reason string) func(*Webhook, *Delivery) {
	return func(_ *Webhook, delivery *Delivery) {
		delivery.Status, delivery.Reason, delivery.StatusAt, delivery.NextAt = Skipped, reason, d.now(), time.Time{}
	}
}
