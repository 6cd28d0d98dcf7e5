package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/config"
)

func (p *program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the API until stopped (Ctrl-C or SIGTERM)", Args: cobra.NoArgs,
		Long: `Serve the API until stopped (Ctrl-C or SIGTERM).

SIGHUP reloads the certificate. SIGUSR1 switches the log level between debug and the
configured level.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.getenv("GOGC") == "" {
				app.TuneGC()
			}
			a, err := p.openApp(cmd.Context(), cmd.Flags(), true)
			if err != nil {
				return err
			}
			err = a.Serve(cmd.Context(), func(url string) {
				fmt.Fprintf(p.stdout, "specterd listens on %s\n", url)
			})
			return errors.Join(err, a.Close())
		},
	}
	config.AddFlags(cmd.Flags())
	return cmd
}

// addDataFlags adds the flags for the data directory, the database and the log level.
func addDataFlags(flags *pflag.FlagSet) {
	config.AddFlags(flags, "data-folder", "database-url", "log-level")
}

// openApp reads the settings and opens the database.
func (p *program) openApp(ctx context.Context, flags *pflag.FlagSet, serving bool) (*app.App, error) {
	cfg, err := config.Load(flags, p.getenv)
	if err != nil {
		return nil, err
	}
	level := new(slog.LevelVar)
	level.Set(cfg.LogLevel)
	log := slog.New(slog.NewJSONHandler(p.stderr, &slog.HandlerOptions{Level: level}))
	if !serving { // commands report on stdout; only warnings and errors are logged
		log = slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: max(cfg.LogLevel, slog.LevelWarn)}))
	}
	a := app.New(cfg, version, log, time.Now)
	a.Level = level
	return a, a.Open(ctx, serving)
}
