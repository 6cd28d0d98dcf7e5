package console

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/wallet"
)

// page has the values of the layout: the frame of every page, and the content in Body, whose
// template depends on the page.
type page struct {
	Title    string
	Lang     string
	Unit     string
	Theme    string // light, dark, or empty for the one of the system
	Here     string // path of the page, with its query
	Address  string // at which live.js requests the page again; see pageAddress
	State    string // see stateful
	Refused  bool   // whether the page shows the values of a form that was sent
	User     *auth.Principal
	Wallets  []navWallet
	Wallet   *wallet.View // of the page of a wallet
	Node     nodestatus.Status
	Notice   string // what the last form did
	Position string // in the event log; the stream of the page continues from there
	Insecure bool   // whether passwords can be read on the network
	Unsafe   bool   // whether the user has the default password
	Version  string
	Now      time.Time
	Body     any
}

// navWallet is a wallet in the navigation.
type navWallet struct {
	Alias, Name string
	Waiting     int // number of proposals that wait for the user
}

// Path returns the path of the wallet's page.
func (n navWallet) Path() string { return walletPath(n.Alias) }

// On reports whether the page is at path, or below it; for the navigation.
func (p page) On(path string) bool {
	here := pathOf(p.Here)
	return here == path || path != "/" && strings.HasPrefix(here, path+"/")
}

// At reports whether the page is at path.
func (p page) At(path string) bool {
	return pathOf(p.Here) == path
}

func pathOf(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	return path
}

// WalletPath returns the path of a page of the wallet.
func (p page) WalletPath(parts ...string) string {
	if p.Wallet == nil {
		return "/"
	}
	return walletPath(p.Wallet.Alias, parts...)
}

// May reports whether the user's role in the wallet of the page covers a role.
func (p page) May(role string) bool {
	return p.Wallet != nil && p.Wallet.Role.Covers(auth.WalletRole(role))
}

// Height returns the height of the node's chain, or -1 before the first contact.
func (p page) Height() int64 {
	if p.Node.LastContact.IsZero() {
		return -1
	}
	return p.Node.Blocks
}

// render responds with a page.
func (c *call) render(name, title string, body any) error {
	return c.write(http.StatusOK, name, title, body)
}

// renderAs responds with a page that shows a fault.
func (c *call) renderAs(f *fault.Error, name, title string, body any) error {
	httpcall.SetRetryAfter(c.w.Header(), f)
	return c.write(httpcall.Status(f.Kind), name, title, body)
}

// again returns what a handler of POST needs after err: the fault with which the form is shown
// again, or nil and the error if it is not about the form.
func again(err error) (*fault.Error, error) {
	f, ok := err.(*fault.Error) //nolint:errorlint // a wrapped fault is not about the form
	if !ok {
		return nil, err
	}
	switch f.Kind {
	case fault.Invalid, fault.Conflict, fault.Unprocessable, fault.TooLarge, fault.PreconditionFailed, fault.Refused, fault.Unavailable, fault.TooMany:
		return f, nil
	case fault.Forbidden:
		if f.Code != errProof.Code {
			return f, nil
		}
	}
	return nil, err
}

func (c *call) write(status int, name, title string, body any) error {
	p, err := c.frame(title, body)
	if err != nil {
		return err
	}
	return c.send(status, name, p)
}

// send renders a page completely before it sends the first byte.
func (c *call) send(status int, name string, p page) error {
	var b bytes.Buffer
	if s, ok := p.Body.(stateful); ok {
		p.State = name + ":" + s.state()
	}
	for range 2 {
		b.Reset()
		if err := c.look.execute(&b, name, p); err != nil {
			return fmt.Errorf("render the page %s: %w", name, err)
		}
		if len(c.stated) == 0 {
			break
		}
		c.findLabels(b.String()) // the list of problems, above the inputs, names them
	}
	c.writePage(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

// writePage sends a page, or the text of an error, in the language of the caller.
func (c *call) writePage(status int, contentType string, text []byte) {
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Content-Language", c.look.lang)
	c.w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(text) // fails only if the client disconnected
	}
}

// findLabels finds the labels of the inputs at which a page states problems.
func (c *call) findLabels(page string) {
	for id := range c.stated {
		if strings.Contains(id, "[") {
			continue // the labels of parts are the same in each part
		}
		quoted := regexp.QuoteMeta(template.HTMLEscapeString(id))
		label := regexp.MustCompile(`(?s)<label[^>]* for="` + quoted + `"[^>]*>(.*?)</label>|<fieldset[^>]* id="` + quoted + `"[^>]*>\s*<legend[^>]*>(.*?)</legend>`)
		if m := label.FindStringSubmatch(page); m != nil {
			c.stated[id] = strings.TrimSpace(html.UnescapeString(tags.ReplaceAllString(m[1]+m[2], "")))
		}
	}
}

// tags matches the tags in a label, and notes beside its name.
var tags = regexp.MustCompile(`(?s)<small.*?</small>|<span class="muted">.*?</span>|<[^>]*>`)

// emptyFrame returns the frame of a page without what must be read from the database.
func (c *call) emptyFrame(title string, body any) page {
	return page{
		Title: title, Lang: c.look.lang, Unit: c.look.unit, Theme: themeOf(c.r), Here: c.r.URL.RequestURI(), Node: c.Node.Status(),
		Address: c.pageAddress(), Refused: c.r.Method == post, User: c.who, Version: c.Version, Now: c.Now(), Body: body,
	}
}

// frame returns the frame of a page for the caller.
func (c *call) frame(title string, body any) (page, error) {
	p := c.emptyFrame(title, body)
	p.Notice, p.Insecure = c.look.notice(c.query("done")), !c.info.Secure && !isLoopback(c.info.Address)
	if c.who == nil {
		return p, nil
	}
	p.Position = c.position
	if c.access != (wallet.Access{}) {
		p.Wallet = &c.view
	}
	p.Unsafe = c.session.DefaultPassword
	var err error
	p.Wallets, err = c.navigation()
	return p, err
}

// navigation returns the caller's wallets, each with the number of proposals that wait for
// the caller.
func (c *call) navigation() ([]navWallet, error) {
	views, err := c.wallets()
	if err != nil {
		return nil, err
	}
	out := make([]navWallet, len(views))
	for i, v := range views {
		out[i] = navWallet{Alias: v.Alias, Name: v.Name}
	}
	waiting, err := c.waiting()
	for _, w := range waiting {
		for i := range out {
			if out[i].Alias == w.view.Alias {
				out[i].Waiting = len(w.proposals)
			}
		}
	}
	return out, err
}

// failing shows an error page if err is not nil.
func (c *call) failing(err error) {
	if err != nil {
		c.showError(httpcall.Shown(c.Log, c.r, err))
	}
}

// errorPage is the page of an error.
type errorPage struct {
	Status    int
	Fault     *fault.Error
	RequestID string
	Title     string
	Message   string
	Changed   bool   // whether the request was one that changes something
	Again     string // path of the page, if it can be shown a little later; or empty
	Back      string
	Invited   []wallet.Invitation // to the user, if the page may be of a wallet that one of them is for
}

// showError responds with an error page.
func (c *call) showError(f *fault.Error) { c.showErrorFor(f, nil) }

// showErrorFor does the same to a user with invitations.
func (c *call) showErrorFor(f *fault.Error, invited []wallet.Invitation) {
	status := httpcall.Status(f.Kind)
	e := errorPage{Status: status, Fault: f, RequestID: c.info.ID[0], Title: c.look.errorTitle(f), Message: asSentence(c.look.fault(f)), Changed: c.r.Method == post, Back: "/", Invited: invited}
	if f.RetryAfter > 0 && !e.Changed {
		e.Again = c.r.URL.RequestURI()
	}
	httpcall.SetRetryAfter(c.w.Header(), f)
	if c.isProgram() {
		c.writePage(status, "text/plain; charset=utf-8", []byte(e.Message+"\n"))
		return
	}
	p := c.errorFrame(e)
	p.Address = "" // it may name what the user must not see
	if err := c.send(status, "error", p); err != nil {
		c.Log.ErrorContext(c.r.Context(), "error page not written", "error", err)
		c.w.WriteHeader(http.StatusInternalServerError)
	}
}

// errorFrame returns the frame of an error page. It lists the wallets of the user, unless reading
// them may be what failed.
func (c *call) errorFrame(e errorPage) page {
	switch e.Fault.Kind {
	case fault.NotFound, fault.Gone, fault.Forbidden, fault.Invalid, fault.Conflict, fault.MethodNotAllowed, fault.PreconditionFailed, fault.Unprocessable:
		if c.who == nil {
			break
		}
		if p, err := c.frame(e.Title, e); err == nil {
			p.Wallet = nil // the page is not about it, and has a heading of its own
			return p
		}
	}
	return c.emptyFrame(e.Title, e)
}

// ServeError implements httpapi.Console.
func (c *Console) ServeError(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	w.Header().Set("Content-Security-Policy", contentPolicy)
	one := &call{Console: c, w: w, r: r, info: httpcall.Of(r.Context()), look: c.lookOf(r)}
	one.showError(f) //nolint:contextcheck // the context is in the request
}
