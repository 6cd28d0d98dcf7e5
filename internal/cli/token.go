package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
)

func (p *program) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Create, list, show, rotate and revoke tokens",
	}
	addDataFlags(cmd.PersistentFlags())
	cmd.AddCommand(p.tokenCreateCommand(), p.tokenListCommand(), p.tokenShowCommand(), p.tokenRotateCommand(), p.tokenRevokeCommand())
	return cmd
}

func (p *program) tokenListCommand() *cobra.Command {
	var userName string
	cmd := &cobra.Command{
		Use: "list", Short: "List the tokens of all users", Args: cobra.NoArgs,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, _ []string) error {
			if userName != "" {
				if _, err := userNamed(cmd.Context(), a, userName); err != nil {
					return err
				}
			}
			tokens, owners, err := a.Store.AllTokens(cmd.Context(), userName)
			if err != nil {
				return err
			}
			service, now := a.Tokens(), a.Now()
			if err := service.FillAliases(cmd.Context(), tokens); err != nil {
				return err
			}
			owned := make([]ownedToken, len(tokens))
			for i, t := range tokens {
				owned[i] = ownedToken{t, owners[i]}
			}
			return printRows(
				p, cmd, owned, func(t ownedToken) any { return v1.ShowTokenOf(service, t.Token, t.user) },
				col("ID", func(t ownedToken) string { return t.ID }),
				col("USER", func(t ownedToken) string { return t.user }),
				col("DESCRIPTION", func(t ownedToken) string { return t.Description }),
				col("EXPIRES", func(t ownedToken) string { return expiryOf(t.Token, now) }),
				col("LAST USED", func(t ownedToken) string { return lastUseOf(t.Token) }),
				col("WALLETS", func(t ownedToken) string { return walletsOf(t.Token) }),
				col("SCOPES", func(t ownedToken) string { return t.Scopes.String() }),
			)
		}),
	}
	cmd.Flags().StringVar(&userName, "user", "", "only tokens of this user")
	return addJSON(cmd)
}

// ownedToken is a token with the name of its user.
type ownedToken struct {
	auth.Token
	user string
}

const timeLayout = "2006-01-02 15:04 UTC"

func expiryOf(t auth.Token, now time.Time) string {
	at := t.ExpiresAt.UTC().Format(timeLayout)
	if t.RemainingLife(now) == 0 {
		return "expired " + at
	}
	return at
}

func lastUseOf(t auth.Token) string {
	if t.LastUse.At.IsZero() {
		return "never"
	}
	return t.LastUse.At.UTC().Format(timeLayout) + " from " + t.LastUse.Address
}

func (p *program) tokenRevokeCommand() *cobra.Command {
	var keepSuccessors bool
	cmd := &cobra.Command{
		Use: "revoke ID…", Short: "Revoke tokens, their successors and tokens created by them", Args: cobra.MinimumNArgs(1),
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, ids []string) error {
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
			tokens, all := a.Tokens(), auth.Deleted{}
			for i, id := range ids {
				who := operator()
				who.UserID = owners[i]
				deleted, err := tokens.Delete(cmd.Context(), who, id, keepSuccessors)
				if err != nil {
					return revokeError(id, err)
				}
				all.Ended, all.Kept = append(all.Ended, deleted.Ended...), append(all.Kept, deleted.Kept...)
				if wantsJSON(cmd) {
					continue
				}
				fmt.Fprintf(p.stdout, "Revoked %s.\n", id)
				p.printOtherTokens("also revoked", id, deleted.Ended)
				p.printOtherTokens("kept", id, deleted.Kept)
			}
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowDeletedTokens(all))
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&keepSuccessors, "keep-successors", false, "keep tokens that resulted from rotation by the token itself or by another token")
	return addJSON(addYes(cmd))
}

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
	return p.confirm(cmd, "Revoke %s, with successors and tokens created by them?", strings.Join(names, ", "))
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
func (p *program) printOtherTokens(what, id string, tokens []auth.TokenName) {
	for _, t := range tokens {
		if t.ID != id {
			fmt.Fprintf(p.stdout, "  %s: %s (%s)\n", what, t.ID, t.Description)
		}
	}
}
