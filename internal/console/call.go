package console

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/wallet"
)

// call is one request of a page.
type call struct {
	*Console
	w       http.ResponseWriter
	r       *http.Request
	info    *httpcall.Info
	to      route
	look    *look // language and unit
	secret  string
	session *auth.Session     // nil on a route for anyone
	who     *auth.Principal   // nil on a route for anyone
	access  wallet.Access     // on the route of a wallet
	view    wallet.View       // on the route of a wallet
	form    url.Values        // of a POST; empty for a GET
	stated  map[string]string // see form
	// wallets returns the wallets of the caller, and waiting those with proposals that wait for
	// the caller. Both read the database once.
	wallets func() ([]wallet.View, error)
	waiting func() ([]waitingIn, error)
	work    *httpcall.Limited // nil if the request is not limited
	release func()            // releases the room for the body; nil without a body
	// position is the position in the event log before the page was read; see notePosition.
	position string
	// self is the address of the page that a refused form is shown on, if pageAddress does not
	// find it.
	self string
}

const (
	maxForm   = 1 << 20
	maxUpload = 16 << 20 // a form with files
)

// enter checks that the caller may use the route, and reads the form.
func (c *call) enter() error {
	c.form = url.Values{}
	if err := c.authenticate(); err != nil {
		return err
	}
	if c.r.Method == post {
		if err := c.readForm(); err != nil {
			return err
		}
		if c.session != nil && (c.to.proof || c.form.Has(passwordField)) {
			if err := c.requireProof(); err != nil {
				return err
			}
		}
	}
	if err := c.admit(); err != nil {
		return err
	}
	if c.session != nil && !c.isBackground() {
		if err := c.notePosition(); err != nil {
			return err
		}
	}
	return c.openWallet()
}

// authenticate resumes the session, unless the route is for anyone.
func (c *call) authenticate() error {
	if c.to.audience == anyone {
		return nil
	}
	c.secret = c.cookie()
	if c.secret == "" {
		return auth.ErrUnauthenticated
	}
	if err := c.resume(); err != nil {
		return err
	}
	if c.to.audience == admins && !c.who.Admin {
		return errNoPage
	}
	return nil
}

// refreshHeader is set in requests of the script live.js, which are not requests of the user.
const refreshHeader = "Specterd-Refresh"

// isBackground reports whether a script sent the request without an action of the user.
func (c *call) isBackground() bool {
	return c.r.Method == get && c.r.Header.Get(refreshHeader) != "" || c.to.path == livePath
}

// isProgram reports whether the client takes no pages, such as a download manager or curl. The
// stream of changes is for a script of the console.
func (c *call) isProgram() bool { return !httpcall.IsBrowser(c.r) && c.to.path != livePath }

// resume reads the session and its user.
func (c *call) resume() (err error) {
	if c.isBackground() {
		c.session, c.who, err = c.Sessions.Peek(c.r.Context(), c.secret, c.info.Address)
	} else {
		c.session, c.who, err = c.Sessions.Resume(c.r.Context(), c.secret, c.info.Address, c.r.UserAgent())
	}
	if err != nil {
		return err
	}
	c.info.User = c.who.UserName
	c.r = c.r.WithContext(auth.WithPrincipal(c.r.Context(), c.who))
	return nil
}

// openWallet checks the caller's role in the wallet that the path names. For a wallet that
// the caller may not see, it returns the error for a missing page.
func (c *call) openWallet() (err error) {
	if c.to.role == "" {
		return nil
	}
	if c.access, err = c.Wallets.Access(c.r.Context(), c.who, c.param("alias")); err == nil {
		err = c.access.Need(c.to.role)
	}
	if err == nil {
		c.view, err = c.Wallets.Get(c.r.Context(), c.access)
	}
	if errors.Is(err, wallet.ErrNotFound) {
		return errNoPage
	}
	return err
}

func (c *call) readForm() error {
	most := int64(maxForm)
	multipart := strings.HasPrefix(c.r.Header.Get("Content-Type"), "multipart/form-data")
	if multipart {
		most = maxUpload
	}
	if err := c.reserve(most); err != nil {
		return err
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, most)
	err := c.r.ParseForm()
	if multipart {
		err = c.r.ParseMultipartForm(most)
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, "body_too_large", "The form is larger than %d MiB. Nothing was changed.", tooLarge.Limit>>20)
	}
	if err != nil {
		return fault.New(fault.Invalid, "invalid_form", "The form could not be read. Nothing was changed.").WithCause(err)
	}
	c.form = c.r.PostForm
	return nil
}

// param returns a parameter of the path.
func (c *call) param(name string) string {
	text := c.r.PathValue(name)
	if c.r.URL.RawPath == "" { // the router used the path without escapes
		return text
	}
	text, err := url.PathUnescape(text)
	if err != nil {
		return ""
	}
	return text
}

// query returns a parameter of the query.
func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// redirect ends a POST successfully. The page at path shows the notice with this code (see
// notices) if it is not empty.
func (c *call) redirect(path, notice string) error {
	if notice != "" {
		u, err := url.Parse(path)
		if err != nil {
			return err
		}
		q := u.Query()
		q.Set("done", notice)
		u.RawQuery = q.Encode()
		path = u.String()
	}
	http.Redirect(c.w, c.r, path, http.StatusSeeOther)
	return nil
}

// errSignedOut is shown to a program that is not signed in. It would follow a redirect, and could
// save the page of sign-in as the file that it requested.
var errSignedOut = fault.New(fault.Unauthenticated, "unauthenticated",
	"You are not signed in, or your session has ended. Sign in with a browser, and download the file there; programs use the API with an access token.")

// fail responds to a request with an error: with the page of sign-in without a session, with
// the page for the password if it must be entered again, and otherwise with an error page.
func (c *call) fail(err error) {
	switch f, _ := errors.AsType[*fault.Error](err); {
	case f != nil && f.Kind == fault.Unauthenticated && c.to.audience != anyone:
		// The cookie is not deleted: another response may have set a new one since this request.
		if c.isProgram() {
			c.showError(errSignedOut)
			return
		}
		q := url.Values{"next": {c.r.URL.RequestURI()}}
		switch {
		case c.r.Method != get && c.r.Method != http.MethodHead:
			q = url.Values{"next": {c.pageOfForm()}, "done": {"session-ended"}}
		case c.secret != "":
			q.Set("done", "session-over")
		}
		http.Redirect(c.w, c.r, "/login?"+q.Encode(), http.StatusSeeOther)
	case errors.Is(err, errProof) && c.r.Method == post && c.session != nil:
		c.askPassword(f)
	default:
		c.showErrorFor(httpcall.Shown(c.Log, c.r, err), c.invitedBy(err))
	}
}

// invitedBy returns the invitations of the user if err is that a page of a wallet is missing, which
// may be because the user has not accepted one yet. They do not depend on the path, so that the
// page of the error reveals nothing about the wallets of others.
func (c *call) invitedBy(err error) []wallet.Invitation {
	if !errors.Is(err, errNoPage) || c.who == nil || c.to.role == "" && c.to.path != sharedProposalPath {
		return nil
	}
	invited, err := c.Wallets.OwnInvitations(c.r.Context(), c.who)
	if err != nil {
		c.Log.WarnContext(c.r.Context(), "invitations not read for an error page", "error", err)
	}
	return invited
}

// pageOfForm returns the path of the page with the form that was sent: the longest beginning of the
// form's path that is the path of a page.
func (c *call) pageOfForm() string {
	route, at := c.to.path, c.r.URL.EscapedPath()
	for len(route) > 1 && !c.pages[route] {
		route, at = path.Dir(route), path.Dir(at)
	}
	return at
}

// walletPath returns the path of a page of the call's wallet.
func (c *call) walletPath(parts ...string) string { return walletPath(c.access.Alias(), parts...) }

func walletPath(alias string, parts ...string) string {
	path := "/wallets/" + url.PathEscape(alias)
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// origin returns the origin of the console's URLs, as browsers have it.
func (c *call) origin() string {
	switch {
	case c.Origin != "":
		return c.Origin
	case c.info.Secure:
		return "https://" + c.r.Host
	}
	return "http://" + c.r.Host
}
