package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/config"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/node/zmq"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// errDoctor is returned if a check failed.
var errDoctor = errors.New("problems found; see the lines that begin with error")

func (p *program) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check the installation and suggest fixes", Args: cobra.NoArgs,
		Long: `Check the installation and suggest fixes. The server may be running.

This command changes nothing. Each line begins with ok, warning or error; the exit
status is 1 if there is an error. The settings must be the same as for the server.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks := []any{}
			d := &doctor{say: func(verdict, what, format string, args ...any) {
				message := fmt.Sprintf(format, args...)
				checks = append(checks, doctorCheck{verdict, what, message})
				if !wantsJSON(cmd) {
					fmt.Fprintf(p.stdout, "%-8s %-14s %s\n", verdict, what, text.Escape(message))
				}
			}}
			err := d.run(cmd, p)
			if wantsJSON(cmd) {
				err = errors.Join(p.printJSON(v1.ShowList(checks)), err)
			}
			if err == nil && d.failed {
				err = errDoctor
			}
			return err
		},
	}
	config.AddFlags(cmd.Flags())
	return addJSON(cmd)
}

// doctorCheck is a line of doctor --json.
type doctorCheck struct {
	Verdict string `json:"verdict"` // ok, warning or error
	Check   string `json:"check"`
	Message string `json:"message"`
}

// run loads the settings and runs the checks.
func (d *doctor) run(cmd *cobra.Command, p *program) error {
	cfg, err := config.Load(cmd.Flags(), p.getenv)
	if err != nil {
		d.error("settings", "%v", err)
		return nil
	}
	d.App = app.New(cfg, version, slog.New(slog.DiscardHandler), time.Now)
	d.settings(cfg, config.UnknownVariables(p.environment))
	err = d.examine(cmd.Context())
	if d.Store != nil {
		err = errors.Join(err, d.Store.Close())
	}
	return err
}

// doctor checks an installation and prints the results.
type doctor struct {
	*app.App

	say    func(verdict, what, format string, args ...any)
	failed bool
}

func (d *doctor) ok(what, format string, args ...any)      { d.say("ok", what, format, args...) }
func (d *doctor) warning(what, format string, args ...any) { d.say("warning", what, format, args...) }

func (d *doctor) error(what, format string, args ...any) {
	d.failed = true
	d.say("error", what, format, args...)
}

// examine runs the checks in order and prints the results. It stops after a failed check
// that the remaining checks depend on. It returns an error only if ctx ends.
func (d *doctor) examine(ctx context.Context) error {
	d.files()
	d.disk()
	d.network()
	if !d.database(ctx) {
		return nil
	}
	d.key(ctx)
	d.passwordsOf(ctx)
	d.audit(ctx)
	d.backups(ctx)
	d.webhooks(ctx)
	n, err := d.OpenNode()
	if err != nil {
		d.error("node", "%v", err)
		return nil
	}
	defer n.Close()
	if d.node(ctx, n) {
		d.wallets(ctx, n)
	}
	return ctx.Err()
}

// settings prints where the settings come from, and warnings about them.
func (d *doctor) settings(cfg config.Config, unknown []string) {
	if cfg.File == "" {
		d.ok("settings", "from the environment and flags; there is no settings file %s", filepath.Join(cfg.DataFolder, config.FileName))
	} else {
		d.ok("settings", "from %s; the environment and flags take precedence", cfg.File)
	}
	for _, w := range slices.Concat(cfg.Warnings, unknown) {
		d.warning("settings", "%s", w)
	}
	if _, err := os.Stat(cfg.DataFolder); !errors.Is(err, fs.ErrNotExist) { // else the check of the database reports it
		d.ok("data", "in %s; the database is %s", cfg.DataFolder, d.DatabaseName())
	}
}

// files checks that other users of this machine cannot access the data directory, the key
// file and the SQLite database.
func (d *doctor) files() {
	paths := []string{d.Config.DataFolder, d.KeyFile()}
	if !d.UsesPostgres() {
		paths = append(paths, string(d.Config.DatabaseURL))
	}
	open, exist := 0, 0
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // reported by the checks that need the file
		case err != nil:
			d.error("files", "%v", err)
			open++
		case info.Mode().Perm()&0o077 != 0:
			d.warning("files", "other users of this machine can access %s (%v); run: chmod go= %[1]s", path, info.Mode().Perm())
			open++
		default:
			exist++
		}
	}
	if open == 0 && exist > 0 {
		d.ok("files", "accessible only to their owner")
	}
}

// network checks the settings for unencrypted connections that could be intercepted.
func (d *doctor) network() {
	switch {
	case d.ServesUnencrypted():
		d.warning("network", "%s", app.UnencryptedWarning)
	case len(d.Config.TrustedProxies) == 0:
		d.ok("network", "no reverse proxy is configured; if there is one, set SPECTER_TRUSTED_PROXIES, or all its users count as one address, including for failed logins")
	default:
		d.ok("network", "X-Forwarded-For is trusted from %s", list(d.Config.TrustedProxies))
	}
}

func list[T fmt.Stringer](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.String()
	}
	return strings.Join(texts, ", ")
}

// disk checks that the database has space to grow.
func (d *doctor) disk() {
	if d.UsesPostgres() {
		return
	}
	full, free, err := store.IsNearlyFull(string(d.Config.DatabaseURL))
	switch {
	case errors.Is(err, fs.ErrNotExist): // reported by the check of the database
	case err != nil:
		d.error("disk", "%v", err)
	case full:
		d.error("disk", "%d kB are free, so specterd accepts only changes that revoke access; free disk space, and specterd resumes automatically", free>>10)
	default:
		d.ok("disk", "%d MB are free", free>>20)
	}
}

// database opens the database, and reports whether further checks can use it.
func (d *doctor) database(ctx context.Context) bool {
	if !d.UsesPostgres() {
		if err := d.CheckExists(); err != nil {
			d.error("database", "%v; if you had one, restore it", err)
			return false
		}
	}
	var err error
	d.Store, err = store.Open(ctx, d.StoreOptions())
	if err != nil {
		d.error("database", "%v", d.Explain(ctx, err))
		return false
	}
	schema, err := d.Store.Schema(ctx)
	switch {
	case err != nil:
		d.error("database", "%v", d.Explain(ctx, err))
		return false
	case schema.Fresh():
		d.error("database", "no database: %s is empty; specterd serve creates the schema at its first start; if the database had data, restore it", d.DatabaseName())
		return false
	case schema.Pending():
		d.warning("database", "the schema has version %d and this program version %d; the next start of specterd serve makes a backup and migrates the schema", schema.Version, schema.Program)
		return false
	}
	if err := d.Store.Migrate(ctx); err != nil { // nothing is pending, but the schema may be newer than this program
		d.error("database", "%v", err)
		return false
	}
	start := time.Now()
	if err := d.Store.Verify(ctx); err != nil {
		d.error("database", "%v; stop specterd, keep a copy of the file, and restore a backup", err)
		return false
	}
	d.ok("database", "intact, schema version %d (checked in %v)", schema.Version, time.Since(start).Round(time.Millisecond))
	return true
}

func (d *doctor) key(ctx context.Context) {
	known, err := d.Store.SigningKeys(ctx)
	if err == nil && len(known) == 0 {
		d.warning("signing key", "the database has no signing key yet; specterd serve creates one")
		return
	}
	if err == nil {
		err = d.OpenSigner(ctx)
	}
	if err == nil {
		err = d.CheckOldKeys(ctx)
	}
	if err != nil {
		d.error("signing key", "%v", err)
		return
	}
	d.ok("signing key", "matches the database")
}

// A login should be slow enough that passwords of a stolen database are hard to guess,
// and fast enough for users and scripts.
const (
	quickHash = 50 * time.Millisecond
	slowHash  = time.Second
)

func (d *doctor) passwordsOf(ctx context.Context) {
	passwords, err := auth.NewPasswords(d.Config.BcryptCost, runtime.NumCPU())
	if err != nil {
		d.error("passwords", "%v", err)
		return
	}
	start := time.Now()
	if err := passwords.Try(ctx); err != nil {
		d.error("passwords", "%v", err)
		return
	}
	took := time.Since(start)
	rounded := took.Round(time.Millisecond)
	switch {
	case took < quickHash:
		d.warning("passwords", "a login takes %v at SPECTER_BCRYPT_COST=%d; a higher cost makes stolen passwords harder to guess", rounded, d.Config.BcryptCost)
	case took > slowHash:
		d.warning("passwords", "a login takes %v at SPECTER_BCRYPT_COST=%d; a lower cost makes logins faster", rounded, d.Config.BcryptCost)
	default:
		d.ok("passwords", "a login takes %v", rounded)
	}
	switch n, err := d.Store.CountDefaultPasswords(ctx); {
	case err != nil:
		d.error("passwords", "%v", err)
	case n > 0 && !config.IsLoopback(d.Config.Host):
		d.error("passwords", "%s with the default password, so specterd refuses to listen on %s; list with specterd user list and change with specterd user set NAME --password", text.Count(n, "user"), d.Config.Host)
	case n > 0:
		d.warning("passwords", "%s with the default password; list with specterd user list and change with specterd user set NAME --password", text.Count(n, "user"))
	}
}

func (d *doctor) audit(ctx context.Context) {
	r, err := auth.NewAudit(d.Store).Verify(ctx, "")
	switch {
	case err != nil:
		d.error("audit", "%v", err)
	case len(r.Problems) > 0:
		d.error("audit", "the audit log was altered: %s; run specterd audit verify for details", r.Problems[0])
	default:
		d.ok("audit", "%s, none missing or altered", text.Count(r.Entries, "event"))
	}
}

// oldBackup is the maximum age of the newest backup if no backups are scheduled.
const oldBackup = 7 * 24 * time.Hour

// backups checks the age of the newest backup: the last one that was recorded, in any
// directory, or the newest file in the backup directory that has a default name.
func (d *doctor) backups(ctx context.Context) {
	folder, most := backup.Folder(d.Config.Backup.Folder), oldBackup
	what := "run specterd backup, or schedule backups with SPECTER_BACKUP_EVERY=24h"
	if d.Config.Backup.Every > 0 {
		most, what = 2*d.Config.Backup.Every, "check that specterd serve is running with SPECTER_BACKUP_EVERY, and check its log for errors"
		if d.UsesPostgres() {
			what += "; of several servers, one makes all backups, in its own directory"
		}
	}
	newest, err := folder.Newest(d.Now())
	recorded, recordErr := d.Store.LastBackup(ctx)
	err = errors.Join(err, recordErr)
	if recorded.After(newest) {
		newest = recorded
	}
	age := d.Now().Sub(newest).Round(time.Second)
	switch {
	case err != nil:
		d.error("backups", "%v", err)
	case newest.IsZero():
		d.warning("backups", "there is no backup; %s", what)
	case age > most:
		d.warning("backups", "the newest is from %s, %v ago; %s", newest.Format(timeLayout), age, what)
	default:
		d.ok("backups", "the newest is from %s, %v ago", newest.Format(timeLayout), age)
	}
}

// wrongClock is the difference between this machine's clock and the node's above which
// one of them is assumed to be wrong.
const wrongClock = 10 * time.Second

// node checks the node, and reports whether the wallets can be checked with it.
func (d *doctor) node(ctx context.Context, n *app.Node) bool {
	status := n.Monitor.Check(ctx)
	if problem := status.Ready(); problem != nil {
		d.error("node", "%v", problem)
		return false
	}
	d.ok("node", "%s on %s, at block %d", status.Subversion, status.Chain, status.Blocks)
	for _, warning := range status.Warnings {
		d.warning("node", "the node reports: %s", warning)
	}
	for _, notice := range status.Notices() {
		d.warning("node", "%s", notice.Message)
	}
	d.announcements(ctx, n)
	before := d.Now()
	theirs, err := n.Backend.Time(ctx)
	switch {
	case errors.Is(err, rpcclient.ErrMethodForbidden): // reported as a notice
		return true
	case err != nil:
		d.error("clock", "%v", err)
		return true
	}
	apart := theirs.Sub(before).Round(time.Millisecond)
	if apart.Abs() > wrongClock+d.Now().Sub(before) {
		d.warning("clock", "the node's clock differs by %v; tokens and proposals expire by this machine's clock: set both clocks correctly (timedatectl)", apart)
	} else {
		d.ok("clock", "agrees with the node's clock")
	}
	return true
}

// announcements prints a warning if the node publishes ZMQ messages on a host other than
// the one to which specterd connects.
func (d *doctor) announcements(ctx context.Context, n *app.Node) {
	publishers, err := n.Backend.Publishers(ctx)
	if err != nil {
		return // earlier calls succeeded, so this is transient; serve retries
	}
	if elsewhere := zmq.Elsewhere(publishers, n.ZMQHost); len(elsewhere) > 0 {
		d.warning("node", "the node publishes ZMQ messages at %s; specterd connects to these ports on the host %s, since a node must not direct it to other hosts. If that is not the same machine, set SPECTER_NODE_ZMQ_HOST", strings.Join(elsewhere, ", "), n.ZMQHost)
	}
}

// wallets compares each wallet with its wallet in Bitcoin Core.
func (d *doctor) wallets(ctx context.Context, n *app.Node) {
	all, err := d.Store.AllWallets(ctx)
	if err != nil {
		d.error("wallets", "%v", err)
		return
	}
	well := 0
	for _, w := range all {
		tip, _ := n.Provider.Chain(w.NodeWallet())
		if d.wallet(ctx, n, w, tip) {
			well++
		}
	}
	if well == len(all) {
		d.ok("wallets", "all match Bitcoin Core (%s)", text.Count(well, "wallet"))
	}
}

// behindAtMost is the number of blocks by which a wallet may be behind the node without a
// warning, since the indexer may be catching up.
const behindAtMost = 2

// wallet checks a wallet, prints its problems, and reports whether there are none.
func (d *doctor) wallet(ctx context.Context, n *app.Node, w wallet.Wallet, tip int) bool {
	if w.Stage != wallet.Ready {
		d.warning("wallets", "%q is %s; specterd serve completes this", w.Name, w.Stage)
		return false
	}
	ours, err := d.Store.AddressAt(ctx, w.ID, wallet.Place{})
	if err != nil {
		d.error("wallets", "%q: %v", w.Name, err)
		return false
	}
	theirs, err := n.Provider.DeriveAddresses(ctx, w.NodeWallet(), w.Receive, 0, 1)
	if err != nil {
		d.error("wallets", "%q: %v", w.Name, err)
		return false
	}
	if len(theirs) != 1 || theirs[0] != ours.Address {
		d.error("wallets", "%q: its first address is %s in the database, but Bitcoin Core derives %s; do not use its addresses, and restore a backup of the database", w.Name, ours.Address, theirs)
		return false
	}
	locked, err := n.Provider.Locked(ctx, w.NodeWallet())
	if err != nil {
		d.error("wallets", "%q: Bitcoin Core's wallet %s: %v", w.Name, w.CoreName, err)
		return false
	}
	reserved, err := d.Store.Reservations(ctx, w.ID)
	if err != nil {
		d.error("wallets", "%q: %v", w.Name, err)
		return false
	}
	if free := proposal.ToLock(reserved, locked); len(free) > 0 {
		d.warning("wallets", "%q: Bitcoin Core has not locked %s reserved by proposals; specterd serve locks again", w.Name, text.Count(len(free), "UTXO"))
		return false
	}
	if !w.Rescanning() && tip-w.Synced.Height > behindAtMost {
		d.warning("wallets", "%q is indexed only up to block %d; check that specterd serve is running", w.Name, w.Synced.Height)
		return false
	}
	return true
}
