package httpapi

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpcall"
)

// call is the state of a request in progress. To save allocations, it is also the context of
// the request, and contains the context of the router and the recorder of the response.
type call struct {
	context.Context
	routing chi.Context

	httpcall.Info
	answer recorder
}

// Value implements context.Context.
func (c *call) Value(key any) any {
	switch key {
	case httpcall.Key{}:
		return &c.Info
	case chi.RouteCtxKey:
		return &c.routing
	}
	return c.Context.Value(key)
}

func requestIDOf(r *http.Request) string { return httpcall.Of(r.Context()).ID[0] }

// recorder records the status and the size of the response.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// beneath returns the writer of net/http beneath w, which http.MaxBytesReader needs to close
// the connection.
func beneath(w http.ResponseWriter) http.ResponseWriter {
	if rec, ok := w.(*recorder); ok {
		return rec.ResponseWriter
	}
	return w
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Values of the headers of every response (ASVS 5, V3.4 and V3.5). All responses share
// the slices, to avoid allocations; they must not be modified.
var (
	noSniff = []string{"nosniff"}
	noStore = []string{"no-store"}
	// Browsers must not render responses as documents. The API reference has another policy.
	noContent  = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	noReferrer = []string{"no-referrer"}
	// Pages of other sites must not embed responses: browsers would send a stored password.
	sameOrigin = []string{"same-origin"}
	// Browsers must use HTTPS for this host and its subdomains for one year.
	httpsOnly = []string{"max-age=31536000; includeSubDomains"}
)

// secure sets the headers of every response.
func secure(h http.Header, r *http.Request) {
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = noStore
	h["Content-Security-Policy"] = noContent
	h["Referrer-Policy"] = noReferrer
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	// HSTS for localhost would also apply to other programs on other ports.
	if r.TLS != nil && !strings.HasPrefix(r.Host, "localhost") {
		h["Strict-Transport-Security"] = httpsOnly
	}
}

// protect returns a handler that sets the request id and the common headers, refuses the
// requests that screen refuses, recovers from panics, and logs each request. It leaves plain
// liveness requests to serveLiveness.
func (s *server) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.serveLiveness(w, r) {
			return
		}
		start := s.Now()
		c := &call{Context: r.Context(), Info: httpcall.Info{
			ID: [1]string{requestID(r)}, Address: clientAddress(r, s.TrustedProxies), Secure: isSecure(r, s.TrustedProxies),
		}}
		r = r.WithContext(c) //nolint:contextcheck // c wraps the request's context
		rec := &c.answer
		rec.ResponseWriter = w
		h := w.Header()
		h["X-Request-Id"] = c.ID[:]
		secure(h, r)
		s.proxies.notice(s.log, r, s.TrustedProxies)
		defer s.finish(rec, r, c, start)
		if err := s.screen(r); err != nil {
			s.fail(rec, r, err)
			return
		}
		if s.isPage(r) {
			s.Console.ServeHTTP(rec, r)
			return
		}
		next.ServeHTTP(rec, r)
	})
}

// isPage reports whether the console serves the request: outside of /api, the paths of its
// routes, and all others if the client is a browser. Programs that request / or an unknown path
// get a problem document, which names the description of the API.
func (s *server) isPage(r *http.Request) bool {
	if s.Console == nil || isAPI(r.URL.Path) {
		return false
	}
	return httpcall.IsBrowser(r) || r.URL.Path != "/" && s.Console.Serves(r)
}

func isAPI(path string) bool { return path == "/api" || strings.HasPrefix(path, "/api/") }

var errHost = fault.New(fault.Misdirected, "host_not_allowed",
	"specterd listens on this machine only and does not serve this host name; use 127.0.0.1 or localhost, or name the host in SPECTER_ALLOWED_HOSTS")

// screen returns an error for requests that are refused before routing: those for a host name
// that is not allowed, those from pages of other origins, and, if the API is not active, all
// requests except health probes.
func (s *server) screen(r *http.Request) error {
	if s.Loopback && !allowsHost(r.Host, s.AllowedHosts) {
		return errHost
	}
	if err := s.origins.Check(r); err != nil {
		return fault.New(fault.Forbidden, "cross_origin", "requests from pages of other origins are refused")
	}
	if !s.Active && !s.isPage(r) && !strings.HasPrefix(r.URL.Path, "/api/healthz/") {
		return errInactive
	}
	return nil
}

// finish recovers from a panic and writes the log line of the request. If a response was
// started and cannot be completed, it panics with http.ErrAbortHandler, which makes net/http
// close the connection.
func (s *server) finish(w *recorder, r *http.Request, c *call, start time.Time) {
	p := recover()
	cut := p == http.ErrAbortHandler //nolint:errorlint // the value of a panic, which is never wrapped
	if p != nil && !cut && s.isDirect() {
		panic(p)
	}
	if p != nil && !cut {
		s.log.ErrorContext(r.Context(), "request panicked", "request_id", c.ID[0], "panic", panicText(p), "stack", string(debug.Stack()))
		if cut = w.status != 0; !cut {
			s.fail(w, r, httpcall.ErrInternal)
		}
	}
	if s.Observe != nil {
		s.Observe(r.Method, c.Route, w.status, c.TookUntil(s.Now(), start))
	}
	s.record(w, r, c, start, cut)
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// panicText returns the part of a panic's value that may be logged: the text of runtime
// errors, which contain no data, and otherwise only the type, because the value may
// contain user input. The logged stack shows where the panic occurred.
func panicText(value any) string {
	if err, ok := value.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of the type %T", value)
}

// record writes the log line of a request. cut reports whether its response was
// aborted.
func (s *server) record(w *recorder, r *http.Request, c *call, start time.Time, cut bool) {
	level := levelOf(r.Method, w.status)
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	s.log.LogAttrs(r.Context(), level, "request",
		slog.String("request_id", c.ID[0]),
		slog.String("method", r.Method),
		slog.String("route", c.Route), // the pattern, because a path can contain confidential data
		slog.Int("status", w.status),
		slog.Int64("bytes", w.bytes),
		slog.Bool("cut", cut),
		slog.Int64("took_us", s.Now().Sub(start).Microseconds()),
		slog.String("address", c.Address),
		slog.String("user", c.User),
		slog.String("token_id", c.TokenID),
	)
}

// levelOf returns the level of a request's log line. Successful reads, which probes and
// polling scripts make constantly, are logged at debug.
func levelOf(method string, status int) slog.Level {
	if status < http.StatusBadRequest && (method == http.MethodGet || method == http.MethodHead) {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

const maxRequestID = 64

// requestID returns the X-Request-Id that the client sent, if it is safe to repeat, or a
// random id of 16 hexadecimal digits.
func requestID(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) > 0 && isRequestID(given[0]) {
		return given[0]
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], rand.Uint64()) //nolint:gosec // an identifier, not a secret
	return hex.EncodeToString(b[:])
}

func isRequestID(text string) bool {
	return text != "" && len(text) <= maxRequestID && !strings.ContainsFunc(text, notInID)
}

func notInID(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
		return false
	}
	return true
}
