package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
)

// addDataFlags adds the flags for the settings file, the data directory and the database.
func addDataFlags(flags *pflag.FlagSet) {
	config.AddFlags(flags, "config", "data-folder", "database-url")
}

// newApp loads the configuration and returns an app whose database is not open yet. Only a
// server logs; other commands report on stdout, and return their errors. It returns an error if
// the settings name a server that a command should use instead of the database.
func (p *program) newApp(flags *pflag.FlagSet, serving bool) (*app.App, error) {
	cfg, err := config.Load(flags, p.getenv)
	if err != nil {
		return nil, err
	}
	if cfg.Server.URL != "" {
		return nil, errMachineOnly
	}
	if cfg.Server.TokenFile != "" && !serving {
		return nil, errTokenWithoutServer
	}
	return p.appOf(cfg, serving), nil
}

// appOf returns an app with a configuration.
func (p *program) appOf(cfg config.Config, serving bool) *app.App {
	warnings := slices.Concat(cfg.Warnings, config.UnknownVariables(p.environment))
	if !serving {
		for _, w := range warnings {
			fmt.Fprintln(p.stderr, "specterd: warning:", w)
		}
		return app.New(cfg, version, slog.New(slog.DiscardHandler), time.Now)
	}
	level := new(slog.LevelVar)
	level.Set(cfg.LogLevel)
	a := app.New(cfg, version, slog.New(p.logHandler(cfg.LogFormat, &slog.HandlerOptions{Level: level})), time.Now)
	a.Level = level
	for _, w := range warnings {
		a.Log.Warn("check the settings", "problem", w)
	}
	return a
}

// logHandler returns the handler of a server's log for a format: text, json, or auto, which
// is text on a terminal and otherwise json.
func (p *program) logHandler(format string, o *slog.HandlerOptions) slog.Handler {
	if format == "text" || format == "auto" && isTerminal(p.rawError) {
		return slog.NewTextHandler(p.stderr, o)
	}
	return slog.NewJSONHandler(p.stderr, o)
}

// initFlag is the name of the flag with which a command may create the database.
const initFlag = "init"

// addInitFlag adds initFlag.
func addInitFlag(flags *pflag.FlagSet) {
	flags.Bool(initFlag, false, "create the database if it does not exist, with the first admin")
}

// withApp returns a function that opens the database, calls do and closes the database.
// Without initFlag, the database must exist.
func (p *program) withApp(do func(cmd *cobra.Command, a *app.App, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a, err := p.newApp(cmd.Flags(), false)
		if err != nil {
			return err
		}
		purpose := app.Existing
		if isSet(cmd, initFlag) {
			purpose = app.Creating
		}
		return p.runOn(cmd, a, purpose, args, do)
	}
}

// isSet reports whether the command has this boolean flag, and it is set.
func isSet(cmd *cobra.Command, flag string) bool {
	f := cmd.Flags().Lookup(flag)
	return f != nil && f.Value.String() == "true"
}

// runOn opens the database of a, calls do, closes the database, and says which database
// was changed, if any: a command with other settings than the server, or run by another
// user, may change another database than intended.
func (p *program) runOn(cmd *cobra.Command, a *app.App, purpose app.Purpose, args []string, do func(cmd *cobra.Command, a *app.App, args []string) error) error {
	if err := a.Open(cmd.Context(), purpose); err != nil {
		if f := cmd.Flags().Lookup(initFlag); f != nil && errors.Is(err, app.ErrNoDatabase) {
			return fmt.Errorf("%w. To create it now, repeat the command with --%s", err, initFlag)
		}
		return err
	}
	err := do(cmd, a, args)
	if a.Store.Changed() && !a.Temporary && !wantsJSON(cmd) { // --json is for programs
		fmt.Fprintf(p.stderr, "Changed the database %s.\n", a.DatabaseName())
	}
	return errors.Join(err, a.Close())
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
