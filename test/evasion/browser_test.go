package evasion

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// browser is a browser without scripts, in which a user is signed in.
type browser struct {
	w      *world
	client *http.Client
}

func (w *world) browser(c *caller) *browser {
	w.t.Helper()
	b := &browser{w, &http.Client{Jar: testkit.Must(cookiejar.New(nil))}}
	b.get("/login")
	if page := b.post("/login", url.Values{"user": {c.name}, "password": {c.password}}); page.status != http.StatusOK || strings.Contains(page.body, `name="password"`) {
		w.t.Fatalf("signing in: %d %s", page.status, page.short())
	}
	return b
}

func (b *browser) get(path string) reply {
	b.w.t.Helper()
	return b.do(testkit.Must(http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, b.w.url+path, nil)))
}

func (b *browser) post(path string, form url.Values) reply {
	b.w.t.Helper()
	r := testkit.Must(http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.url+path, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

func (b *browser) do(r *http.Request) reply {
	b.w.t.Helper()
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	got, err := b.client.Do(r)
	testkit.Check(b.w.t, err)
	defer func() { _ = got.Body.Close() }()
	return reply{w: b.w, what: "browser: " + r.URL.Path, status: got.StatusCode, body: string(testkit.Must(io.ReadAll(got.Body)))}
}
