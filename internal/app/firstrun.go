package app

import (
	"context"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
)

// firstRun returns the service with which the console sets the password of the first admin.
// If a proxy may forward requests of other machines, it creates a setup code and logs it,
// provided that the password is still awaited.
func (a *App) firstRun(ctx context.Context, login *auth.Login) (*auth.FirstRun, error) {
	local := config.IsLoopback(a.Config.Host) && len(a.Config.AllowedHosts) == 0 && len(a.Config.TrustedProxies) == 0 && a.Config.PublicOrigin == ""
	if local {
		return auth.NewFirstRun(a.Users, login, true, ""), nil
	}
	code := auth.NewSetupCode()
	first := auth.NewFirstRun(a.Users, login, false, code)
	pending, err := first.Pending(ctx)
	if err != nil {
		return nil, err
	}
	if pending {
		a.Log.WarnContext(ctx, "the first admin has the default password; set another one in the console with the setup code, or with: specterd user set admin --password", "setup_code", code)
	}
	return first, nil
}
