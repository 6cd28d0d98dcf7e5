package console

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// Names of the session's cookie. Browsers accept the prefix __Host- only over HTTPS, and only
// for a cookie without a domain, which no subdomain can set (RFC 6265bis, section 4.1.3.2).
const (
	secureCookie = "__Host-specterd"
	plainCookie  = "specterd"
)

func (c *call) cookieName() string {
	if c.info.Secure {
		return secureCookie
	}
	return plainCookie
}

// cookie returns the secret of the session, or an empty string.
func (c *call) cookie() string {
	found := c.r.CookiesNamed(c.cookieName())
	if len(found) != 1 { // two of the same name would let another page choose
		return ""
	}
	return found[0].Value
}

func (c *call) setCookie(secret string) { c.putCookie(c.cookieName(), secret, 0) }

func (c *call) clearCookie() { c.putCookie(c.cookieName(), "", -1) }

// putCookie sets a cookie, for as long as the browser is open if maxAge is 0, and for that many
// seconds otherwise. A negative maxAge deletes it.
func (c *call) putCookie(name, value string, maxAge int) {
	//nolint:gosec // Secure is not set on plain HTTP, where browsers would drop the cookie
	http.SetCookie(c.w, &http.Cookie{Name: name, Value: value, Path: "/", Secure: c.info.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: maxAge})
}

// signInPage is the page of sign-in.
type signInPage struct {
	Form form
	Next string // path to continue with
}

func (c *call) showSignIn() error {
	if secret := c.cookie(); secret != "" {
		if _, _, err := c.Sessions.Resume(c.r.Context(), secret, c.info.Address, c.r.UserAgent()); err == nil {
			return c.redirect(localPath(c.query("next")), "")
		}
	}
	if first, err := c.goesToFirstRun(); err != nil {
		return err
	} else if first {
		return c.redirect(firstRunPath, "")
	}
	return c.render("signin", c.look.T("Sign in"), signInPage{Form: c.newForm(nil), Next: localPath(c.query("next"))})
}

func (c *call) signIn() error {
	name, next := strings.TrimSpace(c.form.Get("user")), localPath(c.form.Get("next"))
	secret, _, err := c.Sessions.Start(c.r.Context(), name, c.form.Get("password"), c.info.Address, c.r.UserAgent())
	if errors.Is(err, auth.ErrUnauthenticated) {
		err = fault.New(fault.Unauthenticated, "wrong_password", "The user name or the password is wrong, or the user is disabled.")
	}
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case ok:
		c.form.Del("password")
		return c.renderAs(f, "signin", c.look.T("Sign in"), signInPage{Form: c.newForm(f), Next: next})
	case err != nil:
		return err
	}
	c.setCookie(secret)
	return c.redirect(next, "")
}

func (c *call) signOut() error {
	if secret := c.cookie(); secret != "" {
		if err := c.Sessions.End(c.r.Context(), secret); err != nil {
			return err
		}
	}
	c.clearCookie()
	c.w.Header().Set("Clear-Site-Data", `"cache"`)
	return c.redirect("/login", "signed-out")
}

// localPath returns text if it is the path of a page of this server, and otherwise the path
// of the home page, so that a link to the page of sign-in cannot lead to another site.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\\r\n\t") {
		return "/"
	}
	if u.Path == "/login" || u.Path == livePath {
		return "/"
	}
	return text
}

// passwordField is the name of the field with the password in forms of routes with proof.
const passwordField = "_password"

// requireProof checks that the password was entered within the last ten minutes, or in this
// form; otherwise it returns a fault that makes fail ask for it.
func (c *call) requireProof() error {
	password := c.form.Get(passwordField)
	c.form.Del(passwordField)
	if c.session.ProvedWithin(c.Now()) {
		return nil
	}
	if password == "" {
		return errProof
	}
	secret, err := c.Sessions.Prove(c.r.Context(), c.secret, password, c.info.Address, c.r.UserAgent())
	if errors.Is(err, auth.ErrWrongPassword) {
		return errProof.WithMessage("The password is wrong. Nothing was changed.")
	}
	if err != nil {
		return err
	}
	c.setCookie(secret)
	c.secret = secret
	return c.resume()
}

// errProof is shown without an explanation, which the page has.
var errProof = auth.ErrProofRequired.WithMessage("Enter your password again.")

// proofPage asks for the password, and then sends the form again.
type proofPage struct {
	Form    form
	Purpose string // a sentence that says what the password is for
	Action  string
	Hidden  []hiddenField
}

type hiddenField struct{ Name, Value string }

// purpose returns what the password is for in the language of the call.
func (c *call) purpose() string {
	var args []any
	if strings.Contains(c.to.purpose, "%") {
		for _, m := range pathParam.FindAllStringSubmatch(c.to.path, -1) {
			arg := c.param(m[1])
			if m[1] == "alias" && c.openWallet() == nil { // otherwise the next request gets the error
				arg = cmp.Or(c.view.Name, arg)
			}
			args = append(args, arg)
		}
	}
	return c.look.T(c.to.purpose, args...)
}

// pathParam matches a parameter in the path of a route.
var pathParam = regexp.MustCompile(`\{(\w+)\}`)

// askPassword shows a page that asks for the password and then sends the form again.
func (c *call) askPassword(f *fault.Error) {
	p := proofPage{Purpose: c.purpose(), Action: c.r.URL.RequestURI()}
	if f.Message != errProof.Message {
		p.Form = c.newForm(f)
	}
	for _, name := range slices.Sorted(maps.Keys(c.form)) {
		for _, value := range c.form[name] {
			p.Hidden = append(p.Hidden, hiddenField{name, value})
		}
	}
	c.failing(c.renderAs(f, "proof", c.look.T("Enter your password again"), p))
}
