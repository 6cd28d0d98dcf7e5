package console

import (
	"net/http"
	"slices"

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
	// proof is set if the user must have entered the password within the last ten minutes.
	proof  bool
	handle func(*call) error
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
