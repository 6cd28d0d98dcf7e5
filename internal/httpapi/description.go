package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
)

const (
	descriptionPath = "/api/openapi.json"
	pagePath        = "/api/"
	stylePath       = "/api/style.css"
)

// referencePolicy is the content security policy of the API reference, which may load only its
// style sheet.
const referencePolicy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// description contains the OpenAPI specification and the API reference. Both are
// generated once, and require no credentials.
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
	return &description{constantContent("application/json", document), page}, nil
}

// pages returns the handlers for GET and HEAD of the specification, the API reference and its
// style sheet, by path. The specification and the reference are generated at the first
// request, because generating them would delay the start of the server.
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
		stylePath:       constantContent("text/css; charset=utf-8", style),
		pagePath:        page,
		"/api":          page,
	}
}

// constantContent returns a handler for constant content, which clients may store but must
// revalidate.
func constantContent(contentType string, content []byte) http.HandlerFunc {
	sum := sha256.Sum256(content)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		httpcall.Of(r.Context()).Route = r.URL.Path
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Cache-Control", "no-cache")
		h.Set("Etag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}
