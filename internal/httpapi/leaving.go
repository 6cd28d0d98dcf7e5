package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/specterd/specterd/internal/httpapi/route"
)

// Leaving returns a handler that passes requests to next. After ctx has ended, it continues
// to do so while clients move to another process, but its liveness probe fails with 503, and
// it closes each connection after the response. If the server stopped listening immediately,
// requests on connections that were not accepted yet, and requests in transit on idle
// connections, would be lost.
func Leaving(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() == nil {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		if strings.TrimSuffix(r.URL.Path, "/") != livenessPath {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h["Content-Type"] = route.JSONType
		secure(h, r)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"message":"i am stopping"}` + "\n")) // fails only if the client disconnected
	})
}
