package cli

import (
	"context"
	"errors"
	"log/slog"
	"os/user"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
)

// addDataFlags adds the flags for the data directory, the database and the log level.
func addDataFlags(flags *pflag.FlagSet) {
	config.AddFlags(flags, "data-folder", "database-url", "log-level")
}

// newApp loads the configuration and returns an app whose database is not open yet. A
// server logs at the configured level as JSON; other commands report on stdout and log
// only warnings and errors.
func (p *program) newApp(flags *pflag.FlagSet, serving bool) (*app.App, error) {
	cfg, err := config.Load(flags, p.getenv)
	if err != nil {
		return nil, err
	}
	if !serving {
		log := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: max(cfg.LogLevel, slog.LevelWarn)}))
		return app.New(cfg, version, log, time.Now), nil
	}
	level := new(slog.LevelVar)
	level.Set(cfg.LogLevel)
	a := app.New(cfg, version, slog.New(slog.NewJSONHandler(p.stderr, &slog.HandlerOptions{Level: level})), time.Now)
	a.Level = level
	return a, nil
}

// openApp reads the settings and opens the database.
func (p *program) openApp(ctx context.Context, flags *pflag.FlagSet, serving bool) (*app.App, error) {
	a, err := p.newApp(flags, serving)
	if err != nil {
		return nil, err
	}
	return a, a.Open(ctx, serving)
}

// withApp returns a function that opens the database, calls do and closes the database.
func (p *program) withApp(do func(cmd *cobra.Command, a *app.App, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a, err := p.openApp(cmd.Context(), cmd.Flags(), false)
		if err != nil {
			return err
		}
		return errors.Join(do(cmd, a, args), a.Close())
	}
}

// operator returns the principal for the current user of the operating system, for the
// audit log.
func operator() *auth.Principal {
	name := "?"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return auth.Operator(name)
}
