// Package httpapi serves the REST API: the route table, authorization, and the format of
// requests and errors. It converts requests to calls of the services, and knows neither
// the database nor the node.
//
// Every request passes, in this order: limits and timeouts of net/http; request id, log
// line and recovery from panics; checks of Host, of the origin, and whether the API is
// active; the size limit of the body; credentials, scope and role; the limits of requests
// in progress; the decoder; if there is a body, credentials, scope and role again; the
// handler. Only plain liveness requests are answered earlier, with the same response.
package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/httpapi/v1alpha"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/webhook"
)

// Node returns the last known status of the node without waiting for it.
type Node interface{ Status() nodestatus.Status }

// Console serves the pages of the web console.
type Console interface {
	http.Handler
	// Serves reports whether the path of a request is the path of a route.
	Serves(r *http.Request) bool
	// ServeError writes an error page, or its text for a program other than a browser.
	ServeError(w http.ResponseWriter, r *http.Request, f *fault.Error)
}

// Options are the dependencies and the settings of the API.
type Options struct {
	Log       *slog.Logger
	Now       func() time.Time
	Watch     *clock.Watch // watches the clock that Now returns
	Login     *auth.Login
	Users     *auth.Users
	Tokens    *auth.Tokens
	Audit     *auth.Audit
	Wallets   *wallet.Service
	Proposals *proposal.Service
	Events    *event.Service
	Webhooks  *webhook.Service
	Spending  *spending.Service
	Keys      *idempotency.Keys
	Database  Database
	Node      Node
	// Console serves all paths outside of /api; nil without a console.
	Console Console
	// PublicOrigin is the origin that browsers use, such as https://specter.example.org;
	// empty if it is the Host of their requests.
	PublicOrigin string
	// Active enables the API. If it is false, only the health routes are served.
	Active bool
	// DataFolder and UID are shown to admins.
	DataFolder, UID string
	// Loopback restricts the API to requests whose Host is a loopback name or address, or
	// one of AllowedHosts.
	Loopback     bool
	AllowedHosts []string
	// TrustedProxies are the networks of the proxies whose X-Forwarded-For is used.
	TrustedProxies []netip.Prefix
	// Observe is called at the end of each request; see metrics.Metrics. It may be nil.
	Observe func(method, route string, status int, took time.Duration)
	// Background runs functions in the background of the server, with a context that ends when it
	// stops; responses that stay open use it after their handlers have returned. If it is nil,
	// the handlers do not return.
	Background func(f func(ctx context.Context))
	// Gate limits the requests in progress; nil selects the default limits.
	Gate *admission.Gate
	// Version is the version of the program.
	Version string
}

type server struct {
	Options
	log     *slog.Logger
	login   *auth.Login
	origins *http.CrossOriginProtection
	proxies undeclaredProxies

	caller *auth.Principal                   // of all requests, for a Direct; otherwise nil
	failed func(requestID string, err error) // tells a Direct the errors of requests; otherwise nil
}

// New returns the API's handler. It returns an error only for a mistake in the route table.
func New(o Options) (http.Handler, error) {
	return newHandler(o, Routes(o))
}

// Routes returns the route table. Options without services are sufficient to inspect it.
func Routes(o Options) []route.Route {
	return table(
		&health{database: o.Database, node: o.Node, watch: o.Watch},
		v1alpha.New(v1alpha.Options{
			Tokens: o.Tokens, Wallets: o.Wallets, Proposals: o.Proposals, Node: o.Node, Now: o.Now, DataFolder: o.DataFolder, UID: o.UID,
		}),
		v1.New(v1.Options{Users: o.Users, Tokens: o.Tokens, Audit: o.Audit, Wallets: o.Wallets, Proposals: o.Proposals, Events: o.Events, Webhooks: o.Webhooks, Spending: o.Spending, Node: o.Node, Now: o.Now}),
	)
}

func newHandler(o Options, routes []route.Route) (http.Handler, error) {
	return newServer(o, routes, func(*server) {})
}

func newServer(o Options, routes []route.Route, prepare func(*server)) (http.Handler, error) {
	if o.Gate == nil {
		o.Gate = admission.New(admission.DefaultLimits())
	}
	s := &server{Options: o, log: o.Log, login: o.Login, origins: http.NewCrossOriginProtection()}
	prepare(s)
	if o.PublicOrigin != "" {
		if err := s.origins.AddTrustedOrigin(o.PublicOrigin); err != nil {
			return nil, fmt.Errorf("the public origin: %w", err)
		}
	}
	mux := chi.NewRouter()
	mux.NotFound(s.notFound)
	mux.MethodNotAllowed(asKnownMethod(mux))
	methods := map[string]map[string]bool{}
	add := func(method, path string, h http.HandlerFunc) {
		if methods[path] == nil {
			methods[path] = map[string]bool{http.MethodOptions: true}
		}
		methods[path][method] = true
		mux.Method(method, path, h)
	}
	for path, page := range s.pages(routes) {
		add(get, path, page)
		add(http.MethodHead, path, page)
	}
	for _, to := range routes {
		if err := to.Check(); err != nil {
			return nil, err
		}
		h := s.handle(&to)
		for _, path := range []string{to.Path, to.Path + "/"} {
			add(to.Method, path, h)
			if to.Method == get {
				add(http.MethodHead, path, h)
			}
		}
	}
	for path, known := range methods {
		other := s.methodNotAllowed(known)
		for _, method := range otherMethods(known) {
			mux.Method(method, path, other)
		}
	}
	return s.protect(mux), nil
}

func otherMethods(known map[string]bool) []string {
	var others []string
	for _, m := range []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
	} {
		if !known[m] || m == http.MethodOptions {
			others = append(others, m)
		}
	}
	return others
}

// handle returns the HTTP handler of a route.
func (s *server) handle(to *route.Route) http.HandlerFunc {
	version := versionOf(to.Path)
	return func(w http.ResponseWriter, r *http.Request) {
		httpcall.Of(r.Context()).Route = to.Path
		err := route.LimitBody(beneath(w), r, to.Handler.MaxBody)
		var ctx context.Context
		if err == nil {
			ctx, err = s.authorize(w, r, to)
		}
		if err == nil {
			err = s.admitted(ctx, w, r, to, version.strict) //nolint:contextcheck // ctx comes from the request by way of authorize
		}
		if errors.Is(err, wallet.ErrNotFound) {
			alias, _ := route.PathParam(r, "alias") // empty if the path is invalid
			err = version.noWallet(to.Path, alias)
		}
		if broken, ok := errors.AsType[*route.BrokenError](err); ok {
			s.abortResponse(r, broken)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}

// abortResponse logs that a response cannot be completed, and panics to close the connection,
// which is the only way to report this to the client.
func (s *server) abortResponse(r *http.Request, broken *route.BrokenError) {
	s.report(requestIDOf(r), broken.Unwrap())
	s.logAborted(r.Context(), broken, "request_id", requestIDOf(r))
	panic(http.ErrAbortHandler)
}

func (s *server) logAborted(ctx context.Context, broken *route.BrokenError, attributes ...any) {
	level := slog.LevelError
	if broken.Gone {
		level = slog.LevelDebug
	}
	s.log.Log(ctx, level, "response aborted", append(attributes, "error", broken.Unwrap())...)
}

const (
	maxHeaderBytes = 16 << 10
	headerTimeout  = 5 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 120 * time.Second
	stopTimeout    = 10 * time.Second
)

// Serve serves the connections of listener until ctx ends, and then waits up to ten
// seconds for the requests in progress before it aborts them. It closes the listener. It
// serves plain HTTP if certificate is nil.
func Serve(ctx context.Context, log *slog.Logger, listener net.Listener, handler http.Handler, certificate *Certificate) error {
	server := &http.Server{
		Handler:        handler,
		MaxHeaderBytes: maxHeaderBytes - 4096, // net/http adds 4096
		// ReadTimeout is for the header; code that reads a body sets its own deadline. With
		// ReadHeaderTimeout in addition, net/http would set a second deadline on every
		// request.
		ReadTimeout:  headerTimeout,
		WriteTimeout: writeTimeout,
		IdleTimeout:  idleTimeout,
		ErrorLog:     slog.NewLogLogger(log.Handler(), slog.LevelDebug), // mostly disconnected clients
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	})
	var err error
	if certificate != nil {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get}
		err = server.ServeTLS(listener, "", "")
	} else {
		err = server.Serve(listener)
	}
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	if err := <-stopped; err != nil {
		log.WarnContext(ctx, "requests aborted at shutdown", "error", err)
		return server.Close()
	}
	return nil
}

var errInactive = fault.New(fault.NotFound, "api_inactive",
	"the API is disabled; set SPECTER_API_ACTIVE=true and restart specterd")
