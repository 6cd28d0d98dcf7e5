package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/text"
)

// userNamed returns the user of this name. The error for an unknown user names it and, if
// there is one, a similar one.
func userNamed(ctx context.Context, a *app.App, name string) (auth.User, error) {
	u, err := a.Users.Get(ctx, name)
	if !errors.Is(err, auth.ErrUserNotFound) {
		return u, err
	}
	users, listErr := allUsers(ctx, a)
	if listErr != nil {
		return u, listErr
	}
	names := make([]string, len(users))
	for i, one := range users {
		names[i] = one.Name
	}
	return u, fmt.Errorf("user %q not found%s; \"specterd user list\" shows the names", name, didYouMean(name, names))
}

// didYouMean returns a suggestion for a mistyped word, or an empty text.
func didYouMean(word string, candidates []string) string {
	if near := text.Nearest(word, candidates); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

// checkScopes returns an error that names the first unknown scope.
func checkScopes(scopes []string) error {
	for _, scope := range scopes {
		if _, err := auth.ParseScopes("--scopes", []string{scope}); err != nil {
			return errUsage("--scopes: %q is not a scope%s; the scopes are %s", scope, didYouMean(scope, scopeValues()), auth.AllScopes)
		}
	}
	return nil
}

// checkKinds returns an error that names the first unknown kind of events.
func checkKinds(kinds []string) error {
	for _, kind := range kinds {
		if _, err := event.ParseKinds("--kinds", kind); err != nil {
			return errUsage("--kinds: %q is not a kind of events%s; the kinds are %s", kind, didYouMean(kind, kindValues()), strings.Join(texts(event.Kinds()), " "))
		}
	}
	return nil
}

// checkWallets returns an error that names the first alias that a user does not have.
func checkWallets(ctx context.Context, a *app.App, u auth.User, flag string, aliases []string) error {
	if len(aliases) == 0 {
		return nil
	}
	members, err := a.Store.Memberships(ctx, u.ID)
	if err != nil {
		return err
	}
	for _, alias := range aliases {
		if !slices.ContainsFunc(members, func(m auth.Membership) bool { return m.Alias == alias }) {
			return errNoWallet(flag+": ", u.Name, alias, members)
		}
	}
	return nil
}

// errNoWallet is the error for an alias that a user does not have.
func errNoWallet(prefix, user, alias string, members []auth.Membership) error {
	aliases := make([]string, len(members))
	for i, m := range members {
		aliases[i] = m.Alias
	}
	return fmt.Errorf("%suser %s has no wallet with the alias %q%s; \"specterd wallet list --user %s\" shows the aliases, and --user selects another user",
		prefix, user, alias, didYouMean(alias, aliases), user)
}
