package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
	"github.com/specterd/specterd/internal/text"
)

func (p *program) tokenShowCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "show ID", Short: "Show a token, its limits and related tokens", Args: cobra.ExactArgs(1),
		Long: `Show a token with its scopes, wallets, expiry and last use, the tokens that it resulted
from or that resulted from it, and who created it.

The token itself is not stored and cannot be shown.`,
		RunE: p.withAnyUser(p.showTokenOf, func(cmd *cobra.Command, a *app.App, args []string) error {
			found, err := findToken(cmd.Context(), a, args[0])
			if err != nil {
				return err
			}
			return p.printToken(cmd, found)
		}),
	})
}

// tokenFamily is a token with its user, and related tokens of the same user.
type tokenFamily struct {
	ownedToken
	parent, old, successor *api.Token // nil without one
	children               []api.Token

	by       auth.Entry // audit event of the creation; the zero value if it is unknown
	hasAudit bool       // whether it was looked up
}

// familyOf returns a token with related tokens among all tokens of a user.
func familyOf(user string, t api.Token, all []api.Token) tokenFamily {
	f := tokenFamily{ownedToken: ownedToken{user, t}}
	for i, one := range all {
		switch {
		case one.ID == value(t.ParentID):
			f.parent = &all[i]
		case one.ID == value(t.RotatedFrom):
			f.old = &all[i]
		case value(one.RotatedFrom) == t.ID:
			f.successor = &all[i]
		case value(one.ParentID) == t.ID:
			f.children = append(f.children, one)
		}
	}
	return f
}

// findToken returns the token with this id, of any user, with its related tokens.
func findToken(ctx context.Context, a *app.App, id string) (f tokenFamily, err error) {
	owner, err := a.Store.OwnerOfToken(ctx, id)
	if errors.Is(err, auth.ErrTokenNotFound) {
		return f, unknownToken("show", id)
	}
	if err != nil {
		return f, err
	}
	u, err := a.Store.UserByID(ctx, owner)
	if err != nil {
		return f, err
	}
	service := a.Tokens()
	t, err := service.Get(ctx, operator().For(u), id)
	if errors.Is(err, auth.ErrTokenNotFound) { // deleted, but it has successors
		return f, unknownToken("show", id)
	}
	if err != nil {
		return f, err
	}
	all, _, err := a.Store.AllTokens(ctx, u.Name)
	if err != nil {
		return f, err
	}
	related := make([]api.Token, len(all))
	for i, one := range all {
		related[i] = v1.TokenOf(service, one)
	}
	f = familyOf(u.Name, v1.TokenOf(service, t), related)
	f.by, err = creatorOf(ctx, a, t)
	f.hasAudit = true
	return f, err
}

// showTokenOf shows a token of the user of a connection, without who created it.
func (p *program) showTokenOf(cmd *cobra.Command, c *connection, args []string) error {
	name, err := c.userName(cmd.Context())
	if err != nil {
		return err
	}
	t, err := c.GetToken(cmd.Context(), args[0])
	if errors.Is(err, client.ErrTokenNotFound) {
		return unknownToken("show", args[0])
	}
	if err != nil {
		return err
	}
	all, err := collect(c.ListTokens(cmd.Context(), &client.ListTokensParams{Limit: pageSize}))
	if err != nil {
		return err
	}
	return p.printToken(cmd, familyOf(name, *t, all))
}

// shownToken is the output of token show --json.
type shownToken struct {
	ownedToken
	RotatedTo *string       `json:"rotated_to"`
	ChildIDs  []string      `json:"child_ids"`
	CreatedBy *tokenCreator `json:"created_by"`
}

type tokenCreator struct {
	User    *string `json:"user"`
	Address *string `json:"address"`
}

// shown returns the family as JSON.
func (f tokenFamily) shown() shownToken {
	out := shownToken{ownedToken: f.ownedToken, ChildIDs: []string{}}
	if f.successor != nil {
		out.RotatedTo = &f.successor.ID
	}
	for _, child := range f.children {
		out.ChildIDs = append(out.ChildIDs, child.ID)
	}
	if f.by.Action != "" {
		out.CreatedBy = &tokenCreator{text.Optional(f.by.UserName), text.Optional(f.by.Address)}
	}
	return out
}

// creatorOf returns the audit event of the creation of a token, or the zero value if it was
// archived, or if the token was imported.
func creatorOf(ctx context.Context, a *app.App, t auth.Token) (auth.Entry, error) {
	filter := auth.AuditFilter{Action: "token.create", Target: t.ID}
	if t.RotatedFrom != "" {
		filter = auth.AuditFilter{Action: "token.rotate", Target: t.RotatedFrom}
	}
	entries, err := auth.NewAudit(a.Store).List(ctx, filter, 0, rowsAtATime)
	for _, e := range entries {
		if t.RotatedFrom == "" || strings.Contains(e.Detail, t.ID) {
			return e, err
		}
	}
	return auth.Entry{}, err
}

// printToken prints a token and its related tokens.
func (p *program) printToken(cmd *cobra.Command, f tokenFamily) error {
	if wantsJSON(cmd) {
		return p.printJSON(f.shown())
	}
	w, row := p.properties()
	row("token", "%s", f.ID)
	row("user", "%s", f.User)
	row("description", "%s", f.Description)
	row("scopes", "%s", strings.Join(f.Scopes, " "))
	row("wallets", "%s", walletsOf(f.Token))
	row("expires", "%s", expiryOf(f.Token))
	row("last used", "%s", lastUseOf(f.Token))
	row("created", "%s%s", f.CreatedAt.UTC().Format(timeLayout), f.creatorText())
	if f.ParentID != nil {
		row("created with", "%s", tokenName(*f.ParentID, f.parent))
	}
	if f.RotatedFrom != nil {
		row("replaces", "%s", tokenName(*f.RotatedFrom, f.old))
	}
	if f.successor != nil {
		row("replaced by", "%s", tokenName(f.successor.ID, f.successor))
	}
	for _, child := range f.children {
		row("parent of", "%s", tokenName(child.ID, &child))
	}
	return w.Flush()
}

// walletsOf returns the aliases of the wallets that a token is limited to.
func walletsOf(t api.Token) string {
	switch {
	case t.Wallets == nil:
		return "all"
	case len(*t.Wallets) == 0:
		return "none"
	}
	return strings.Join(*t.Wallets, ",")
}

// creatorText describes who created a token, and from where; it is empty if that was not looked
// up.
func (f tokenFamily) creatorText() string {
	switch {
	case f.Imported:
		return " by an import from Specter Desktop"
	case !f.hasAudit:
		return ""
	case f.by.Action == "":
		return " by an unknown user, because the audit event was archived"
	case f.by.Address == "":
		return " by " + f.by.UserName
	}
	return " by " + f.by.UserName + " from " + f.by.Address
}

// tokenName describes a related token, which is nil if it was deleted.
func tokenName(id string, t *api.Token) string {
	if t == nil {
		return id + " (deleted)"
	}
	return id + " (" + t.Description + ")"
}
