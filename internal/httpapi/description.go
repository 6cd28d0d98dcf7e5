package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/specterd/specterd/internal/httpapi/reference"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
)

const descriptionPath = "/api/openapi.json"

// description contains the OpenAPI specification and the API reference, which is generated from
// it. Both require no credentials.
type description struct {
	document http.HandlerFunc
	site     *reference.Site
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
	site, err := reference.New(reference.Options{Document: document, Type: func(schema string) reflect.Type { return s.types[schema] }, Status: httpcall.Status})
	if err != nil {
		return nil, err
	}
	return &description{constantContent("application/json", document), site}, nil
}

// pages returns the handlers for GET and HEAD of the specification and of the API reference, by
// path. Both are generated at the first request, because generating them would delay the start
// of the server.
func (s *server) pages(routes []route.Route) map[string]http.HandlerFunc {
	once := sync.OnceValues(func() (*description, error) { return newDescription(routes, s.Version) })
	of := func(serve func(*description, http.ResponseWriter, *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			d, err := once()
			if err != nil {
				s.fail(w, r, err)
				return
			}
			serve(d, w, r)
		}
	}
	page := of(func(d *description, w http.ResponseWriter, r *http.Request) {
		httpcall.Of(r.Context()).Route = reference.HomePath
		path := r.URL.Path
		if path == strings.TrimSuffix(reference.HomePath, "/") {
			path = reference.HomePath
		}
		if !d.site.Serve(w, r, path, baseURL(r)) {
			s.notFound(w, r)
		}
	})
	return map[string]http.HandlerFunc{
		descriptionPath:             of(func(d *description, w http.ResponseWriter, r *http.Request) { d.document(w, r) }),
		reference.HomePath:          page,
		reference.StylePath:         page,
		reference.Prefix + "{page}": page,
		"/api":                      page,
	}
}

// plainHost matches a host, with or without a port, that is safe in a shell.
var plainHost = regexp.MustCompile(`^([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$`)

// baseURL returns the base URL that the client used, according to the request, with
// 127.0.0.1:25441 instead of a Host that is not safe in a shell. X-Forwarded-Proto is
// accepted from any client, because the result is shown only to that client, and no web
// page can make a browser send the header.
func baseURL(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	if !plainHost.MatchString(host) {
		host = "127.0.0.1:25441"
	}
	return scheme + "://" + host
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
