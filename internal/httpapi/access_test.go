package httpapi_test

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
)

// TestRoutes_OfWallets checks that the alias in a path is resolved for every route that has
// one, because the role of the route is one in a wallet, and that the server refuses to
// start otherwise.
func TestRoutes_OfWallets(t *testing.T) {
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		check(t, to.Check())
		if strings.Contains(to.Path, "{alias}") != to.Role.OfWallet() {
			t.Errorf("%s %s requires the role %q", to.Method, to.Path, to.Role)
		}
		if to.Role.OfWallet() {
			to.Role = route.AnyRole
		} else {
			to.Role = route.Viewer
		}
		if err := to.Check(); err == nil {
			t.Errorf("%s %s may have the role %q", to.Method, to.Path, to.Role)
		}
	}
}
