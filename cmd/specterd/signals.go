package main

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
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	if certificate != nil {
		signal.Notify(told, syscall.SIGHUP)
	}
	return told
}

// obeySignals handles signals until ctx ends.
func (a *app) obeySignals(ctx context.Context, told chan os.Signal, certificate *httpapi.Certificate) {
	defer signal.Stop(told)
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-told:
			if s == syscall.SIGUSR1 {
				a.switchLevel(ctx)
			} else {
				a.reload(ctx, certificate)
			}
		}
	}
}

func (a *app) switchLevel(ctx context.Context) {
	level := slog.LevelDebug
	if a.level.Level() == level {
		level = a.cfg.LogLevel
	}
	a.log.WarnContext(ctx, "log level switched by SIGUSR1", "level", level)
	a.level.Set(level)
}

func (a *app) reload(ctx context.Context, certificate *httpapi.Certificate) {
	if err := certificate.Reload(); err != nil {
		a.log.ErrorContext(ctx, "reloading the certificate failed; the current one stays in use", "error", err)
		return
	}
	a.log.InfoContext(ctx, "certificate reloaded")
}
