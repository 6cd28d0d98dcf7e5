package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/metrics"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/wallet"
)

func (p *program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the API until stopped (Ctrl-C or SIGTERM)", Args: cobra.NoArgs,
		Long: `Serve the API until stopped (Ctrl-C or SIGTERM).

SIGHUP has it read its certificate again, and SIGUSR1 switches the log between
debug and what is set.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.getenv("GOGC") == "" {
				tuneGC()
			}
			a, err := p.openApp(cmd.Context(), cmd.Flags(), true)
			if err != nil {
				return err
			}
			err = a.serve(cmd.Context(), func(url string) {
				fmt.Fprintf(p.stdout, "specterd listens on %s\n", url)
			})
			return errors.Join(err, a.close())
		},
	}
	config.AddFlags(cmd.Flags())
	return cmd
}

const lowBcryptCost = 10

// nodePatience is how long the start waits for the node's first answer. The
// server starts without it, too.
const nodePatience = 2 * time.Second

// serve runs the server until ctx ends, and calls ready once it listens. What
// it started has ended when it returns.
func (a *app) serve(ctx context.Context, ready func(url string)) error {
	if err := a.checkExposure(ctx); err != nil {
		return err
	}
	if err := a.checkOldKeys(ctx); err != nil {
		return err
	}
	a.watch = clock.NewWatch(a.log, a.now, clock.Steady)
	n, err := a.openNode()
	if err != nil {
		return err
	}
	defer n.close()
	if err := n.firstLook(ctx); err != nil {
		return err
	}
	wallets, proposals, following := a.wallets(n)
	journal := auth.NewJournal(a.log, a.store)
	var certificate *httpapi.Certificate
	if a.cfg.TLSCertFile != "" {
		if certificate, err = httpapi.LoadCertificate(a.cfg.TLSCertFile, a.cfg.TLSKeyFile); err != nil {
			return err
		}
	}
	observe, stopMetrics, err := a.serveMetrics(ctx, n.monitor)
	if err != nil {
		return err
	}
	defer stopMetrics()
	handler, err := a.handler(ctx, n.monitor, wallets, proposals, journal, observe)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(a.cfg.Host, strconv.Itoa(a.cfg.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.warn(ctx)

	// The background outlives the requests, so that it can write down the last.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { journal.Run(background) })
	running.Go(func() { a.watch.Run(background) })
	running.Go(func() { _ = n.monitor.Run(background) })
	running.Go(func() { following.Run(background) })
	running.Go(func() { proposals.Run(background) })
	running.Go(func() { a.warnOfIgnoredPassword(background) })
	running.Go(func() { a.verify(background) })
	a.store.TendDisk(background)
	running.Go(func() { a.store.KeepBallast(background) })
	running.Go(func() { a.dropOldKeys(background) })
	running.Go(func() { giveBack(background, calmAfter) })
	told := awaitSignals(certificate) // before anybody knows whom to tell
	running.Go(func() { a.obeySignals(background, told, certificate) })
	url := a.url(listener.Addr())
	a.log.InfoContext(ctx, "listening", "url", url, "version", version, "api_active", a.cfg.APIActive)
	ready(url)
	serving, end := a.stopLater(ctx)
	defer end()
	err = httpapi.Serve(serving, a.log, listener, httpapi.Leaving(ctx, handler), certificate)
	stop()
	running.Wait()
	a.log.InfoContext(ctx, "stopped")
	return err
}

// stopLater returns a context that ends some time after ctx, as is set.
func (a *app) stopLater(ctx context.Context) (later context.Context, end func()) {
	if a.cfg.StopDelay == 0 {
		return ctx, func() {}
	}
	later, end = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		a.log.InfoContext(later, "told to stop; still answering", "seconds", a.cfg.StopDelay.Seconds())
		time.AfterFunc(a.cfg.StopDelay, end)
	})
	return later, end
}

func (a *app) handler(ctx context.Context, monitor *nodestatus.Monitor, wallets *wallet.Service, proposals *proposal.Service, journal *auth.Journal, observe observer) (http.Handler, error) {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	uid, err := a.store.UID(ctx, hex.EncodeToString(random))
	if err != nil {
		return nil, err
	}
	login := auth.NewLogin(a.log, a.store, a.passwords, a.signer, journal, a.now)
	login.SetLimits(a.tokenLimits())
	if !isLoopback(a.cfg.Host) {
		login.RefuseDefaultPasswords() // checkExposure saw those of the start
	}
	return httpapi.New(httpapi.Options{
		Log: a.log, Now: a.now, Watch: a.watch,
		Login:       login,
		Users:       a.users,
		Audit:       auth.NewAudit(a.store),
		Tokens:      a.tokens(),
		Memberships: a.store,
		Wallets:     wallets,
		Proposals:   proposals,
		Keys:        idempotency.New(a.store, a.now, a.watch),
		Database:    a.store,
		Node:        monitor,
		Active:      a.cfg.APIActive, DataFolder: a.cfg.DataFolder, UID: uid,
		Loopback: isLoopback(a.cfg.Host), AllowedHosts: a.cfg.AllowedHosts, TrustedProxies: a.cfg.TrustedProxies,
		Version: version, Observe: observe,
	})
}

// observer is told of each request when it is over.
type observer = func(method, route string, status int, took time.Duration)

// serveMetrics answers Prometheus at an address of its own, if that is set, and
// returns what is to be told of requests; nil where nobody wants to know.
func (a *app) serveMetrics(ctx context.Context, monitor *nodestatus.Monitor) (observe observer, stop func(), err error) {
	if a.cfg.MetricsListen == "" {
		return nil, func() {}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.MetricsListen)
	if err != nil {
		return nil, nil, fmt.Errorf("listen for Prometheus: %w", err)
	}
	measured := metrics.New(a.log, version, monitor, a.store)
	a.log.InfoContext(ctx, "metrics", "url", "http://"+listener.Addr().String()+"/metrics")
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	handler := measured.Handler()
	if host, _, _ := net.SplitHostPort(a.cfg.MetricsListen); isLoopback(host) {
		handler = httpapi.OnlyLocalHosts(handler, a.cfg.AllowedHosts)
	}
	go func() { ended <- httpapi.Serve(serving, a.log, listener, handler, nil) }()
	return measured.Observe, func() {
		cancel()
		if err := <-ended; err != nil {
			a.log.WarnContext(ctx, "the metrics ended", "error", err)
		}
	}, nil
}

// checkExposure refuses to be reachable from elsewhere while somebody has the
// default password.
func (a *app) checkExposure(ctx context.Context) error {
	if isLoopback(a.cfg.Host) {
		return nil
	}
	n, err := a.store.CountDefaultPasswords(ctx)
	if err != nil {
		return err
	}
	if first, err := a.users.Get(ctx, auth.FirstAdmin); n > 0 && (err != nil || !first.PasswordIsDefault) {
		return fmt.Errorf("users who were imported have the default password, so specterd listens on 127.0.0.1 only and not on %s; specterd user list shows who, and specterd user passwd changes it", a.cfg.Host)
	}
	if n > 0 {
		return fmt.Errorf("the password of %q is still the default one, so specterd listens on 127.0.0.1 only and not on %s; change it with: specterd user passwd %s",
			auth.FirstAdmin, a.cfg.Host, auth.FirstAdmin)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (a *app) url(addr net.Addr) string {
	scheme := "http"
	if a.cfg.TLSCertFile != "" {
		scheme = "https"
	}
	return scheme + "://" + addr.String()
}

const inTheClear = "passwords and tokens cross the network in the clear: specterd serves plain HTTP beyond this machine; give it a certificate (SPECTER_TLS_CERT_FILE), or put a proxy with TLS in front and name it in SPECTER_TRUSTED_PROXIES"

// servesInTheClear reports whether others can reach the server without TLS, as far
// as the settings tell.
func (a *app) servesInTheClear() bool {
	return !isLoopback(a.cfg.Host) && a.cfg.TLSCertFile == "" && len(a.cfg.TrustedProxies) == 0
}

// warn says at the start what is better changed.
func (a *app) warn(ctx context.Context) {
	if !a.cfg.APIActive {
		a.log.WarnContext(ctx, "the API is switched off and answers 404; set SPECTER_API_ACTIVE=true")
	}
	if a.servesInTheClear() {
		a.log.WarnContext(ctx, inTheClear, "host", a.cfg.Host)
	}
	if a.cfg.BcryptCost < lowBcryptCost {
		a.log.WarnContext(ctx, "SPECTER_BCRYPT_COST is low; passwords are easy to guess from a stolen database", "cost", a.cfg.BcryptCost)
	}
	if n, err := a.store.CountDefaultPasswords(ctx); err == nil && n > 0 {
		a.log.WarnContext(ctx, "the first admin still has the default password; change it with: specterd user passwd admin")
	}
}

// warnOfIgnoredPassword says so where SPECTER_ADMIN_PASSWORD is not, or no more,
// the password of the first admin. It takes a comparison, so it is done beside.
func (a *app) warnOfIgnoredPassword(ctx context.Context) {
	if a.cfg.AdminPassword == "" {
		return
	}
	same, err := a.users.HasPassword(ctx, auth.FirstAdmin, string(a.cfg.AdminPassword))
	if err == nil && !same {
		a.log.WarnContext(ctx, "SPECTER_ADMIN_PASSWORD is ignored: it counts at the first start only, and the admin has another password now")
	}
}

// verify looks for damage in the database, beside the serving: it takes long
// where there is much in it. Where there is some, the store lets nobody in.
func (a *app) verify(ctx context.Context) {
	switch err := a.store.Verify(ctx); {
	case err == nil || ctx.Err() != nil:
	case store.IsDamage(err):
		a.log.ErrorContext(ctx, "the database is damaged, and all requests are refused; stop specterd, keep a copy of the file, and restore a backup", "error", err)
	default:
		a.log.ErrorContext(ctx, "the database could not be looked through for damage; specterd doctor does it again", "error", err)
	}
}
