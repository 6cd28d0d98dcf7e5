package cli

import (
	"strings"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
)

// shownCaller is the output of whoami --json.
type shownCaller struct {
	Server *string         `json:"server"` // nil for the database of this machine
	User   api.UserDetails `json:"user"`
	Token  *api.Token      `json:"token"` // nil without a token
}

func (p *program) whoamiCommand() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use: "whoami", Short: "Show the user and the token of commands", Args: cobra.NoArgs,
		Long: `Show the user on whose behalf commands act, and with --server, the scopes, the wallets and
the expiry of the token.`,
		Example: "  specterd whoami --server https://specterd.example --token-file ~/.config/specterd/token",
		RunE: p.withAPI(&user, false, func(cmd *cobra.Command, c *connection, _ []string) error {
			self, err := c.GetSelf(cmd.Context())
			if err != nil {
				return err
			}
			out := shownCaller{User: *self}
			if c.server != nil {
				out.Server = &c.server.URL
				if out.Token, err = c.GetOwnToken(cmd.Context()); err != nil {
					return err
				}
			}
			if wantsJSON(cmd) {
				return p.printJSON(out)
			}
			return p.printCaller(out)
		}),
	}
	addWalletFlags(cmd, &user)
	return addJSON(cmd)
}

func (p *program) printCaller(c shownCaller) error {
	w, row := p.properties()
	row("user", "%s", c.User.Name)
	role := "user"
	if c.User.Admin {
		role = "admin"
	}
	row("role", "%s", role)
	if c.Server == nil {
		return w.Flush()
	}
	row("server", "%s", *c.Server)
	row("token", "%s (%s)", c.Token.ID, c.Token.Description)
	row("scopes", "%s", strings.Join(c.Token.Scopes, " "))
	row("wallets", "%s", walletsOf(*c.Token))
	row("expires", "%s", expiryOf(*c.Token))
	return w.Flush()
}
