package console_test

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/console"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestPrograms requests every route of GET as programs do, which do not name HTML: download
// managers and curl. A program gets what a browser gets, except that an error is a line of text:
// it could save a page as the file that it requested. At /, it gets the document of the API.
func TestPrograms(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	owner, stranger := m.callers["owner"], m.callers["no session"]
	for _, to := range console.Routes() {
		if to.Method != http.MethodGet || to.IsLive {
			continue
		}
		for _, accept := range []string{"", "*/*", "text/csv"} {
			t.Run(to.Path+" "+cmp.Or(accept, "no Accept"), func(t *testing.T) {
				path := m.path(t, to)
				outside, inside := stranger.program(t, path, accept), owner.program(t, path, accept)
				switch {
				case to.Path == "/":
					outside.wantText(t, http.StatusNotFound, "application/problem+json", "/api/openapi.json")
					return
				case to.IsPublic:
					outside.wantText(t, http.StatusOK, "text/html", "")
					return // with a session, it leads to /
				default:
					outside.wantText(t, http.StatusUnauthorized, "text/plain", "You are not signed in, or your session has ended.")
				}
				page := owner.get(path)
				contentType := page.header.Get("Content-Type")
				if page.status >= http.StatusBadRequest {
					contentType = "text/plain"
				}
				inside.wantText(t, page.status, contentType, "")
				if is := page.header.Get("Content-Disposition"); inside.header.Get("Content-Disposition") != is {
					t.Errorf("Content-Disposition %q, not %q", inside.header.Get("Content-Disposition"), is)
				}
			})
		}
	}
}

// program requests a path with this header Accept, and without it if it is empty.
func (v *visitor) program(t *testing.T, path, accept string) answer {
	t.Helper()
	r := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, v.site.url+path, nil))
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	got, err := v.client.Do(r)
	testkit.Check(t, err)
	defer func() { _ = got.Body.Close() }()
	return answer{got.StatusCode, got.Header, string(testkit.Must(io.ReadAll(got.Body)))}
}

func (a answer) wantText(t *testing.T, status int, contentType, says string) {
	t.Helper()
	if is := a.header.Get("Content-Type"); a.status != status || !strings.HasPrefix(is, contentType) || !strings.Contains(a.body, says) {
		t.Errorf("%d %s: %.200s; not %d %s", a.status, is, a.body, status, contentType)
	}
}
