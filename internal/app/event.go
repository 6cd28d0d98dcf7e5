package app

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/wallet"
)

// events returns the service that reads the event log, which calls committed after this
// process has added events.
func (a *App) events(login *auth.Login, committed func()) *event.Service {
	return event.New(event.Options{
		Store: a.Store, Recheck: login.Recheck, Open: admission.DefaultStreams().Open, NotFound: wallet.ErrNotFound, Committed: committed,
	})
}

// PruneEvents deletes the events that are older, or more, than the settings allow, unless
// the clock is unreliable.
func (a *App) PruneEvents(ctx context.Context) error {
	if !a.Watch.Settled() {
		return nil
	}
	n, err := a.Store.PruneEvents(ctx, a.Now().Add(-a.Config.EventRetention), int64(a.Config.EventRows))
	if n > 0 {
		a.Log.InfoContext(ctx, "old events deleted", "count", n)
	}
	return err
}

// nextExpiringToken returns when the next event about a token that will expire is due; zero
// if none is, or while the clock is unreliable.
func (a *App) nextExpiringToken(ctx context.Context, _ time.Time) (time.Time, error) {
	if !a.Watch.Settled() {
		return time.Time{}, nil
	}
	return a.Store.NextExpiringToken(ctx)
}
