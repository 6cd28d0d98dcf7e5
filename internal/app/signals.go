package app

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/specterd/specterd/internal/httpapi"
)

// awaitSignals returns a channel of signals to a running server: SIGUSR1 switches the
// log level, and SIGHUP reloads the certificate. Without a certificate, SIGHUP keeps its
// default action and ends the process, for example when its terminal is closed.
func awaitSignals(certificate *httpapi.Certificate) chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	if certificate != nil {
		signal.Notify(signals, syscall.SIGHUP)
	}
	return signals
}

// handleSignals handles signals until ctx ends.
func (a *App) handleSignals(ctx context.Context, signals chan os.Signal, certificate *httpapi.Certificate) {
	defer signal.Stop(signals)
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				a.switchLevel(ctx)
			} else {
				a.reload(ctx, certificate)
			}
		}
	}
}

func (a *App) switchLevel(ctx context.Context) {
	level := slog.LevelDebug
	if a.Level.Level() == level {
		level = a.Config.LogLevel
	}
	a.Log.WarnContext(ctx, "log level switched by SIGUSR1", "level", level)
	a.Level.Set(level)
}

func (a *App) reload(ctx context.Context, certificate *httpapi.Certificate) {
	if err := certificate.Reload(); err != nil {
		a.Log.ErrorContext(ctx, "reloading the certificate failed; the current one stays in use", "error", err)
		return
	}
	a.Log.InfoContext(ctx, "certificate reloaded")
}
