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

SIGHUP reloads the certificate. SIGUSR1 switches the log level between debug and the
configured level.`,
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

// nodePatience is how long the start waits for the node's first response. The server
// also starts without it.
const nodePatience = 2 * time.Second

// serve runs the server until ctx ends, and calls ready once it listens. All goroutines
// have ended when it returns.
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

	// Background tasks run longer than the requests, to record the last audit events.
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
	told := awaitSignals(certificate) // before ready announces the server
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

// stopLater returns a context that ends after ctx with the configured delay.
func (a *app) stopLater(ctx context.Context) (later context.Context, end func()) {
	if a.cfg.StopDelay == 0 {
		return ctx, func() {}
	}
	later, end = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		a.log.InfoContext(later, "stopping after a delay", "seconds", a.cfg.StopDelay.Seconds())
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
		login.RefuseDefaultPasswords() // checkExposure checks only at the start
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

// observer is called after each request.
type observer = func(method, route string, status int, took time.Duration)

// serveMetrics serves Prometheus metrics at a separate address, if one is set, and
// returns the observer of requests; nil if metrics are off.
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
			a.log.WarnContext(ctx, "metrics server failed", "error", err)
		}
	}, nil
}

// checkExposure refuses to listen beyond loopback while a user has the default password.
func (a *app) checkExposure(ctx context.Context) error {
	if isLoopback(a.cfg.Host) {
		return nil
	}
	n, err := a.store.CountDefaultPasswords(ctx)
	if err != nil {
		return err
	}
	if first, err := a.users.Get(ctx, auth.FirstAdmin); n > 0 && (err != nil || !first.PasswordIsDefault) {
		return fmt.Errorf("imported users have the default password, so specterd listens only on 127.0.0.1 and not on %s; list them with specterd user list and change it with specterd user passwd", a.cfg.Host)
	}
	if n > 0 {
		return fmt.Errorf("user %q has the default password, so specterd listens only on 127.0.0.1 and not on %s; change it with: specterd user passwd %s",
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

const inTheClear = "passwords and tokens are sent unencrypted: specterd serves HTTP without TLS beyond this machine; set a certificate (SPECTER_TLS_CERT_FILE), or use a reverse proxy with TLS and name it in SPECTER_TRUSTED_PROXIES"

// servesInTheClear reports whether the server is reachable from other machines without
// TLS, according to the settings.
func (a *app) servesInTheClear() bool {
	return !isLoopback(a.cfg.Host) && a.cfg.TLSCertFile == "" && len(a.cfg.TrustedProxies) == 0
}

// warn logs warnings about risky settings at the start.
func (a *app) warn(ctx context.Context) {
	if !a.cfg.APIActive {
		a.log.WarnContext(ctx, "the API is disabled and responds with 404; set SPECTER_API_ACTIVE=true")
	}
	if a.servesInTheClear() {
		a.log.WarnContext(ctx, inTheClear, "host", a.cfg.Host)
	}
	if a.cfg.BcryptCost < lowBcryptCost {
		a.log.WarnContext(ctx, "SPECTER_BCRYPT_COST is low; passwords are easy to guess from a stolen database", "cost", a.cfg.BcryptCost)
	}
	if n, err := a.store.CountDefaultPasswords(ctx); err == nil && n > 0 {
		a.log.WarnContext(ctx, "users have the default password; change it with: specterd user passwd NAME", "count", n)
	}
}

// warnOfIgnoredPassword logs a warning if SPECTER_ADMIN_PASSWORD is set but is not the
// password of the first admin. The comparison is slow, so it runs in the background.
func (a *app) warnOfIgnoredPassword(ctx context.Context) {
	if a.cfg.AdminPassword == "" {
		return
	}
	same, err := a.users.HasPassword(ctx, auth.FirstAdmin, string(a.cfg.AdminPassword))
	if err == nil && !same {
		a.log.WarnContext(ctx, "SPECTER_ADMIN_PASSWORD is ignored: it applies only at the first start, and the admin has another password now")
	}
}

// verify checks the database for damage in the background, since that takes long for a
// large database. If there is damage, the store refuses all requests.
func (a *app) verify(ctx context.Context) {
	switch err := a.store.Verify(ctx); {
	case err == nil || ctx.Err() != nil:
	case store.IsDamage(err):
		a.log.ErrorContext(ctx, "the database is damaged, and all requests are refused; stop specterd, keep a copy of the file, and restore a backup", "error", err)
	default:
		a.log.ErrorContext(ctx, "checking the database for damage failed; run specterd doctor to check again", "error", err)
	}
}
