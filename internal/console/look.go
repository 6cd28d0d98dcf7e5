package console

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/specterd/specterd/internal/fault"
)

//go:embed templates
var templateFiles embed.FS

// Languages and units that a user can choose. The first is the default.
var (
	languages = []string{"en", "de"}
	units     = []string{"sat", "btc"}
	themes    = []string{"auto", "light", "dark"}
)

// looks contains the templates in every language and unit.
type looks struct {
	byKey map[[2]string]*look
}

// look renders pages in one language and unit.
type look struct {
	lang, unit string
	*catalogue
	pages func() (map[string]*template.Template, error)
}

func newLooks(a *assets) *looks {
	all := &looks{byKey: map[[2]string]*look{}}
	for _, lang := range languages {
		messages := catalogueOf(lang)
		for _, unit := range units {
			l := &look{lang: lang, unit: unit, catalogue: messages}
			l.pages = sync.OnceValues(func() (map[string]*template.Template, error) { return l.parse(a) })
			all.byKey[[2]string{lang, unit}] = l
		}
	}
	return all
}

func (l *look) parse(a *assets) (map[string]*template.Template, error) {
	frame, err := template.New("").Funcs(l.functions(a)).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the layout: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/*/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, file := range files {
		t, err := template.Must(frame.Clone()).ParseFS(templateFiles, file)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", file, err)
		}
		pages[strings.TrimSuffix(path.Base(file), ".html")] = t
	}
	return pages, nil
}

func (l *look) execute(w io.Writer, name string, p page) error {
	pages, err := l.pages()
	if err != nil {
		return err
	}
	t, ok := pages[name]
	if !ok {
		return fmt.Errorf("no template %s", name)
	}
	return t.ExecuteTemplate(w, "layout", p)
}

// fragment renders a template that all pages have, such as payment-title.
func (l *look) fragment(name string, data any) (template.HTML, error) {
	pages, err := l.pages()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = pages["error"].ExecuteTemplate(&b, name, data)
	return template.HTML(b.String()), err //nolint:gosec // escaped by the template
}

// notices are what pages report after a form succeeded, by the code in the URL.
var notices = merged(frameNotices, walletNotices, proposalNotices, accessNotices, setupNotices)

func merged(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

var frameNotices = map[string]string{
	"signed-out":    "You are signed out.",
	"session-ended": "Your session ended before the form arrived. Nothing was changed. Sign in, and fill in the form again.",
	"session-over":  "Your session has ended. Sign in to continue where you were.",
}

func (l *look) notice(code string) string {
	if text := notices[code]; text != "" {
		return l.T(text)
	}
	return ""
}

func (l *look) errorTitle(f *fault.Error) string {
	switch f.Kind {
	case fault.NotFound, fault.Gone:
		return l.T("Not found")
	case fault.Forbidden:
		return l.T("Not allowed")
	case fault.Unavailable, fault.BadGateway, fault.Refused:
		return l.T("Not available at the moment")
	case fault.TooMany:
		return l.T("Too many requests")
	case fault.Internal:
		return l.T("Something went wrong")
	}
	return l.T("The request was refused")
}

// Names of the cookies that store how a browser shows pages.
const (
	langCookie  = "specterd-lang"
	unitCookie  = "specterd-unit"
	themeCookie = "specterd-theme"
)

// lookOf returns the look that the browser has chosen; without a choice, the first language
// of Accept-Language that exists.
func (c *Console) lookOf(r *http.Request) *look {
	lang := chosen(r, langCookie, languages)
	if _, err := r.Cookie(langCookie); err != nil {
		lang = acceptedLanguage(r.Header.Get("Accept-Language"))
	}
	return c.looks.byKey[[2]string{lang, chosen(r, unitCookie, units)}]
}

func acceptedLanguage(header string) string {
	for entry := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(entry), ";")
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if slices.Contains(languages, base) {
			return base
		}
	}
	return languages[0]
}

func themeOf(r *http.Request) string {
	if theme := chosen(r, themeCookie, themes); theme != "auto" {
		return theme
	}
	return ""
}

// chosen returns the value of a cookie if it is one of the values, and otherwise the first.
func chosen(r *http.Request, name string, values []string) string {
	if cookie, err := r.Cookie(name); err == nil {
		if slices.Contains(values, cookie.Value) {
			return cookie.Value
		}
	}
	return values[0]
}

// displaySeconds is the time for which browsers keep the choice, in seconds: the maximum.
const displaySeconds = 400 * 24 * 3600

// setDisplay stores the language, the unit or the theme in cookies, and returns to the page.
func (c *call) setDisplay() error {
	for name, values := range map[string][]string{langCookie: languages, unitCookie: units, themeCookie: themes} {
		value := c.form.Get(strings.TrimPrefix(name, "specterd-"))
		if slices.Contains(values, value) {
			c.putCookie(name, value, displaySeconds)
		}
	}
	return c.redirect(localPath(c.form.Get("next")), "")
}

func isLoopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().IsLoopback()
}
