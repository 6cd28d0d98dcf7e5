package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/console"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/metrics"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/wallet"
)

const lowBcryptCost = 10

// nodePatience is how long the start waits for the node's first response. The server
// starts even if there is no response.
const nodePatience = 2 * time.Second

// Serve runs the server until ctx ends. It calls ready once the server listens, and
// returns after all its goroutines have ended.
func (a *App) Serve(ctx context.Context, ready func(url string)) error {
	if err := a.checkExposure(ctx); err != nil {
		return err
	}
	if err := a.CheckOldKeys(ctx); err != nil {
		return err
	}
	a.Watch = clock.NewWatch(a.Log, a.Now, clock.Steady)
	n, err := a.OpenNode()
	if err != nil {
		return err
	}
	defer n.Close()
	if err := n.CheckOnce(ctx); err != nil {
		return err
	}
	wallets, proposals, index := a.services(n)
	recorder := auth.NewRecorder(a.Log, a.Store)
	certificate, err := a.certificate()
	if err != nil {
		return err
	}
	measured, stopMetrics, err := a.serveMetrics(ctx, n.Monitor)
	if err != nil {
		return err
	}
	defer stopMetrics()
	login := a.login(recorder)
	due := a.scheduler()
	spends := a.spending(n, wallets, proposals, func() { due.Wake(releaseJob); due.Wake(changeJob) })
	events, deliverer := a.sending(login, measured.ObserveAttempt, func() { due.Wake(deliveryJob) })
	// Background tasks outlive the requests, so that the last audit events are recorded.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var running sync.WaitGroup
	handler, err := a.handler(ctx, httpapi.Options{
		Login: login, Wallets: wallets, Proposals: proposals, Events: events, Webhooks: a.Webhooks(deliverer.Wake), Spending: spends, Node: n.Monitor, Observe: a.observer(measured),
		Background: func(f func(ctx context.Context)) { running.Go(func() { f(background) }) },
	})
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(a.Config.Host, strconv.Itoa(a.Config.Port)))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.warn(ctx)
	a.Store.MaintainDiskReserve(background)
	for _, task := range []func(ctx context.Context){
		recorder.Run, a.Watch.Run, index.Run, events.Run, a.warnOfIgnoredPassword, a.verify, a.Store.KeepDiskReserve,
		func(ctx context.Context) { _ = n.Monitor.Run(ctx) },
		func(ctx context.Context) { a.runDueWork(ctx, due, n, proposals, spends) },
		func(ctx context.Context) { a.runDeliveries(ctx, due, deliverer) },
		func(ctx context.Context) { releaseMemory(ctx, calmAfter, a.Store.ReleaseMemory) },
	} {
		running.Go(func() { task(background) })
	}
	signals := awaitSignals(certificate) // called before ready, because signals may arrive from then on
	running.Go(func() { a.handleSignals(background, signals, certificate) })
	url := a.url(listener.Addr())
	a.Log.InfoContext(ctx, "listening", "url", url, "version", a.Version, "api_active", a.Config.APIActive)
	ready(url)
	serving, end := a.stopLater(ctx)
	defer end()
	defer context.AfterFunc(serving, events.End)()
	err = httpapi.Serve(serving, a.Log, listener, httpapi.Leaving(ctx, handler), certificate)
	stop()
	running.Wait()
	a.Log.InfoContext(ctx, "stopped")
	return err
}

// certificate returns the TLS certificate, nil without TLS.
func (a *App) certificate() (*httpapi.Certificate, error) {
	if a.Config.TLSCertFile == "" {
		return nil, nil //nolint:nilnil // no TLS
	}
	return httpapi.LoadCertificate(a.Config.TLSCertFile, a.Config.TLSKeyFile)
}

// stopLater returns a context that ends when the configured delay has passed after the
// end of ctx.
func (a *App) stopLater(ctx context.Context) (later context.Context, end func()) {
	if a.Config.StopDelay == 0 {
		return ctx, func() {}
	}
	later, end = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		a.Log.InfoContext(later, "stopping after a delay", "seconds", a.Config.StopDelay.Seconds())
		time.AfterFunc(a.Config.StopDelay, end)
	})
	return later, end
}

// handler returns the handler of the API. The caller sets the services that are not in a.
func (a *App) handler(ctx context.Context, o httpapi.Options) (http.Handler, error) {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	var err error
	if o.UID, err = a.Store.UID(ctx, hex.EncodeToString(random)); err != nil {
		return nil, err
	}
	a.setServices(&o)
	o.Active, o.DataFolder, o.Loopback = a.Config.APIActive, a.Config.DataFolder, config.IsLoopback(a.Config.Host)
	o.AllowedHosts, o.TrustedProxies, o.PublicOrigin = a.Config.AllowedHosts, a.Config.TrustedProxies, a.Config.PublicOrigin
	if a.Config.Console {
		if o.Console, err = a.console(ctx, o); err != nil {
			return nil, err
		}
	}
	return httpapi.New(o)
}

// setServices sets the services that are in a.
func (a *App) setServices(o *httpapi.Options) {
	o.Log, o.Now, o.Watch, o.Version, o.Gate = a.Log, a.Now, a.Watch, a.Version, a.Gate
	o.Users, o.Audit, o.Tokens = a.Users, auth.NewAudit(a.Store), a.Tokens()
	o.Keys, o.Database = idempotency.New(a.Store, a.Now, a.Watch), a.Store
}

// Direct returns a transport for the requests of a command on behalf of a caller. The API then
// lacks events.
func (a *App) Direct(n *Node, wallets *wallet.Service, proposals *proposal.Service, caller *auth.Principal) (*httpapi.Direct, error) {
	o := httpapi.Options{Wallets: wallets, Proposals: proposals, Spending: a.Spending(n, wallets, proposals), Webhooks: a.Webhooks(func() {}), Node: n.Monitor}
	a.setServices(&o)
	return httpapi.NewDirect(o, caller)
}

// console returns the web console, which uses the services of the API.
func (a *App) console(ctx context.Context, o httpapi.Options) (*console.Console, error) {
	first, err := a.firstRun(ctx, o.Login)
	if err != nil {
		return nil, err
	}
	return console.New(console.Options{
		Log: a.Log, Now: a.Now, Sessions: a.Sessions(o.Login), FirstRun: first, Users: o.Users, Tokens: o.Tokens, Audit: o.Audit,
		Wallets: o.Wallets, Proposals: o.Proposals, Events: o.Events, Webhooks: o.Webhooks, Spending: o.Spending, Keys: o.Keys, Node: o.Node, APIActive: o.Active, Origin: o.PublicOrigin, Version: o.Version, Gate: o.Gate,
	}), nil
}

func (a *App) login(recorder *auth.Recorder) *auth.Login {
	login := auth.NewLogin(a.Log, a.Store, a.Passwords, a.signer, recorder, a.Now)
	login.SetLimits(a.tokenLimits())
	if !config.IsLoopback(a.Config.Host) {
		login.RefuseDefaultPasswords() // a user with the default password may be imported after the start
	}
	return login
}

// serveMetrics serves Prometheus metrics at a separate address, if one is set, and returns
// them.
func (a *App) serveMetrics(ctx context.Context, monitor *nodestatus.Monitor) (measured *metrics.Metrics, stop func(), err error) {
	measured = metrics.New(a.Log, a.Version, monitor, a.Store)
	if a.Config.MetricsListen == "" {
		return measured, func() {}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.Config.MetricsListen)
	if err != nil {
		return nil, nil, fmt.Errorf("listen for Prometheus: %w", err)
	}
	a.Log.InfoContext(ctx, "metrics", "url", "http://"+listener.Addr().String()+"/metrics")
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	handler := measured.Handler()
	if host, _, _ := net.SplitHostPort(a.Config.MetricsListen); config.IsLoopback(host) {
		handler = httpapi.OnlyLocalHosts(handler, a.Config.AllowedHosts)
	}
	go func() { ended <- httpapi.Serve(serving, a.Log, listener, handler, nil) }()
	return measured, func() {
		cancel()
		if err := <-ended; err != nil {
			a.Log.WarnContext(ctx, "metrics server failed", "error", err)
		}
	}, nil
}

// observer returns the observer of requests; nil if metrics are off.
func (a *App) observer(m *metrics.Metrics) func(method, route string, status int, took time.Duration) {
	if a.Config.MetricsListen == "" {
		return nil
	}
	return m.Observe
}

// checkExposure returns an error if the server would listen beyond loopback while a
// user has the default password.
func (a *App) checkExposure(ctx context.Context) error {
	if config.IsLoopback(a.Config.Host) {
		return nil
	}
	n, err := a.Store.CountDefaultPasswords(ctx)
	if err != nil {
		return err
	}
	if first, err := a.Users.Get(ctx, auth.FirstAdmin); n > 0 && (err != nil || !first.PasswordIsDefault) {
		return fmt.Errorf("imported users have the default password, so specterd listens only on 127.0.0.1 and not on %s; list them with specterd user list and change it with specterd user set NAME --password", a.Config.Host)
	}
	if n > 0 {
		return fmt.Errorf("user %q has the default password, so specterd listens only on 127.0.0.1 and not on %s; change it with: specterd user set %s --password",
			auth.FirstAdmin, a.Config.Host, auth.FirstAdmin)
	}
	return nil
}

func (a *App) url(addr net.Addr) string {
	scheme := "http"
	if a.Config.TLSCertFile != "" {
		scheme = "https"
	}
	return scheme + "://" + addr.String()
}

// UnencryptedWarning is the warning that is reported if ServesUnencrypted returns true.
const UnencryptedWarning = "passwords and tokens are sent unencrypted: specterd serves HTTP without TLS beyond this machine; set a certificate (SPECTER_TLS_CERT_FILE), or use a reverse proxy with TLS and name it in SPECTER_TRUSTED_PROXIES"

// ServesUnencrypted reports whether the server is reachable from other machines without
// TLS, according to the settings.
func (a *App) ServesUnencrypted() bool {
	return !config.IsLoopback(a.Config.Host) && a.Config.TLSCertFile == "" && len(a.Config.TrustedProxies) == 0
}

// warn logs warnings about risky settings at the start.
func (a *App) warn(ctx context.Context) {
	if !a.Config.APIActive {
		a.Log.WarnContext(ctx, "the API is disabled and responds with 404; set SPECTER_API_ACTIVE=true")
	}
	if a.ServesUnencrypted() {
		a.Log.WarnContext(ctx, UnencryptedWarning, "host", a.Config.Host)
	}
	if a.Config.BcryptCost < lowBcryptCost {
		a.Log.WarnContext(ctx, "SPECTER_BCRYPT_COST is low; passwords are easy to guess from a stolen database", "cost", a.Config.BcryptCost)
	}
	if n, err := a.Store.CountDefaultPasswords(ctx); err == nil && n > 0 {
		a.Log.WarnContext(ctx, "users have the default password; change it with: specterd user set NAME --password", "count", n)
	}
}

// warnOfIgnoredPassword logs a warning if SPECTER_ADMIN_PASSWORD is set but is not the
// password of the first admin. The comparison is slow, so it runs in the background.
func (a *App) warnOfIgnoredPassword(ctx context.Context) {
	if a.Config.AdminPassword == "" {
		return
	}
	same, err := a.Users.HasPassword(ctx, auth.FirstAdmin, string(a.Config.AdminPassword))
	if err == nil && !same {
		a.Log.WarnContext(ctx, "SPECTER_ADMIN_PASSWORD is ignored: it applies only at the first start, and the admin has another password now")
	}
}

// verify checks the database for damage. It takes long for a large database, so it runs
// in the background. If it finds damage, the store refuses all requests.
func (a *App) verify(ctx context.Context) {
	switch err := a.Store.Verify(ctx); {
	case err == nil || ctx.Err() != nil:
	case store.IsDamage(err):
		a.Log.ErrorContext(ctx, "the database is damaged, and all requests are refused; stop specterd, keep a copy of the file, and restore a backup", "error", err)
	default:
		a.Log.ErrorContext(ctx, "checking the database for damage failed; run specterd doctor to check again", "error", err)
	}
}
