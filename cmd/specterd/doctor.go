package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/node/zmq"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// errDoctor makes the command fail where something has to be mended.
var errDoctor = errors.New("something has to be mended; see the lines that begin with error")

func (p *program) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look whether all is well, and say what to do where it is not; works beside a running server", Args: cobra.NoArgs,
		Long: `Look whether all is well, and say what to do where it is not; works beside a running server.

It changes nothing. Each line begins with ok, warning or error; the exit status is 1
where there is an error. Give it the settings of the server.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{say: func(verdict, what, format string, args ...any) {
				fmt.Fprintf(p.stdout, "%-8s %-14s %s\n", verdict, what, text.Escape(fmt.Sprintf(format, args...)))
			}}
			cfg, err := config.Load(cmd.Flags(), p.getenv)
			if err != nil {
				d.error("settings", "%v", err)
				return errDoctor
			}
			d.ok("settings", "the data is in %s", cfg.DataFolder)
			d.app = &app{cfg: cfg, log: slog.New(slog.DiscardHandler), now: time.Now}
			err = d.examine(cmd.Context())
			if d.store != nil {
				err = errors.Join(err, d.store.Close())
			}
			if err == nil && d.failed {
				err = errDoctor
			}
			return err
		},
	}
	config.AddFlags(cmd.Flags())
	return cmd
}

// doctor looks at an installation, and says what it finds.
type doctor struct {
	*app

	say    func(verdict, what, format string, args ...any)
	failed bool
}

func (d *doctor) ok(what, format string, args ...any)      { d.say("ok", what, format, args...) }
func (d *doctor) warning(what, format string, args ...any) { d.say("warning", what, format, args...) }

func (d *doctor) error(what, format string, args ...any) {
	d.failed = true
	d.say("error", what, format, args...)
}

// examine looks at one thing after the other, and ends where what follows needs
// what is not there. Its error is none of what was looked at.
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
	d.backups()
	n, err := d.openNode()
	if err != nil {
		d.error("node", "%v", err)
		return nil
	}
	defer n.close()
	if d.node(ctx, n) {
		d.wallets(ctx, n)
	}
	return ctx.Err()
}

// files looks who else may read the files.
func (d *doctor) files() {
	paths := []string{d.cfg.DataFolder, d.keyFile()}
	if !d.usesPostgres() {
		paths = append(paths, string(d.cfg.DatabaseURL))
	}
	open := 0
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // which is told of where it is needed
		case err != nil:
			d.error("files", "%v", err)
			open++
		case info.Mode().Perm()&0o077 != 0:
			d.warning("files", "others on this machine can get at %s (%v); run: chmod go= %[1]s", path, info.Mode().Perm())
			open++
		}
	}
	if open == 0 {
		d.ok("files", "nobody else can get at them")
	}
}

// network checks what the settings say about who can listen in.
func (d *doctor) network() {
	switch {
	case d.servesInTheClear():
		d.warning("network", "%s", inTheClear)
	case len(d.cfg.TrustedProxies) == 0:
		d.ok("network", "no reverse proxy is declared; if one is in front, name it in SPECTER_TRUSTED_PROXIES, or else all its users count as one address, also for failed logins")
	default:
		d.ok("network", "X-Forwarded-For counts from %s", list(d.cfg.TrustedProxies))
	}
}

func list[T fmt.Stringer](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v.String()
	}
	return strings.Join(texts, ", ")
}

// disk looks whether there is room for the database to grow.
func (d *doctor) disk() {
	if d.usesPostgres() {
		return
	}
	full, free, err := store.IsNearlyFull(string(d.cfg.DatabaseURL))
	switch {
	case errors.Is(err, fs.ErrNotExist): // which is told of where it is needed
	case err != nil:
		d.error("disk", "%v", err)
	case full:
		d.error("disk", "%d kB are free, and specterd writes nothing any more but what takes access away; make room, and it goes on by itself", free>>10)
	default:
		d.ok("disk", "%d MB are free", free>>20)
	}
}

// database opens the database, and reports whether more can be looked for in it.
func (d *doctor) database(ctx context.Context) bool {
	if !d.usesPostgres() {
		if _, err := os.Stat(string(d.cfg.DatabaseURL)); err != nil {
			d.error("database", "%v; specterd serve makes one, unless it was lost: then restore it", err)
			return false
		}
	}
	var err error
	d.store, err = store.Open(ctx, d.storeOptions())
	if err != nil {
		d.error("database", "%v", d.explain(ctx, err))
		return false
	}
	schema, err := d.store.Schema(ctx)
	switch {
	case err != nil:
		d.error("database", "%v", d.explain(ctx, err))
		return false
	case schema.Fresh():
		d.error("database", "it is empty; specterd serve makes what belongs in it, unless it was lost: then restore it")
		return false
	case schema.Pending():
		d.warning("database", "its schema is of version %d and this program's of %d; the next start of specterd serve migrates it, after a backup", schema.Version, schema.Program)
		return false
	}
	if err := d.store.Migrate(ctx); err != nil { // nothing is pending, but it may be newer than this program
		d.error("database", "%v", err)
		return false
	}
	start := time.Now()
	if err := d.store.Verify(ctx); err != nil {
		d.error("database", "%v; stop specterd, keep a copy of the file, and restore a backup", err)
		return false
	}
	d.ok("database", "it is whole, and of the schema %d (looked through in %v)", schema.Version, time.Since(start).Round(time.Millisecond))
	return true
}

func (d *doctor) key(ctx context.Context) {
	known, err := d.store.SigningKeys(ctx)
	if err == nil && len(known) == 0 {
		d.warning("signing key", "the database has none yet; specterd serve makes one")
		return
	}
	if err == nil {
		err = d.openSigner(ctx)
	}
	if err == nil {
		err = d.checkOldKeys(ctx)
	}
	if err != nil {
		d.error("signing key", "%v", err)
		return
	}
	d.ok("signing key", "it is the database's")
}

// A login should take long enough that passwords are not guessed from a stolen
// database, and not so long that people and scripts wait.
const (
	quickHash = 50 * time.Millisecond
	slowHash  = time.Second
)

func (d *doctor) passwordsOf(ctx context.Context) {
	passwords, err := auth.NewPasswords(d.cfg.BcryptCost, runtime.NumCPU())
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
		d.warning("passwords", "a login takes %v at SPECTER_BCRYPT_COST=%d; a higher cost makes stolen passwords harder to guess", rounded, d.cfg.BcryptCost)
	case took > slowHash:
		d.warning("passwords", "a login takes %v at SPECTER_BCRYPT_COST=%d; a lower cost makes it quicker", rounded, d.cfg.BcryptCost)
	default:
		d.ok("passwords", "a login takes %v", rounded)
	}
	switch n, err := d.store.CountDefaultPasswords(ctx); {
	case err != nil:
		d.error("passwords", "%v", err)
	case n > 0 && !isLoopback(d.cfg.Host):
		d.error("passwords", "%d users have the default password, so specterd does not start at %s; specterd user list shows who, and specterd user passwd changes it", n, d.cfg.Host)
	case n > 0:
		d.warning("passwords", "%d users have the default password; specterd user list shows who, and specterd user passwd changes it", n)
	}
}

func (d *doctor) audit(ctx context.Context) {
	r, err := auth.NewAudit(d.store).Verify(ctx, "")
	switch {
	case err != nil:
		d.error("audit", "%v", err)
	case len(r.Problems) > 0:
		d.error("audit", "the record is not as it was written: %s; specterd audit verify says more", r.Problems[0])
	default:
		d.ok("audit", "all %d entries are as they were written", r.Entries)
	}
}

// oldBackup is how old the newest backup may be where none are scheduled.
const oldBackup = 7 * 24 * time.Hour

// backups looks how old the newest backup is, of those that the server makes and of
// those that nobody gave another name or place.
func (d *doctor) backups() {
	folder, most := backup.Folder(d.cfg.Backup.Folder), oldBackup
	what := "make one with specterd backup, or have the server make them with SPECTER_BACKUP_EVERY=24h"
	if d.cfg.Backup.Every > 0 {
		most, what = 2*d.cfg.Backup.Every, "is specterd serve running with SPECTER_BACKUP_EVERY? Its log says what failed"
		if d.usesPostgres() {
			what += "; of several, the one that follows the node makes them, in its own folder"
		}
	}
	newest, err := folder.Newest(d.now())
	age := d.now().Sub(newest).Round(time.Second)
	switch {
	case err != nil:
		d.error("backups", "%v", err)
	case newest.IsZero():
		d.warning("backups", "there is none in %s; %s", folder, what)
	case age > most:
		d.warning("backups", "the newest in %s is of %s, %v ago; %s", folder, newest.Format(timeLayout), age, what)
	default:
		d.ok("backups", "the newest is of %s, %v ago", newest.Format(timeLayout), age)
	}
}

// wrongClock is by how much two clocks of people who mind them do not differ.
const wrongClock = 10 * time.Second

// node looks at the node, and reports whether it can be asked about wallets.
func (d *doctor) node(ctx context.Context, n *nodeAccess) bool {
	status := n.monitor.Check(ctx)
	if problem := status.Ready(); problem != nil {
		d.error("node", "%v", problem)
		return false
	}
	d.ok("node", "%s on %s, at block %d", status.Subversion, status.Chain, status.Blocks)
	for _, warning := range status.Warnings {
		d.warning("node", "it says: %s", warning)
	}
	for _, notice := range status.Notices() {
		d.warning("node", "%s", notice.Message)
	}
	d.announcements(ctx, n)
	before := d.now()
	theirs, err := n.node.Time(ctx)
	switch {
	case errors.Is(err, rpcclient.ErrMethodForbidden): // a notice tells
		return true
	case err != nil:
		d.error("clock", "%v", err)
		return true
	}
	apart := theirs.Sub(before).Round(time.Millisecond)
	if apart.Abs() > wrongClock+d.now().Sub(before) {
		d.warning("clock", "the node's differs by %v; tokens and proposals end by this machine's: see that both have the right time (timedatectl)", apart)
	} else {
		d.ok("clock", "it agrees with the node's")
	}
	return true
}

// announcements checks whether the node announces at another host than specterd
// connects to.
func (d *doctor) announcements(ctx context.Context, n *nodeAccess) {
	publishers, err := n.node.Publishers(ctx)
	if err != nil {
		return // what was asked before was answered; serve tries again
	}
	if elsewhere := zmq.Elsewhere(publishers, n.host); len(elsewhere) > 0 {
		d.warning("node", "it announces payments at %s; specterd connects to the host %s at these ports, since a node must not make it connect elsewhere. If that is not the same machine, set SPECTER_NODE_ZMQ_HOST", strings.Join(elsewhere, ", "), n.host)
	}
}

// wallets compares each wallet with Core's.
func (d *doctor) wallets(ctx context.Context, n *nodeAccess) {
	all, err := d.store.AllWallets(ctx)
	if err != nil {
		d.error("wallets", "%v", err)
		return
	}
	well := 0
	_, tip, _ := n.provider.Chain()
	for _, w := range all {
		if d.wallet(ctx, n, w, tip) {
			well++
		}
	}
	if well == len(all) {
		d.ok("wallets", "all %d are as Core has them", well)
	}
}

// behindAtMost is how many blocks a wallet may be behind the node while the
// follower is at work.
const behindAtMost = 2

// wallet reports whether all is well with a wallet, and says what is not.
func (d *doctor) wallet(ctx context.Context, n *nodeAccess, w wallet.Wallet, tip int) bool {
	if w.Stage != wallet.Ready {
		d.warning("wallets", "%q is %s; specterd serve goes on with that", w.Name, w.Stage)
		return false
	}
	ours, err := d.store.AddressAt(ctx, w.ID, wallet.Place{})
	if err != nil {
		d.error("wallets", "%q: %v", w.Name, err)
		return false
	}
	theirs, err := n.provider.DeriveAddresses(ctx, w.Receive, 0, 1)
	if err != nil {
		d.error("wallets", "%q: %v", w.Name, err)
		return false
	}
	if len(theirs) != 1 || theirs[0] != ours.Address {
		d.error("wallets", "%q: its first address is %s here, and Core derives %s; use no address of it, and restore a backup of the database", w.Name, ours.Address, theirs)
		return false
	}
	locked, err := n.provider.Locked(ctx, w.CoreName)
	if err != nil {
		d.error("wallets", "%q: Core's wallet %s: %v", w.Name, w.CoreName, err)
		return false
	}
	reserved, err := d.store.Reservations(ctx, w.ID)
	if err != nil {
		d.error("wallets", "%q: %v", w.Name, err)
		return false
	}
	if free := proposal.ToLock(reserved, locked); len(free) > 0 {
		d.warning("wallets", "%q: Core may spend %d coins that proposals reserve; specterd serve locks them again", w.Name, len(free))
		return false
	}
	if !w.Scanning() && tip-w.Synced.Height > behindAtMost {
		d.warning("wallets", "%q is known up to block %d only; is specterd serve running?", w.Name, w.Synced.Height)
		return false
	}
	return true
}
