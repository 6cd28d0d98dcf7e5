package console

import (
	"errors"

	"github.com/specterd/specterd/internal/auth"
)

var firstRunRoutes = []route{
	{method: get, path: firstRunPath, audience: anyone, handle: (*call).showFirstRun},
	{method: post, path: firstRunPath, audience: anyone, handle: (*call).setFirstPassword},
}

var firstRunNotices = map[string]string{
	"first-password": "Your password is set. Next, create users, or your first wallet.",
	"first-run-over": "The password of the first admin has been set already. Sign in with it.",
}

const firstRunPath = "/first-run"

// firstRunPage asks for the password of the first admin.
type firstRunPage struct {
	Form      form
	User      string // name of the admin
	NeedsCode bool   // whether the setup code of the server's log is required
}

// goesToFirstRun reports whether the page of sign-in leads to the first run: while the first admin
// has the default password, unless the visitor wants to sign in as another user or had asked for
// a certain page.
func (c *call) goesToFirstRun() (bool, error) {
	if c.query("as") != "" || c.query("done") != "" || localPath(c.query("next")) != "/" {
		return false, nil
	}
	return c.FirstRun.Pending(c.r.Context())
}

func (c *call) showFirstRun() error {
	pending, err := c.FirstRun.Pending(c.r.Context())
	if err != nil {
		return err
	}
	if !pending {
		return c.redirect("/login", "")
	}
	return c.render("first-run", c.look.T("Welcome"), c.firstRunPage(c.newForm(nil)))
}

func (c *call) firstRunPage(f form) firstRunPage {
	return firstRunPage{Form: f, User: auth.FirstAdmin, NeedsCode: c.FirstRun.NeedsCode(c.info.Address)}
}

// setFirstPassword sets the password of the first admin and signs the visitor in.
func (c *call) setFirstPassword() error {
	ctx, password := c.r.Context(), c.form.Get("password")
	err := c.FirstRun.Set(ctx, c.form.Get("code"), password, c.info.Address)
	if errors.Is(err, auth.ErrFirstRunDone) {
		return c.redirect("/login", "first-run-over")
	}
	if err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		c.form.Del("password")
		return c.renderAs(f, "first-run", c.look.T("Welcome"), c.firstRunPage(c.newForm(f)))
	}
	secret, _, err := c.Sessions.Start(ctx, auth.FirstAdmin, password, c.info.Address, c.r.UserAgent())
	if err != nil {
		return err
	}
	c.setCookie(secret)
	return c.redirect("/", "first-password")
}
