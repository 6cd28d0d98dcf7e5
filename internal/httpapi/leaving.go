package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/specterd/specterd/internal/httpapi/route"
)

// Leaving is a handler that goes on answering after ctx has ended, and has clients
// go elsewhere meanwhile: it says that it does not live, and closes each connection
// after an answer. To stop listening at once would lose the requests of connections
// that nobody has taken yet, and those on their way over idle ones.
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
		_, _ = w.Write([]byte(`{"message":"i am stopping"}` + "\n")) // the client is gone; nobody is left to tell
	})
}
