package console

import (
	"net/http"
	"slices"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
)

// audience is who may request a route.
type audience uint8

const (
	anyone audience = iota // also without a session
	users                  // with a session
	admins
)

// route is a route of the console.
type route struct {
	method, path string
	audience     audience
	// role is the least role in the wallet of {alias}; empty for other routes.
	role auth.WalletRole
	// proof is set if the user must have entered the password within the last ten minutes, and
	// purpose says what for: a sentence, which can contain parameters of the path in
	// their order, and the name of the wallet instead of its alias.
	proof   bool
	purpose string
	// heavy is set for a POST that can use more than about ten milliseconds of processor time.
	heavy bool
	// stream is set if the response is a file that is written while it is read.
	stream bool
	handle func(*call) error
}

// kind returns how the requests to a route count in the limits of requests in progress. Every
// page counts, because it lists the proposals that wait for the user. ok is false for requests
// that are not limited: revoking access must work while others wait, and the stream of changes
// has a limit of its own.
func (to route) kind() (kind admission.Kind, ok bool) {
	switch {
	case to.audience == anyone, to.path == livePath:
		return 0, false
	case to.stream:
		return admission.Stream, true
	case to.method == get:
		return admission.Page, true
	}
	return admission.Work, to.heavy
}

// livePath is the path of the stream that reports changes.
const livePath = "/live"

const (
	get  = http.MethodGet
	post = http.MethodPost
)

// routes is the route table of the console. GET changes nothing.
var routes = slices.Concat(frameRoutes, walletRoutes, proposalRoutes, accessRoutes, setupRoutes)

var frameRoutes = []route{
	{method: get, path: "/login", audience: anyone, handle: (*call).showSignIn},
	{method: post, path: "/login", audience: anyone, handle: (*call).signIn},
	{method: post, path: "/logout", audience: anyone, handle: (*call).signOut},
	{method: post, path: "/display", audience: anyone, handle: (*call).setDisplay},
	{method: get, path: livePath, audience: users, handle: (*call).streamEvents},
	{method: get, path: "/", audience: users, handle: (*call).home},
}
