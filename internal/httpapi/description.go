package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
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
// once, at start-up, and are there for everybody.
type description struct {
	document []byte
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
	return &description{document, page}, nil
}

// pages returns what is served, by path, to GET and HEAD.
func (d *description) pages() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		descriptionPath: unchanging("application/json", d.document),
		stylePath:       unchanging("text/css; charset=utf-8", style),
		pagePath:        d.page.serve,
		"/api":          d.page.serve,
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
