package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/httpapi/route"
)

const (
	descriptionPath = "/api/openapi.json"
	pagePath        = "/api/"
	stylePath       = "/api/style.css"
)

// pageLoads lets the page load its style sheet and nothing else.
const pageLoads = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// description is the API's description and the page that shows it. Both are made
// once, and are there for everybody.
type description struct {
	document http.HandlerFunc
	page     *page
}

func newDescription(routes []route.Route, version string) (*description, error) {
	s, err := specify(routes, version)
	if err != nil {
		return nil, err
	}
	document, err := encode(s)
	if err != nil {
		return nil, err
	}
	page, err := newPage(s, routes)
	if err != nil {
		return nil, err
	}
	return &description{unchanging("application/json", document), page}, nil
}

// pages returns what is served of the description, by path, to GET and HEAD. It is
// made when somebody first asks for it: a start should not take longer for it.
func (s *server) pages(routes []route.Route) map[string]http.HandlerFunc {
	once := sync.OnceValues(func() (*description, error) { return newDescription(routes, s.Version) })
	of := func(serve func(*description) http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			d, err := once()
			if err != nil {
				s.fail(w, r, err)
				return
			}
			serve(d)(w, r)
		}
	}
	page := of(func(d *description) http.HandlerFunc { return d.page.serve })
	return map[string]http.HandlerFunc{
		descriptionPath: of(func(d *description) http.HandlerFunc { return d.document }),
		stylePath:       unchanging("text/css; charset=utf-8", style),
		pagePath:        page,
		"/api":          page,
	}
}

// unchanging serves content that a client may keep, if it asks each time whether
// it is still the same.
func unchanging(contentType string, content []byte) http.HandlerFunc {
	sum := sha256.Sum256(content)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		callOf(r).route = r.URL.Path
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Cache-Control", "no-cache")
		h.Set("Etag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}
