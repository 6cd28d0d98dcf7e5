package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	v1 "github.com/specterd/specterd/internal/httpapi/v1"
)

func (p *program) tokenShowCommand() *cobra.Command {
	return addJSON(&cobra.Command{
		Use: "show ID", Short: "Show a token, its limits and related tokens", Args: cobra.ExactArgs(1),
		Long: `Show a token with its scopes, wallets, expiry and last use, the tokens that it resulted
from or that resulted from it, and who created it.

The token itself is not stored and cannot be shown.`,
		RunE: p.withApp(func(cmd *cobra.Command, a *app.App, args []string) error {
			found, err := findToken(cmd.Context(), a, args[0])
			if err != nil {
				return err
			}
			by, err := creatorOf(cmd.Context(), a, found.Token)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return p.printJSON(v1.ShowTokenWithFamily(a.Tokens(), found.Token, found.user, found.ids(by)))
			}
			return p.printToken(a, found, by)
		}),
	})
}

// tokenFamily is a token with its user, and related tokens of the same user.
type tokenFamily struct {
	ownedToken
	parent, old, successor *auth.Token // nil without one
	children               []auth.Token
}

// findToken returns the token with this id, of any user, with its related tokens.
func findToken(ctx context.Context, a *app.App, id string) (tokenFamily, error) {
	f := tokenFamily{}
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
	f.user = u.Name
	if f.Token, err = a.Tokens().Get(ctx, operator().For(u), id); errors.Is(err, auth.ErrTokenNotFound) { // deleted, but it has successors
		return f, unknownToken("show", id)
	}
	if err != nil {
		return f, err
	}
	all, _, err := a.Store.AllTokens(ctx, u.Name)
	for i, t := range all {
		switch {
		case t.ID == f.ParentID:
			f.parent = &all[i]
		case t.ID == f.RotatedFrom:
			f.old = &all[i]
		case t.RotatedFrom == id:
			f.successor = &all[i]
		case t.ParentID == id:
			f.children = append(f.children, t)
		}
	}
	return f, err
}

// ids returns the ids of the related tokens, with the audit event of the creation.
func (f tokenFamily) ids(by auth.Entry) v1.TokenFamily {
	out := v1.TokenFamily{CreatedBy: by}
	if f.successor != nil {
		out.Successor = f.successor.ID
	}
	for _, child := range f.children {
		out.Children = append(out.Children, child.ID)
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
func (p *program) printToken(a *app.App, f tokenFamily, by auth.Entry) error {
	w, row := p.properties()
	row("token", "%s", f.ID)
	row("user", "%s", f.user)
	row("description", "%s", f.Description)
	row("scopes", "%s", f.Scopes)
	row("wallets", "%s", walletsOf(f.Token))
	row("expires", "%s", expiryOf(f.Token, a.Now()))
	row("last used", "%s", lastUseOf(f.Token))
	row("created", "%s by %s", f.CreatedAt.UTC().Format(timeLayout), creatorText(f.Token, by))
	if f.ParentID != "" {
		row("created with", "%s", tokenName(f.ParentID, f.parent))
	}
	if f.RotatedFrom != "" {
		row("replaces", "%s", tokenName(f.RotatedFrom, f.old))
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
func walletsOf(t auth.Token) string {
	switch {
	case t.Wallets == nil:
		return "all"
	case len(t.Aliases) == 0:
		return "none"
	}
	return strings.Join(t.Aliases, ",")
}

// creatorText describes who created a token, and from where.
func creatorText(t auth.Token, by auth.Entry) string {
	switch {
	case t.Imported:
		return "an import from Specter Desktop"
	case by.Action == "":
		return "an unknown user, because the audit event was archived"
	case by.Address == "":
		return by.UserName
	}
	return by.UserName + " from " + by.Address
}

// tokenName describes a related token, which is nil if it was deleted.
func tokenName(id string, t *auth.Token) string {
	if t == nil {
		return id + " (deleted)"
	}
	return id + " (" + t.Description + ")"
}
