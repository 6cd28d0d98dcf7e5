package app

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/schedule"
	"github.com/specterd/specterd/internal/webhook"
)

// receivers returns the client that sends messages to the receivers of webhooks.
func (a *App) receivers() *egress.Client {
	c := a.Config.Webhooks
	return egress.New(egress.Options{Private: c.Private, Hosts: c.Hosts, SOCKS: c.SOCKS, Now: a.Now})
}

// Webhooks returns the service of webhooks. Wake is called when there may be new deliveries;
// a command of the command line leaves them to the server, which finds them within a second.
func (a *App) Webhooks(wake func()) *webhook.Service {
	return webhook.New(webhook.Options{Store: a.Store, Client: a.receivers(), Now: a.Now, Wake: wake})
}

// deliveryJob is the name of the job that delivers the messages of webhooks.
const deliveryJob = "webhook delivery"

// sending returns the service that reads the event log, and the sender of the messages of
// webhooks, which new events wake. Wake wakes the job that runs it.
func (a *App) sending(login *auth.Login, observe func(ok bool, took time.Duration), wake func()) (*event.Service, *webhook.Deliverer) {
	var d *webhook.Deliverer
	events := a.events(login, func() { d.Wake() })
	d = webhook.NewDeliverer(webhook.DelivererOptions{
		Queue: a.Store, Events: events, Principal: login.Standing, Client: a.receivers(),
		Log: a.Log, Now: a.Now, Observe: observe, Wake: wake,
	})
	return events, d
}

// runDeliveries delivers the messages of webhooks until ctx ends.
func (a *App) runDeliveries(ctx context.Context, due *schedule.Scheduler, d *webhook.Deliverer) {
	due.Run(
		ctx,
		schedule.Job{Name: deliveryJob, Next: d.Next, Run: d.Run, Poll: webhook.PollInterval},
		schedule.Job{Name: "deleting old webhook deliveries", Next: schedule.Every(hourly, a.Now().Add(hourly)), Run: a.PruneDeliveries, Retry: hourly, Exclusive: true},
	)
	d.Wait()
}

// PruneDeliveries deletes old deliveries of webhooks, unless the clock is unreliable.
func (a *App) PruneDeliveries(ctx context.Context) error {
	if !a.Watch.Settled() {
		return nil
	}
	n, err := a.Store.PruneDeliveries(ctx, a.Now().Add(-webhook.KeepFor))
	if n > 0 {
		a.Log.InfoContext(ctx, "old webhook deliveries deleted", "count", n)
	}
	return err
}
