package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
)

func (p *program) tokenCreateCommand() *cobra.Command {
	var user, expires string
	var scopes, wallets []string
	cmd := &cobra.Command{
		Use: "create DESCRIPTION --expires TIME", Short: "Create a token and print it once", Args: cobra.ExactArgs(1),
		Long: `Create a token and print it once.

The token is the only output to standard output, and is not stored: it cannot be shown
again. Without --scopes, it has node:read, wallets:*, addresses:write and proposals:*.

Scopes are separated by commas; GROUP:* selects all scopes of a group:

  ` + wrapWords(auth.AllScopes.Names(), 84) + `

Only tokens of admins can have ` + auth.AdminScopes.String() + `.`,
		Example: `  specterd token create shop --user alice --expires '90 days' --scopes addresses:write --wallets savings`,
		RunE: p.withAnyUser(func(cmd *cobra.Command, c *connection, args []string) error {
			return p.createTokenFor(cmd, c, args[0], expires, scopes, wallets)
		}, func(cmd *cobra.Command, a *app.App, args []string) error {
			params := auth.CreateTokenParams{Description: args[0]}
			var err error
			if params.Lifetime, err = lifetimeUntil(expires, a.Now()); err != nil {
				return err
			}
			if err := checkScopes(scopes); err != nil {
				return err
			}
			if cmd.Flags().Changed("scopes") {
				if params.Scopes, err = auth.ParseScopes("--scopes", scopes); err != nil {
					return err
				}
			}
			if cmd.Flags().Changed("wallets") {
				params.Wallets = append([]string{}, wallets...)
			}
			u, err := userNamed(cmd.Context(), a, user)
			if err != nil {
				return err
			}
			if err := checkWallets(cmd.Context(), a, u, "--wallets", wallets); err != nil {
				return err
			}
			tokens := a.Tokens()
			t, secret, err := tokens.Create(cmd.Context(), forTokensOf(u), params)
			if errors.Is(err, auth.ErrDescriptionTaken) {
				return fmt.Errorf("user %s has a token with this description already; expired ones count until they are revoked", u.Name)
			}
			if err != nil {
				return err
			}
			return p.printNewToken(cmd, api.TokenWithSecret{Token: v1.TokenOf(tokens, t), Secret: secret})
		}),
	}
	f := cmd.Flags()
	f.StringVar(&user, "user", auth.FirstAdmin, "user to whom the token belongs")
	f.StringVar(&expires, "expires", "", "lifetime or time of expiry, such as \"90 days\" or 2026-12-31T12:00:00Z, up to SPECTER_TOKEN_MAX_LIFETIME")
	f.StringSliceVar(&scopes, "scopes", nil, "scopes, such as addresses:write,proposals:*")
	f.StringSliceVar(&wallets, "wallets", nil, "aliases of the only wallets that the token can use (default all)")
	_ = cmd.MarkFlagRequired("expires")
	return addJSON(cmd)
}

// createTokenFor creates a token of the user of a connection.
func (p *program) createTokenFor(cmd *cobra.Command, c *connection, description, expires string, scopes, wallets []string) error {
	at, err := parseExpiry(expires, time.Now())
	if err != nil {
		return err
	}
	if err := checkScopes(scopes); err != nil {
		return err
	}
	request := api.CreateTokenRequest{Description: description, ExpiresAt: &at, Scopes: scopes}
	if cmd.Flags().Changed("wallets") {
		request.Wallets = append([]string{}, wallets...)
	}
	t, err := c.CreateToken(cmd.Context(), request)
	if err != nil {
		return err
	}
	return p.printNewToken(cmd, *t)
}

// wrapWords joins words to indented lines of at most width characters.
func wrapWords(words []string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range words {
		if column += len(word) + 1; column > width {
			b.WriteString("\n  ")
			column = len(word) + 1
		} else if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(word)
	}
	return b.String()
}

// forTokensOf returns the operator with the scopes of a user, whose token must not have
// others.
func forTokensOf(u auth.User) *auth.Principal {
	who := operator().For(u)
	who.Scopes = auth.ScopesOf(u.Admin)
	return who
}

// lifetimeUntil returns the lifetime that ends at the value of --expires.
func lifetimeUntil(expires string, now time.Time) (time.Duration, error) {
	at, err := parseExpiry(expires, now)
	if err != nil {
		return 0, err
	}
	d := at.Sub(now)
	if d <= 0 || d > auth.MaxLifetime {
		return 0, errUsage("--expires must be in the future and within 100 years")
	}
	return d, nil
}

// printNewToken prints a token to standard output, and its properties to standard error, so
// that a script can read the token.
func (p *program) printNewToken(cmd *cobra.Command, t api.TokenWithSecret) error {
	if wantsJSON(cmd) {
		return p.printJSON(t)
	}
	fmt.Fprintf(p.stderr, "Created token %s (%s), valid until %s, with %s, for the wallets: %s.\nIt is not shown again:\n",
		t.ID, t.Description, t.ExpiresAt.UTC().Format(timeLayout), strings.Join(t.Scopes, " "), walletsOf(t.Token))
	fmt.Fprintln(p.stdout, t.Secret)
	return nil
}

func (p *program) tokenRotateCommand() *cobra.Command {
	gracePeriod := "1h"
	cmd := &cobra.Command{
		Use: "rotate ID", Short: "Replace a token and print its successor once", Args: cobra.ExactArgs(1),
		Long: `Replace a token by a successor with the same description, scopes, wallets and expiry, and
print the successor once.

Tokens that were created with the old token are revoked together with it, at the end of
the grace period.`,
		RunE: p.withAnyUser(func(cmd *cobra.Command, c *connection, args []string) error {
			t, err := c.RotateToken(cmd.Context(), args[0], api.RotateTokenRequest{GracePeriod: &gracePeriod})
			if errors.Is(err, client.ErrTokenNotFound) {
				return unknownToken("rotate", args[0])
			}
			if err != nil {
				return err
			}
			return p.printNewToken(cmd, *t)
		}, func(cmd *cobra.Command, a *app.App, args []string) error {
			period, err := auth.ParseGracePeriod(gracePeriod)
			if err != nil {
				return errUsage("--grace-period must be a time such as 1h, or 0s to revoke the old token at once")
			}
			owner, err := a.Store.OwnerOfToken(cmd.Context(), args[0])
			if errors.Is(err, auth.ErrTokenNotFound) {
				return unknownToken("rotate", args[0])
			}
			if err != nil {
				return err
			}
			u, err := a.Store.UserByID(cmd.Context(), owner)
			if err != nil {
				return err
			}
			tokens := a.Tokens()
			t, secret, err := tokens.Rotate(cmd.Context(), forTokensOf(u), args[0], period)
			if errors.Is(err, auth.ErrTokenNotFound) {
				return unknownToken("rotate", args[0])
			}
			if err != nil {
				return err
			}
			return p.printNewToken(cmd, api.TokenWithSecret{Token: v1.TokenOf(tokens, t), Secret: secret})
		}),
	}
	cmd.Flags().StringVar(&gracePeriod, "grace-period", gracePeriod, "how long the old token stays valid; 0s revokes it at once")
	return addJSON(cmd)
}
