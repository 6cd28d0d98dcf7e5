package console

import (
	"errors"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

var settingsRoutes = []route{
	{method: get, path: "/settings", audience: users, handle: (*call).showSettings},
	{method: post, path: "/settings/password", audience: users, handle: (*call).changePassword},
	{method: post, path: "/settings/sessions", audience: users, handle: (*call).endSessions},
}

var settingsNotices = map[string]string{
	"password-changed": "Your password is changed. Your other sessions have ended.",
	"session-gone":     "The session has ended.",
	"sessions-gone":    "Your other sessions have ended.",
	"display-saved":    "The display is saved in this browser.",
}

// settingsPage has the settings of the user.
type settingsPage struct {
	Form      form // of the password
	Unit      string
	Theme     string
	Lang      string
	Sessions  []sessionRow
	Quotas    []auth.QuotaUse
	APIActive bool
}

// sessionRow is a session of the user in a list.
type sessionRow struct {
	auth.Session
	Browser string
	Current bool // whether it is the session of the request
}

func (c *call) showSettings() error { return c.renderSettings(c.newForm(nil)) }

// renderSettings shows the settings with the form of the password, which may be refused.
func (c *call) renderSettings(f form) error {
	ctx := c.r.Context()
	sessions, err := c.Sessions.List(ctx, c.who)
	if err != nil {
		return err
	}
	user, err := c.Users.Get(ctx, c.who.UserName)
	if err != nil {
		return err
	}
	p := settingsPage{Form: f, Unit: c.look.unit, Theme: chosen(c.r, themeCookie, themes), Lang: c.look.lang, APIActive: c.APIActive}
	if p.Quotas, err = c.Users.QuotaUse(ctx, user); err != nil {
		return err
	}
	for _, s := range sessions {
		p.Sessions = append(p.Sessions, sessionRow{Session: s, Browser: browserOf(s.Agent), Current: s.ID == c.session.ID})
	}
	return c.renderForm(f, "settings", c.look.T("Settings"), p)
}

// changePassword changes the password of the user, who enters the old one again even if that
// was done in the last minutes. The session continues, and all others end.
func (c *call) changePassword() error {
	err := c.proveWith(c.form.Get("current"))
	var secret string
	if err == nil {
		secret, err = c.Users.ChangePasswordInSession(c.r.Context(), c.who, c.form.Get("password"), c.form.Get("revoke") != "")
	}
	if err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		c.form.Del("current")
		c.form.Del("password")
		return c.renderSettings(c.newForm(f))
	}
	c.setCookie(secret)
	return c.redirect("/settings", "password-changed")
}

// proveWith compares the password of the user with the field current of a form, and replaces
// the secret of the session.
func (c *call) proveWith(password string) error {
	secret, err := c.Sessions.Prove(c.r.Context(), c.secret, password, c.info.Address, c.r.UserAgent())
	if f, ok := errors.AsType[*fault.Error](err); ok && errors.Is(err, auth.ErrWrongPassword) {
		return f.ForField("current")
	}
	if err != nil {
		return err
	}
	c.setCookie(secret)
	c.secret = secret
	return c.resume()
}

// endSessions ends one of the user's sessions, or all except the current one.
func (c *call) endSessions() error {
	switch id := c.form.Get("id"); id {
	case "others":
		if _, err := c.Sessions.DeleteOthers(c.r.Context(), c.who); err != nil {
			return err
		}
		return c.redirect("/settings", "sessions-gone")
	case c.session.ID:
		return c.signOut()
	default:
		if err := c.Sessions.Delete(c.r.Context(), c.who, id); err != nil {
			return missing(err, auth.ErrSessionNotFound)
		}
		return c.redirect("/settings", "session-gone")
	}
}

// browsers and systems are names, each after the text in a User-Agent by which it is
// recognized. The first match counts, because browsers also name others.
var (
	browsers = [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}}
	systems  = [][2]string{{"Android", "Android"}, {"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}}
)

// browserOf returns a short name for a User-Agent, such as "Firefox, Linux", or the text itself
// if it names no known browser.
func browserOf(agent string) string {
	name := func(list [][2]string) string {
		for _, entry := range list {
			if strings.Contains(agent, entry[0]) {
				return entry[1]
			}
		}
		return ""
	}
	browser, system := name(browsers), name(systems)
	switch {
	case browser == "":
		return agent
	case system == "":
		return browser
	}
	return browser + ", " + system
}
