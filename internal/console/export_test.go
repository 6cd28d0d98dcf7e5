package console

import "sync"

// Route is a route of the console, for tests.
type Route struct {
	Method, Path                  string
	IsPublic, IsForAdmins, IsLive bool
	Role                          string
	NeedsProof                    bool
	Purpose                       string
}

// Routes returns the route table.
func Routes() []Route {
	var out []Route
	for _, to := range routes {
		out = append(out, Route{to.method, to.path, to.audience == anyone, to.audience == admins, to.path == livePath, string(to.role), to.proof, to.purpose})
	}
	return out
}

var german = sync.OnceValue(func() *catalogue { return catalogueOf("de") })

// German returns the German message of a text of the console.
func German(english string) string { return german().find(english) }
