// Package console serves the web console: pages that the server renders, and the few scripts
// and the style sheet that they load. Everything that a page shows or does goes through the
// same services as the API, so that a page has no right that the API would refuse.
//
// Every request passes, in this order: the outer handler of package httpapi (request id, log
// line, Host, origin); the route table; the session; for some actions a password that was
// entered within the last ten minutes; the limits of requests in progress; the role in the
// wallet; the handler, a function from call to error. Handlers of GET render a page from a typed struct and change nothing. Handlers of
// POST call a service, and then redirect, or render the form again with its problems.
package console

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/keymutex"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/webhook"
)

// Node returns the last known status of the node without waiting for it.
type Node interface{ Status() nodestatus.Status }

// Options are the dependencies and the settings of the console.
type Options struct {
	Log       *slog.Logger
	Now       func() time.Time
	Sessions  *auth.Sessions
	FirstRun  *auth.FirstRun
	Users     *auth.Users
	Tokens    *auth.Tokens
	Audit     *auth.Audit
	Wallets   *wallet.Service
	Proposals *proposal.Service
	Events    *event.Service
	Webhooks  *webhook.Service
	Spending  *spending.Service
	Keys      *idempotency.Keys
	Node      Node
	// Gate limits the requests in progress, together with those of the API.
	Gate *admission.Gate
	// APIActive reports whether the API is enabled.
	APIActive bool
	// Origin is the origin that browsers use, such as https://specter.example.org; empty if it
	// is the Host of their requests.
	Origin string
	// Version is the version of the program.
	Version string
}

// Console is the handler of all pages.
type Console struct {
	Options
	mux    *chi.Mux
	assets *assets
	looks  *looks
	pages  map[string]bool // paths of the routes that show a page; see pageOfForm
	// creating is locked by the id of a user who creates a wallet.
	creating keymutex.Mutex
}

// New returns the console. The templates are parsed at the first page in each language, because
// parsing them would delay the start of the server.
func New(o Options) *Console {
	c := &Console{Options: o, mux: chi.NewRouter(), assets: newAssets(), pages: map[string]bool{}}
	c.looks = newLooks(c.assets)
	for _, to := range routes {
		h := c.handle(to)
		c.mux.Method(to.method, to.path, h)
		if to.method == http.MethodGet {
			c.mux.Method(http.MethodHead, to.path, h)
			c.pages[to.path] = true
		}
	}
	c.mux.Get("/assets/{file}", c.assets.serve)
	c.mux.NotFound(func(w http.ResponseWriter, r *http.Request) { c.ServeError(w, r, errNoPage) })
	c.mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { c.ServeError(w, r, errMethod) })
	return c
}

var (
	errNoPage = fault.New(fault.NotFound, "page_not_found", "There is no such page, or it is not yours.")
	errMethod = fault.New(fault.MethodNotAllowed, "method_not_allowed", "This page does not take such a request.")
)

// contentPolicy is the content security policy of all pages.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(self)")
	whole := r.URL.EscapedPath() // a name may end with a slash, which is escaped
	if path := strings.TrimSuffix(whole, "/"); path != "" && path != whole && r.Method == http.MethodGet {
		http.Redirect(w, r, localPath(path), http.StatusSeeOther) //nolint:gosec // localPath refuses //host
		return
	}
	c.mux.ServeHTTP(w, r)
}

// Serves implements httpapi.Console.
func (c *Console) Serves(r *http.Request) bool {
	path := cmp.Or(r.URL.RawPath, r.URL.Path) // as the router does
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/") // see ServeHTTP
	}
	return slices.ContainsFunc([]string{get, post}, func(method string) bool {
		return c.mux.Match(chi.NewRouteContext(), method, path)
	})
}

// handle returns the HTTP handler of a route.
func (c *Console) handle(to route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		info := httpcall.Of(r.Context())
		info.Route = to.path
		one := &call{Console: c, w: w, r: r, info: info, to: to, look: c.lookOf(r), stated: map[string]string{}}
		one.wallets = sync.OnceValues(func() ([]wallet.View, error) { return c.Wallets.List(one.r.Context(), one.who, "", 0) }) //nolint:contextcheck // the context is in the request
		one.waiting = sync.OnceValues(one.findWaiting)
		defer one.leave()
		err := one.enter() //nolint:contextcheck // as above
		if err == nil {
			err = to.handle(one)
		}
		if err != nil {
			one.fail(err) //nolint:contextcheck // as above
		}
	}
}
