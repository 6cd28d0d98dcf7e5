package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
)

func (p *program) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Create, list, show, rotate and revoke tokens",
		Long: `Create, list, show, rotate and revoke tokens.

With --server, these are the tokens of the user of the token in --token-file.`,
	}
	addDataFlags(cmd.PersistentFlags())
	config.AddClientFlags(cmd.PersistentFlags())
	cmd.AddCommand(p.tokenCreateCommand(), p.tokenListCommand(), p.tokenShowCommand(), p.tokenRotateCommand(), p.tokenRevokeCommand())
	return cmd
}

func (p *program) tokenListCommand() *cobra.Command {
	var userName string
	cmd := &cobra.Command{
		Use: "list", Short: "List the tokens of all users", Args: cobra.NoArgs,
		RunE: p.withAnyUser(p.listTokensOf, func(cmd *cobra.Command, a *app.App, _ []string) error {
			if userName != "" {
				if _, err := userNamed(cmd.Context(), a, userName); err != nil {
					return err
				}
			}
			tokens, owners, err := a.Store.AllTokens(cmd.Context(), userName)
			if err != nil {
				return err
			}
			service := a.Tokens()
			if err := service.FillAliases(cmd.Context(), tokens); err != nil {
				return err
			}
			owned := make([]ownedToken, len(tokens))
			for i, t := range tokens {
				owned[i] = ownedToken{owners[i], v1.TokenOf(service, t)}
			}
			return p.printTokens(cmd, owned)
		}),
	}
	cmd.Flags().StringVar(&userName, "user", "", "only tokens of this user")
	return addJSON(cmd)
}

// withAnyUser returns a function that calls remote with the API of the server that the settings
// name, or without one opens the database and calls local, which acts for any user.
func (p *program) withAnyUser(remote func(cmd *cobra.Command, c *connection, args []string) error, local func(cmd *cobra.Command, a *app.App, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := p.clientConfig(cmd)
		if err != nil {
			return err
		}
		if cfg.Server.URL == "" {
			return p.runOn(cmd, p.appOf(cfg, false), app.Existing, args, local)
		}
		c, err := p.connect(cmd, cfg.Server)
		if err != nil {
			return err
		}
		return c.explain(remote(cmd, c, args))
	}
}

// ownedToken is a token with the name of its user.
type ownedToken struct {
	User string `json:"user"`
	api.Token
}

// listTokensOf lists the tokens of the user of a connection, as the command does for all users.
func (p *program) listTokensOf(cmd *cobra.Command, c *connection, _ []string) error {
	name, err := c.userName(cmd.Context())
	if err != nil {
		return err
	}
	tokens, err := collect(c.ListTokens(cmd.Context(), &client.ListTokensParams{Limit: pageSize}))
	if err != nil {
		return err
	}
	owned := make([]ownedToken, len(tokens))
	for i, t := range tokens {
		owned[i] = ownedToken{name, t}
	}
	return p.printTokens(cmd, owned)
}

func (p *program) printTokens(cmd *cobra.Command, tokens []ownedToken) error {
	return printRows(
		p, cmd, tokens, itself,
		col("ID", func(t ownedToken) string { return t.ID }),
		col("USER", func(t ownedToken) string { return t.User }),
		col("DESCRIPTION", func(t ownedToken) string { return t.Description }),
		col("EXPIRES", func(t ownedToken) string { return expiryOf(t.Token) }),
		col("LAST USED", func(t ownedToken) string { return lastUseOf(t.Token) }),
		col("WALLETS", func(t ownedToken) string { return walletsOf(t.Token) }),
		col("SCOPES", func(t ownedToken) string { return strings.Join(t.Scopes, " ") }),
	)
}

const timeLayout = "2006-01-02 15:04 UTC"

func expiryOf(t api.Token) string {
	at := t.ExpiresAt.UTC().Format(timeLayout)
	if t.Expired {
		return "expired " + at
	}
	return at
}

func lastUseOf(t api.Token) string {
	if t.LastUsed == nil {
		return "never"
	}
	return t.LastUsed.At.UTC().Format(timeLayout) + " from " + t.LastUsed.Address
}

func (p *program) tokenRevokeCommand() *cobra.Command {
	var keepSuccessors bool
	cmd := &cobra.Command{
		Use: "revoke ID…", Short: "Revoke tokens, their successors and tokens created by them", Args: cobra.MinimumNArgs(1),
		RunE: p.withAnyUser(func(cmd *cobra.Command, c *connection, ids []string) error {
			return p.revokeTokensOf(cmd, c, ids, keepSuccessors)
		}, func(cmd *cobra.Command, a *app.App, ids []string) error {
			owners := make([]string, len(ids))
			for i, id := range ids {
				var err error
				if owners[i], err = a.Store.OwnerOfToken(cmd.Context(), id); err != nil {
					return revokeError(id, err)
				}
			}
			if err := p.confirmRevocation(cmd, a, ids, owners); err != nil {
				return err
			}
			tokens, all := a.Tokens(), api.TokensDeleted{}
			for i, id := range ids {
				who := operator()
				who.UserID = owners[i]
				deleted, err := tokens.Delete(cmd.Context(), who, id, keepSuccessors)
				if err != nil {
					return revokeError(id, err)
				}
				p.printRevoked(cmd, &all, id, v1.TokensDeletedOf(deleted))
			}
			if wantsJSON(cmd) {
				return p.printJSON(all)
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&keepSuccessors, "keep-successors", false, "keep tokens that resulted from rotation by the token itself or by another token")
	return addJSON(addYes(cmd))
}

// revokeTokensOf revokes tokens of the user of a connection, as the command does for all users.
func (p *program) revokeTokensOf(cmd *cobra.Command, c *connection, ids []string, keepSuccessors bool) error {
	names := make([]string, len(ids))
	for i, id := range ids {
		t, err := c.GetToken(cmd.Context(), id)
		switch {
		case errors.Is(err, client.ErrTokenNotFound): // it may have successors
			names[i] = id
		case err != nil:
			return err
		default:
			names[i] = id + " (" + t.Description + ")"
		}
	}
	if err := p.confirm(cmd, revocation, strings.Join(names, ", ")); err != nil {
		return err
	}
	var params client.DeleteTokenParams
	if keepSuccessors {
		params.Successors = "keep"
	}
	var all api.TokensDeleted
	for _, id := range ids {
		deleted, err := c.DeleteToken(cmd.Context(), id, &params)
		if errors.Is(err, client.ErrTokenNotFound) {
			return unknownToken("revoke", id)
		}
		if err != nil {
			return fmt.Errorf("revoke %s: %w", id, err)
		}
		p.printRevoked(cmd, &all, id, *deleted)
	}
	if wantsJSON(cmd) {
		return p.printJSON(all)
	}
	return nil
}

// printRevoked prints the tokens that the revocation of a token has revoked and kept, and adds
// them to all, which is the output as JSON.
func (p *program) printRevoked(cmd *cobra.Command, all *api.TokensDeleted, id string, deleted api.TokensDeleted) {
	all.Deleted, all.Kept = append(all.Deleted, deleted.Deleted...), append(all.Kept, deleted.Kept...)
	if wantsJSON(cmd) {
		return
	}
	fmt.Fprintf(p.stdout, "Revoked %s.\n", id)
	p.printOtherTokens("also revoked", id, deleted.Deleted)
	p.printOtherTokens("kept", id, deleted.Kept)
}

// revocation is the question before tokens are revoked.
const revocation = "Revoke %s, with successors and tokens created by them?"

// confirmRevocation asks whether to revoke tokens, which it describes.
func (p *program) confirmRevocation(cmd *cobra.Command, a *app.App, ids, owners []string) error {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id
		t, err := a.Store.TokenOfUser(cmd.Context(), owners[i], id)
		switch {
		case errors.Is(err, auth.ErrTokenNotFound): // deleted, but it has successors
		case err != nil:
			return err
		default:
			names[i] += " (" + t.Description + ")"
		}
	}
	return p.confirm(cmd, revocation, strings.Join(names, ", "))
}

// revokeError adds context to the error of a failed revocation. For an unknown token, it
// says how to list the ids.
func revokeError(id string, err error) error {
	if errors.Is(err, auth.ErrTokenNotFound) {
		return unknownToken("revoke", id)
	}
	return fmt.Errorf("revoke %s: %w", id, err)
}

// unknownToken is the error for an id of which there is no token.
func unknownToken(verb, id string) error {
	return fmt.Errorf("%s %s: token not found; it may have been deleted, and \"specterd token list\" shows the ids", verb, id)
}

// printOtherTokens prints the given tokens, except the token with this id.
func (p *program) printOtherTokens(what, id string, tokens []api.TokenName) {
	for _, t := range tokens {
		if t.ID != id {
			fmt.Fprintf(p.stdout, "  %s: %s (%s)\n", what, t.ID, t.Description)
		}
	}
}
