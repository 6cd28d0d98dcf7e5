package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/pflag"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/store"
)

// app is the configuration, the open database and the services that most commands
// share.
type app struct {
	cfg       config.Config
	log       *slog.Logger
	level     *slog.LevelVar // of the log
	now       func() time.Time
	watch     *clock.Watch       // nil unless serving
	lock      *store.ServingLock // nil unless held
	store     *store.Store
	signer    *auth.Signer
	passwords *auth.Passwords
	users     *auth.Users
}

// addDataFlags adds the flags for the data directory, the database and the log level.
func addDataFlags(flags *pflag.FlagSet) {
	config.AddFlags(flags, "data-folder", "database-url", "log-level")
}

// openApp reads the settings and opens the database.
func (p *program) openApp(ctx context.Context, flags *pflag.FlagSet, serving bool) (*app, error) {
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
	a, err := newApp(ctx, cfg, log, serving)
	if err != nil {
		return nil, err
	}
	a.level = level
	return a, nil
}

// newApp opens the database and migrates it if that is due and no other process
// serves it. At the first start it also creates the signing key and the first admin.
// If serving is set, it keeps the lock.
func newApp(ctx context.Context, cfg config.Config, log *slog.Logger, serving bool) (*app, error) {
	a := &app{cfg: cfg, log: log, level: new(slog.LevelVar), now: time.Now}
	var err error
	if a.passwords, err = auth.NewPasswords(cfg.BcryptCost, runtime.NumCPU()); err != nil {
		return nil, err
	}
	a.passwords.AddKnownWords(hostNames(cfg)...)
	if err := a.open(ctx, serving); err != nil {
		return nil, errors.Join(a.explain(ctx, err), a.close())
	}
	return a, nil
}

// hostNames returns the host names of this server, which passwords must not consist of.
func hostNames(cfg config.Config) []string {
	names := cfg.AllowedHosts[:len(cfg.AllowedHosts):len(cfg.AllowedHosts)]
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	return names
}

// explain adds to an error at startup whether the SQLite file is damaged: damage
// surfaces as many different errors.
func (a *app) explain(ctx context.Context, err error) error {
	const advice = "%s is damaged or is not a specterd database; keep a copy of the file and restore a backup, or correct SPECTER_DATABASE_URL: %w"
	if store.IsDamage(err) {
		return fmt.Errorf(advice, string(a.cfg.DatabaseURL), err)
	}
	if a.store != nil {
		if damage := a.store.Verify(ctx); store.IsDamage(damage) {
			return fmt.Errorf(advice, string(a.cfg.DatabaseURL), errors.Join(damage, err))
		}
	}
	return err
}

func (a *app) open(ctx context.Context, serving bool) error {
	if err := privatefile.MkdirAll(a.cfg.DataFolder); err != nil {
		return fmt.Errorf("create the data directory: %w", err)
	}
	if err := a.checkNotLost(); err != nil {
		return err
	}
	if err := a.takeLock(ctx, serving); err != nil {
		return err
	}
	if err := a.openStore(ctx); err != nil {
		return err
	}
	a.users = auth.NewUsers(a.store, a.passwords, a.now)
	if err := a.loadKey(ctx); err != nil {
		return err
	}
	if err := a.startFirst(ctx); err != nil {
		return err
	}
	if !serving {
		return a.releaseLock()
	}
	return nil
}

func (a *app) close() error {
	var err error
	if a.store != nil {
		err = a.store.Close()
	}
	return errors.Join(err, a.releaseLock())
}

func (a *app) usesPostgres() bool { return store.IsPostgres(string(a.cfg.DatabaseURL)) }

// takeLock acquires the lock of an SQLite database. A command that does not serve
// continues without the lock if another process holds it: then either nothing is to be
// migrated or openStore returns an error.
func (a *app) takeLock(ctx context.Context, serving bool) error {
	if a.usesPostgres() {
		return nil
	}
	role, patience := "process %d, started %s at the command line", time.Duration(0)
	if serving {
		role, patience = "process %d, serving since %s", store.LockPatience
	}
	holder := fmt.Sprintf(role, os.Getpid(), a.now().UTC().Format(time.RFC3339))
	lock, err := store.Lock(ctx, string(a.cfg.DatabaseURL), holder, patience)
	if _, locked := errors.AsType[store.ErrLocked](err); locked && !serving {
		return nil
	}
	a.lock = lock
	return err
}

func (a *app) releaseLock() error {
	if a.lock == nil {
		return nil
	}
	lock := a.lock
	a.lock = nil
	return lock.Release()
}

func (a *app) storeOptions() store.Options {
	return store.Options{
		URL: string(a.cfg.DatabaseURL), BackupFolder: filepath.Join(a.cfg.DataFolder, "backups"), Log: a.log, Now: a.now,
		Quotas: a.cfg.Quotas,
	}
}

func (a *app) openStore(ctx context.Context) error {
	var err error
	a.store, err = store.Open(ctx, a.storeOptions())
	if err != nil {
		return err
	}
	if a.lock == nil && !a.usesPostgres() {
		if err := a.waitForBeginning(ctx); err != nil {
			return err
		}
	}
	return a.store.Migrate(ctx)
}

// beginningPatience is how long a command waits for another process that appears to
// be creating or migrating the database.
const beginningPatience = 15 * time.Second

// waitForBeginning is called by a command that found the database locked. If the
// database must be created or migrated, it waits for the lock and acquires it.
func (a *app) waitForBeginning(ctx context.Context) error {
	if a.hasBegun(ctx) {
		return nil
	}
	var err error
	holder := fmt.Sprintf("process %d, migrating", os.Getpid())
	a.lock, err = store.Lock(ctx, string(a.cfg.DatabaseURL), holder, beginningPatience)
	return err
}

// hasBegun reports whether the database has the schema of this program and its first
// admin. Errors count as no: another process may be creating them at this moment.
func (a *app) hasBegun(ctx context.Context) bool {
	state, err := a.store.Schema(ctx)
	if err != nil || state.Pending() {
		return false
	}
	first, err := a.store.FirstStart(ctx)
	return err == nil && !first
}

// marker is the file whose existence means that the data directory was in use. If the
// database is then missing or empty, it was lost, and this is not a first start.
func (a *app) marker() string { return filepath.Join(a.cfg.DataFolder, "in-use") }

// markInUse writes the marker. It contains what happened first, and when.
func (a *app) markInUse(what string) error {
	text := "specterd " + what + " and began to use this directory at " + a.now().UTC().Format(time.RFC3339) + "\n"
	if err := replaceFile(a.marker(), []byte(text)); err != nil {
		return fmt.Errorf("mark the data directory as in use: %w", err)
	}
	return nil
}

// checkNotLost returns an error if the SQLite file of a data directory that was in use
// is missing, before SQLite creates an empty one.
func (a *app) checkNotLost() error {
	if a.usesPostgres() {
		return nil
	}
	if _, err := os.Stat(string(a.cfg.DatabaseURL)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.refuseIfUsed()
}

func (a *app) refuseIfUsed() error {
	if _, err := os.Stat(a.marker()); err != nil {
		return nil //nolint:nilerr // no marker: a new directory
	}
	return fmt.Errorf("the data directory %s was in use, but its database is missing or empty; restore the database or correct SPECTER_DATABASE_URL. "+
		"To start again with an empty database and the first admin's default password, delete %s", a.cfg.DataFolder, a.marker())
}

// startFirst creates the first admin of a new database, once.
func (a *app) startFirst(ctx context.Context) error {
	first, err := a.store.FirstStart(ctx)
	if err != nil || !first {
		return err
	}
	_, err = a.users.CreateFirst(ctx, string(a.cfg.AdminPassword))
	if err != nil && !errors.Is(err, auth.ErrUserExists) {
		return fmt.Errorf("SPECTER_ADMIN_PASSWORD: create the first admin: %w", err)
	}
	if err := a.store.StartedFirst(ctx); err != nil {
		return err
	}
	return a.markInUse("found its database empty")
}
