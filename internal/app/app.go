// Package app connects the packages of specterd: it opens the database and the node, runs
// the server, and implements the operations of the command line that concern the whole
// data directory (backup, restore, signing keys, archives).
package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/privatefile"
	"github.com/specterd/specterd/internal/store"
)

// App is the configuration, the open database and the services that most commands
// share.
type App struct {
	Config config.Config
	// Version is the version of the program, for logs, backups and the API.
	Version string
	Log     *slog.Logger
	Level   *slog.LevelVar // level of Log, which SIGUSR1 switches; without effect if Log does not use it
	Now     func() time.Time
	Watch   *clock.Watch // nil unless serving
	Store   *store.Store
	// Temporary is set if the database is removed after a dry run.
	Temporary bool
	Users     *auth.Users
	Passwords *auth.Passwords
	// Gate limits the requests in progress of the API and the console together.
	Gate *admission.Gate

	lock   *store.ServingLock // nil unless held
	signer *auth.Signer
}

// New returns an App. It opens nothing.
func New(cfg config.Config, version string, log *slog.Logger, now func() time.Time) *App {
	return &App{Config: cfg, Version: version, Log: log, Level: new(slog.LevelVar), Now: now, Gate: admission.New(admission.DefaultLimits())}
}

// Purpose is the reason to open a database.
type Purpose int

const (
	// Existing opens a database that exists, for a command. The signing key is not read
	// before a token is signed.
	Existing Purpose = iota
	// Creating opens a database for a command, and creates it if it does not exist, with
	// the signing key and the first admin.
	Creating
	// Serving is like Creating, for a server, which holds the lock of an SQLite database
	// until Close.
	Serving
)

// Open opens the database and, if necessary, migrates its schema. On SQLite it fails if
// the purpose is Serving or the schema must change, and another process still holds the
// lock of the database after a wait. After an error, the App is closed.
func (a *App) Open(ctx context.Context, purpose Purpose) error {
	var err error
	if a.Passwords, err = auth.NewPasswords(a.Config.BcryptCost, runtime.NumCPU()); err != nil {
		return err
	}
	a.Passwords.AddKnownWords(hostNames(a.Config)...)
	if err := a.open(ctx, purpose); err != nil {
		return errors.Join(a.Explain(ctx, err), a.Close())
	}
	return nil
}

// hostNames returns the host names of this server, which passwords must not consist of.
func hostNames(cfg config.Config) []string {
	names := cfg.AllowedHosts[:len(cfg.AllowedHosts):len(cfg.AllowedHosts)]
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	return names
}

// Explain returns err, with a remedy added if the SQLite file is damaged. Damage causes
// many different errors at startup, so it may verify the file to find out.
func (a *App) Explain(ctx context.Context, err error) error {
	const advice = "%s is damaged or is not a specterd database; keep a copy of the file and restore a backup, or correct SPECTER_DATABASE_URL: %w"
	if store.IsDamage(err) {
		return fmt.Errorf(advice, string(a.Config.DatabaseURL), err)
	}
	if a.Store != nil {
		if damage := a.Store.Verify(ctx); store.IsDamage(damage) {
			return fmt.Errorf(advice, string(a.Config.DatabaseURL), errors.Join(damage, err))
		}
	}
	return err
}

func (a *App) open(ctx context.Context, purpose Purpose) error {
	if err := a.prepare(purpose); err != nil {
		return err
	}
	if err := a.takeLock(ctx, purpose); err != nil {
		return err
	}
	if err := a.openStore(ctx, purpose); err != nil {
		return err
	}
	a.Users = auth.NewUsers(a.Store, a.Passwords, a.Now)
	if purpose == Existing {
		a.signer = auth.NewUnloadedSigner(a.Store, a.ReadKeys, a.Now)
		return a.releaseLock()
	}
	if err := a.loadKey(ctx); err != nil {
		return err
	}
	if err := a.createFirstAdmin(ctx, purpose); err != nil {
		return err
	}
	if purpose == Creating {
		return a.releaseLock()
	}
	return nil
}

// prepare checks what can be checked before a file is opened. Unless the purpose is
// Existing, it creates the data directory.
func (a *App) prepare(purpose Purpose) error {
	if err := a.checkNotLost(); err != nil {
		return err
	}
	if purpose == Existing {
		return a.CheckExists()
	}
	if a.HasConfiguredKeys() {
		if _, err := a.ReadKeys(); err != nil {
			return err
		}
	}
	if err := privatefile.MkdirAll(a.Config.DataFolder); err != nil {
		return fmt.Errorf("create the data directory %s: %w", a.Config.DataFolder, err)
	}
	return nil
}

// ErrNoDatabase is returned if a database must exist and does not.
var ErrNoDatabase = errors.New("no database")

// CheckExists returns ErrNoDatabase with a remedy if the SQLite file does not exist. The
// schema of a PostgreSQL database is checked when it is open.
func (a *App) CheckExists() error {
	if a.UsesPostgres() {
		return nil
	}
	info, err := os.Stat(string(a.Config.DatabaseURL))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a.noDatabase(a.DatabaseName() + " does not exist")
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is a directory or another special file; SPECTER_DATABASE_URL must be the path of an SQLite file, or postgres://…", a.DatabaseName())
	}
	return err
}

func (a *App) noDatabase(what string) error {
	return fmt.Errorf("%w: %s; specterd serve creates it at its first start. If the server uses another one, name it with --data-folder, --database-url or --config", ErrNoDatabase, what)
}

// DatabaseName returns the path of the SQLite file, or the URL of the PostgreSQL database
// without its password and its parameters.
func (a *App) DatabaseName() string {
	text := string(a.Config.DatabaseURL)
	if !a.UsesPostgres() {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "the PostgreSQL database of SPECTER_DATABASE_URL"
	}
	u.RawQuery = "" // may contain a password
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	return u.String()
}

// Close closes the database and releases the lock.
func (a *App) Close() error {
	var err error
	if a.Store != nil {
		err = a.Store.Close()
	}
	return errors.Join(err, a.releaseLock())
}

// UsesPostgres reports whether the database is on PostgreSQL.
func (a *App) UsesPostgres() bool { return store.IsPostgres(string(a.Config.DatabaseURL)) }

// takeLock acquires the lock of an SQLite database. If another process holds it, a
// command continues without the lock. In that case, openStore returns an error if the
// database must be migrated.
func (a *App) takeLock(ctx context.Context, purpose Purpose) error {
	if a.UsesPostgres() {
		return nil
	}
	role, patience := "process %d, started %s at the command line", time.Duration(0)
	if purpose == Serving {
		role, patience = "process %d, serving since %s", store.LockPatience
	}
	holder := fmt.Sprintf(role, os.Getpid(), a.Now().UTC().Format(time.RFC3339))
	lock, err := store.Lock(ctx, string(a.Config.DatabaseURL), holder, patience)
	if _, locked := errors.AsType[store.ErrLocked](err); locked && purpose != Serving {
		return nil
	}
	a.lock = lock
	return err
}

func (a *App) releaseLock() error {
	if a.lock == nil {
		return nil
	}
	lock := a.lock
	a.lock = nil
	return lock.Release()
}

// StoreOptions returns the options with which the database is opened.
func (a *App) StoreOptions() store.Options {
	return store.Options{
		URL: string(a.Config.DatabaseURL), BackupFolder: filepath.Join(a.Config.DataFolder, "backups"), Log: a.Log, Now: a.Now,
		Quotas: a.Config.Quotas,
	}
}

func (a *App) openStore(ctx context.Context, purpose Purpose) error {
	var err error
	a.Store, err = store.Open(ctx, a.StoreOptions())
	if err != nil {
		return err
	}
	if a.lock == nil && !a.UsesPostgres() {
		if err := a.waitForSchema(ctx); err != nil {
			return err
		}
	}
	if purpose == Existing {
		if err := a.checkComplete(ctx); err != nil {
			return err
		}
	}
	return a.Store.Migrate(ctx)
}

// checkComplete returns ErrNoDatabase if the database has no schema, or if its first start
// was interrupted.
func (a *App) checkComplete(ctx context.Context) error {
	state, err := a.Store.Schema(ctx)
	if err != nil {
		return err
	}
	what := " is empty"
	if !state.Fresh() {
		if state.Pending() {
			return nil // the table of settings may have another schema
		}
		if first, err := a.Store.FirstStart(ctx); err != nil || !first {
			return err
		}
		what = " is incomplete, because its first start was interrupted"
	}
	if err := a.refuseIfUsed(); err != nil {
		return err
	}
	return a.noDatabase(a.DatabaseName() + what)
}

// schemaPatience is how long a command waits for another process that appears to
// be creating or migrating the database.
const schemaPatience = 15 * time.Second

// OpenUnchanged opens an existing database that has the schema of this program, for
// reading. Unlike Open, it takes no lock and changes nothing. Users is not set.
func (a *App) OpenUnchanged(ctx context.Context) error {
	if err := a.CheckExists(); err != nil {
		return err
	}
	if info, err := os.Stat(string(a.Config.DatabaseURL)); err == nil && info.Size() == 0 {
		return ErrNoDatabase // opening it would write the header of SQLite
	}
	var err error
	if a.Store, err = store.Open(ctx, a.StoreOptions()); err != nil {
		return err
	}
	if !a.hasSchema(ctx) {
		return errors.Join(ErrNoDatabase, a.Close())
	}
	return nil
}

// waitForSchema is called by commands that could not acquire the lock. If the database
// must be created or migrated, it waits until it acquires the lock.
func (a *App) waitForSchema(ctx context.Context) error {
	if a.hasSchema(ctx) {
		return nil
	}
	var err error
	holder := fmt.Sprintf("process %d, migrating", os.Getpid())
	a.lock, err = store.Lock(ctx, string(a.Config.DatabaseURL), holder, schemaPatience)
	return err
}

// hasSchema reports whether the database has the schema of this program and its first
// admin. It returns false on errors, since another process may be creating the database.
func (a *App) hasSchema(ctx context.Context) bool {
	state, err := a.Store.Schema(ctx)
	if err != nil || state.Pending() {
		return false
	}
	first, err := a.Store.FirstStart(ctx)
	return err == nil && !first
}

// marker is the path of a file that marks the data directory as used. If the marker
// exists and the database is missing or empty, the database was lost; it is not a first
// start.
func (a *App) marker() string { return filepath.Join(a.Config.DataFolder, "in-use") }

// markInUse writes the marker. Its text contains what, which states how the use of the
// directory began, and the time.
func (a *App) markInUse(what string) error {
	text := "specterd " + what + " and began to use this directory at " + a.Now().UTC().Format(time.RFC3339) + "\n"
	if err := replaceFile(a.marker(), []byte(text)); err != nil {
		return fmt.Errorf("mark the data directory as in use: %w", err)
	}
	return nil
}

// checkNotLost returns an error if the SQLite file of a data directory that was in use
// is missing, before SQLite creates an empty one.
func (a *App) checkNotLost() error {
	if a.UsesPostgres() {
		return nil
	}
	if _, err := os.Stat(string(a.Config.DatabaseURL)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.refuseIfUsed()
}

func (a *App) refuseIfUsed() error {
	if _, err := os.Stat(a.marker()); err != nil {
		return nil //nolint:nilerr // no marker: a new directory
	}
	return fmt.Errorf("the data directory %s was in use, but its database is missing or empty; restore the database or correct SPECTER_DATABASE_URL. "+
		"To start again with an empty database and the first admin's default password, delete %s", a.Config.DataFolder, a.marker())
}

// createFirstAdmin creates the first admin, unless the database records an earlier
// first start. For a server that can be reached from other machines, it returns an error
// if the admin would have the default password, so that SPECTER_ADMIN_PASSWORD still
// applies at the next start.
func (a *App) createFirstAdmin(ctx context.Context, purpose Purpose) error {
	first, err := a.Store.FirstStart(ctx)
	if err != nil || !first {
		return err
	}
	password := string(a.Config.AdminPassword)
	if isDefault := password == "" || password == auth.DefaultPassword; isDefault && purpose == Serving && !config.IsLoopback(a.Config.Host) {
		return fmt.Errorf("the first admin would have the default password, so specterd does not listen on %s; set another password in SPECTER_ADMIN_PASSWORD, or HOST to 127.0.0.1", a.Config.Host)
	}
	_, err = a.Users.CreateFirst(ctx, password)
	if err != nil && !errors.Is(err, auth.ErrUserExists) {
		return fmt.Errorf("SPECTER_ADMIN_PASSWORD: create the first admin: %w", err)
	}
	if err := a.Store.RecordFirstStart(ctx); err != nil {
		return err
	}
	return a.markInUse("found its database empty")
}

// Tokens returns the token service with the configured limits.
func (a *App) Tokens() *auth.Tokens {
	tokens := auth.NewTokens(a.Store, a.signer, a.Now)
	tokens.SetLimits(a.tokenLimits())
	return tokens
}

// Sessions returns the service of sessions. Without a login, it can only list and end them.
func (a *App) Sessions(login *auth.Login) *auth.Sessions {
	return auth.NewSessions(a.Log, a.Store, login, a.Now)
}

func (a *App) tokenLimits() auth.TokenLimits {
	return auth.TokenLimits{MaxLifetime: a.Config.TokenMaxLifetime, Idle: a.Config.TokenIdleLimit}
}
