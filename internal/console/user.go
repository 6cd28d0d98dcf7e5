package console

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

var userRoutes = []route{
	{method: get, path: "/users", audience: admins, handle: (*call).listUsers},
	{method: post, path: "/users", audience: admins, proof: true, purpose: "To create a user, enter your password again.", handle: (*call).createUser},
	{method: get, path: "/users/{name}", audience: admins, handle: (*call).showUser},
	{method: post, path: "/users/{name}/password", audience: admins, proof: true, purpose: "To set a new password for %s, enter your own password again.", handle: (*call).resetPassword},
	{method: post, path: "/users/{name}/status", audience: admins, proof: true, purpose: "To change the state of the user %s, enter your password again.", handle: (*call).changeUserStatus},
	{method: post, path: "/users/{name}/quotas", audience: admins, proof: true, purpose: "To change the limits of the user %s, enter your password again.", handle: (*call).changeQuotas},
	{method: post, path: "/users/{name}/tokens", audience: admins, proof: true, purpose: "To revoke all tokens of %s, enter your password again.", handle: (*call).revokeUserTokens},
	{method: post, path: "/users/{name}/delete", audience: admins, proof: true, purpose: "To delete the user %s, enter your password again.", handle: (*call).deleteUser},
}

var userNotices = map[string]string{ //nolint:gosec // not a credential
	"user-created":   "The user is created. Tell them the name and the password; they can change the password in their settings.",
	"user-enabled":   "The user is enabled and can sign in again.",
	"user-disabled":  "The user is disabled. Their sessions have ended and their tokens are revoked.",
	"user-admin":     "The user is an admin now. Their sessions have ended, and they sign in again.",
	"user-not-admin": "The user is not an admin any more. Their sessions have ended.",
	"user-password":  "The password is reset. The sessions of the user have ended and their tokens are revoked.",
	"user-tokens":    "All tokens of the user are revoked.",
	"user-quotas":    "The limits are saved.",
	"user-deleted":   "The user is deleted.",
}

// usersAtOnce is the number of users on a page.
const usersAtOnce = 100

// usersPage lists the users.
type usersPage struct {
	Users []auth.User
	First bool
	Next  string // path of the next page; empty on the last
	Form  form   // of a new user
}

func (c *call) listUsers() error { return c.renderUsers(c.newForm(nil)) }

func (c *call) renderUsers(f form) error {
	found, err := c.Users.List(c.r.Context(), c.query("after"), usersAtOnce+1)
	if err != nil {
		return err
	}
	p := usersPage{Users: found, First: c.query("after") == "", Form: f}
	if len(found) > usersAtOnce {
		p.Users = found[:usersAtOnce]
		p.Next = "/users?" + url.Values{"after": {p.Users[usersAtOnce-1].Name}}.Encode()
	}
	return c.renderForm(f, "users", c.look.T("Users"), p)
}

func (c *call) createUser() error {
	u, err := c.Users.Create(c.r.Context(), c.who, strings.TrimSpace(c.form.Get("name")), c.form.Get("password"), c.form.Get("admin") != "")
	if err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		c.form.Del("password")
		return c.renderUsers(c.newForm(f))
	}
	return c.redirect(userPath(u.Name), "user-created")
}

// userPath returns the path of the page of a user.
func userPath(name string, parts ...string) string {
	return "/users/" + strings.Join(append([]string{url.PathEscape(name)}, parts...), "/")
}

// userPage shows a user to admins.
type userPage struct {
	User   *auth.User
	Self   bool // whether the caller is this user
	Quotas []auth.QuotaUse
	Tokens []tokenRow // the first ones
	More   bool       // whether there are other tokens
	Form   form
}

// Path returns the path of the user's page, or of a form on it.
func (p userPage) Path(parts ...string) string { return userPath(p.User.Name, parts...) }

// OwnLimit returns the limit that an admin has set for a quota, or an empty text.
func (p userPage) OwnLimit(q auth.QuotaUse) string {
	if p.Form.Refused() {
		return p.Form.Value(string(q.Quota))
	}
	if !q.Own {
		return ""
	}
	return strconv.FormatInt(q.Limit, 10)
}

func (c *call) showUser() error { return c.renderUser(c.newForm(nil)) }

func (c *call) renderUser(f form) error {
	ctx := c.r.Context()
	u, err := c.Users.Get(ctx, c.param("name"))
	if err != nil {
		return missing(err, auth.ErrUserNotFound)
	}
	p := userPage{User: &u, Self: u.ID == c.who.UserID, Form: f}
	if p.Quotas, err = c.Users.QuotaUse(ctx, u); err != nil {
		return err
	}
	const shown = 20
	tokens, err := c.Tokens.ListOf(ctx, u.ID, auth.TokenCursor{}, shown+1)
	if err != nil {
		return err
	}
	if p.More = len(tokens) > shown; p.More {
		tokens = tokens[:shown]
	}
	p.Tokens = c.tokenTree(tokens, nil)
	return c.renderForm(f, "user", u.Name, p)
}

// changeUser makes a change to the user of the page, and shows the page with a notice.
func (c *call) changeUser(change auth.UserChange, notice string) error {
	u, err := c.Users.Change(c.r.Context(), c.who, c.param("name"), change)
	if err != nil {
		return c.userAgain(err)
	}
	return c.redirect(userPath(u.Name), notice)
}

// userAgain shows the page of the user with the problem of a form on it.
func (c *call) userAgain(err error) error {
	f, err := again(missing(err, auth.ErrUserNotFound))
	if err != nil {
		return err
	}
	c.form.Del("password")
	return c.renderUser(c.newForm(f))
}

func (c *call) resetPassword() error {
	password := c.form.Get("password")
	return c.changeUser(auth.UserChange{Password: &password}, "user-password")
}

// userStatuses are the values of the field status, each with its change and notice.
var userStatuses = map[string]struct {
	change auth.UserChange
	notice string
}{
	"enabled":  {auth.UserChange{Disabled: new(false)}, "user-enabled"},
	"disabled": {auth.UserChange{Disabled: new(true)}, "user-disabled"},
	"admin":    {auth.UserChange{Admin: new(true)}, "user-admin"},
	"user":     {auth.UserChange{Admin: new(false)}, "user-not-admin"},
}

func (c *call) changeUserStatus() error {
	s, ok := userStatuses[c.form.Get("status")]
	if !ok {
		return c.userAgain(fault.InvalidField("status", "must be enabled, disabled, admin or user"))
	}
	return c.changeUser(s.change, s.notice)
}

// changeQuotas sets the limits of the user. An empty field restores the limit of the server.
func (c *call) changeQuotas() error {
	change := auth.UserChange{Quotas: map[auth.Quota]*int64{}}
	for _, q := range auth.Quotas() {
		if !c.form.Has(string(q.Quota)) {
			continue
		}
		text := strings.ReplaceAll(c.form.Get(string(q.Quota)), string(narrowSpace), "")
		if text = strings.TrimSpace(text); text == "" {
			change.Quotas[q.Quota] = nil
			continue
		}
		limit, err := strconv.ParseInt(text, 10, 64)
		if err != nil || limit < 0 || limit > auth.MaxQuota {
			return c.userAgain(fault.InvalidField(string(q.Quota), "must be a number between 0 and %d", auth.MaxQuota))
		}
		change.Quotas[q.Quota] = &limit
	}
	if change.IsEmpty() {
		return c.userAgain(fault.InvalidField("quotas", "name at least one limit"))
	}
	return c.changeUser(change, "user-quotas")
}

func (c *call) revokeUserTokens() error {
	if c.form.Get("revoke") != "all" {
		return c.userAgain(fault.InvalidField("revoke", "must be all"))
	}
	if err := c.Users.RevokeTokens(c.r.Context(), c.who, c.param("name")); err != nil {
		return c.userAgain(err)
	}
	return c.redirect(userPath(c.param("name")), "user-tokens")
}

func (c *call) deleteUser() error {
	name := c.param("name")
	if c.form.Get("name") != name {
		return c.userAgain(fault.InvalidField("name", "must be the name of the user who is deleted"))
	}
	err := c.Users.Delete(c.r.Context(), c.who, name, c.form.Get("wallets") == "delete")
	if errors.Is(err, auth.ErrLastOwner) {
		err = auth.ErrLastOwner.WithMessage("This user is the only owner of some wallets. Make other members owners first, or delete these wallets with the user.")
	}
	if err != nil {
		return c.userAgain(err)
	}
	return c.redirect("/users", "user-deleted")
}

// quotaNames are the names of quotas in words.
var quotaNames = map[auth.Quota]string{
	auth.QuotaWallets: "Wallets", auth.QuotaTokens: "Access tokens", auth.QuotaProposals: "Open proposals", auth.QuotaRescans: "Rescans",
	auth.QuotaIdempotencyKeys: "Idempotency keys", auth.QuotaInvitations: "Open invitations", auth.QuotaWebhooks: "Webhooks",
	auth.QuotaLabels: "Labels in a wallet", auth.QuotaFrozen: "Frozen UTXOs in a wallet", auth.QuotaAddresses: "Addresses in a wallet",
}

// quotaName returns the name of a quota in words.
func (l *look) quotaName(q auth.Quota) string {
	if name, ok := quotaNames[q]; ok {
		return l.T(name)
	}
	return string(q)
}
