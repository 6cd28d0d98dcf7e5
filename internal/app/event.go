package app

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/wallet"
)

// events returns the service that reads the event log.
func (a *App) events(login *auth.Login) *event.Service {
	return event.New(event.Options{
		Store: a.Store, Recheck: login.Recheck, Open: admission.DefaultStreams().Open, NotFound: wallet.ErrNotFound,
	})
}

const pruneEventsEvery = time.Hour

// pruneEventsRegularly deletes old events until ctx ends.
func (a *App) pruneEventsRegularly(ctx context.Context) {
	tick := time.NewTicker(pruneEventsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.PruneEvents(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// PruneEvents deletes the events that are older, or more, than the settings allow, unless
// the clock is unreliable.
func (a *App) PruneEvents(ctx context.Context) {
	if !a.Watch.Settled() {
		return
	}
	n, err := a.Store.PruneEvents(ctx, a.Now().Add(-a.Config.EventRetention), int64(a.Config.EventRows))
	if n > 0 {
		a.Log.InfoContext(ctx, "old events deleted", "count", n)
	}
	if err != nil && ctx.Err() == nil {
		a.Log.WarnContext(ctx, "deleting old events failed; will retry", "error", err)
	}
}
