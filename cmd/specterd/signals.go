package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/specterd/specterd/internal/httpapi"
)

// awaitSignals returns what a server is told while it runs: SIGUSR1 has it log
// everything, or again what it did before, and SIGHUP has it read its certificate
// again. Where there is none, SIGHUP ends it, as it does other programs whose terminal
// is closed.
func awaitSignals(certificate *httpapi.Certificate) chan os.Signal {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	if certificate != nil {
		signal.Notify(told, syscall.SIGHUP)
	}
	return told
}

// obeySignals does what the server is told until ctx ends.
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
	a.log.WarnContext(ctx, "the log level was switched by SIGUSR1", "level", level)
	a.level.Set(level)
}

func (a *app) reload(ctx context.Context, certificate *httpapi.Certificate) {
	if err := certificate.Reload(); err != nil {
		a.log.ErrorContext(ctx, "the certificate stays as it was", "error", err)
		return
	}
	a.log.InfoContext(ctx, "the certificate was read again")
}
