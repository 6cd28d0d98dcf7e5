package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
)

// Database is the part of the database that the readiness probe uses.
type Database interface {
	// Ping returns an error if the database does not respond.
	Ping(ctx context.Context) error
}

// health serves the liveness and readiness probes, even if the rest of the API is
// disabled.
type health struct {
	database Database
	node     Node
	watch    *clock.Watch
}

var alive = api.HealthResponse{Message: "i am alive"}

func (*health) liveness(context.Context, struct{}) (api.HealthResponse, error) { return alive, nil }

// aliveText is the response body of a liveness probe.
var aliveText = []byte(`{"message":"` + alive.Message + "\"}\n")

// serveLiveness responds to a liveness request if the request is plain (GET or HEAD, without
// query and body) and must be neither refused nor logged. It reports whether it responded; if
// not, the router must. Probes are frequent, and the router and the call context would add a
// tenth to their cost (docs/adr/0007-answer-liveness-before-the-router.md).
func (s *server) serveLiveness(w http.ResponseWriter, r *http.Request) bool {
	plain := (r.URL.Path == livenessPath || r.URL.Path == livenessPath+"/") && (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		r.URL.RawQuery == "" && r.ContentLength == 0
	if !plain || s.log.Enabled(r.Context(), slog.LevelDebug) || s.screen(r) != nil {
		return false
	}
	h := w.Header()
	h["X-Request-Id"] = []string{requestID(r)}
	h["Content-Type"] = route.JSONType
	secure(h, r)
	_, _ = w.Write(aliveText) // fails only if the client disconnected
	return true
}

// pingPatience is the time limit for a ping of the database.
const pingPatience = 2 * time.Second

func (h *health) readiness(ctx context.Context, _ struct{}) (api.HealthResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, pingPatience)
	defer cancel()
	if err := h.database.Ping(ctx); err != nil {
		reason := "the database does not respond"
		if f, ok := errors.AsType[*fault.Error](err); ok && (f.Code == "disk_full" || f.Code == "database_not_writable") {
			reason = f.Message
		}
		return api.HealthResponse{}, notReady(reason, 5*time.Second).WithCause(err)
	}
	if f := h.watch.Problem(); f != nil {
		return api.HealthResponse{}, notReady(f.Message, f.RetryAfter).WithCause(f)
	}
	if f := h.node.Status().Ready(); f != nil {
		return api.HealthResponse{}, notReady(f.Message, f.RetryAfter).WithCause(f)
	}
	return api.HealthResponse{Message: "i am ready"}, nil
}

// notReady returns an error with the message of Specter Desktop, the reason as a detail, and
// after as Retry-After.
func notReady(reason string, after time.Duration) *fault.Error {
	return fault.New(fault.Unavailable, "not_ready", "Readyness probe failed").WithDetail("reason", reason).WithRetryAfter(after)
}
