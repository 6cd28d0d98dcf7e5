package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/idempotency"
)

const (
	keyHeader    = "Idempotency-Key"
	replayHeader = "Idempotency-Replayed"
)

// answer calls the route's handler for an admitted request. If the route supports
// idempotency keys and the request has one, the request is executed only once.
func (s *server) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, to *route.Route, strict route.Strictness) error {
	recheck := s.recheckOf(w, r, to)
	if scope := to.Handler.ShownScope; scope != 0 {
		shown := &scopedBody{w, auth.PrincipalFrom(ctx), scope} // the scope also applies to a stored response
		w = shown
		if again := recheck; again != nil {
			recheck = func(ctx context.Context) (context.Context, error) {
				checked, err := again(ctx)
				if err == nil {
					shown.who = auth.PrincipalFrom(checked)
				}
				return checked, err
			}
		}
	}
	if to.Handler.TakesIdempotencyKey && len(r.Header[keyHeader]) > 0 {
		return s.answerOnce(ctx, w, r, to, strict, recheck)
	}
	return to.Handler.Serve(ctx, w, r, strict, recheck)
}

// answerOnce executes a request with a key and stores its response. If the response to an
// earlier request with the key is stored, it returns this response instead. It does not store
// responses to failed requests and dry runs. It completes a request even if the client
// disconnects, because the client is expected to retry.
func (s *server) answerOnce(ctx context.Context, w http.ResponseWriter, r *http.Request, to *route.Route, strict route.Strictness, recheck route.Recheck) error {
	body, err := route.BufferBody(w, r)
	if recheck != nil && err == nil { // also before a stored response is returned
		ctx, err = recheck(ctx)
	}
	if err != nil {
		return err
	}
	request, err := keyed(ctx, r, to, body)
	if err != nil {
		return err
	}
	claim, kept, err := s.Keys.Begin(ctx, request)
	if err != nil {
		return err
	}
	if kept != nil {
		w.Header().Set(replayHeader, "true")
		writeAnswer(w, *kept)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), idempotency.RunsFor)
	defer cancel()
	settled := false
	defer func() { // also after a panic
		if !settled {
			s.logKey(r, claim.Release(context.WithoutCancel(ctx)))
		}
	}()
	made := &answerBuffer{header: w.Header()}
	if err := to.Handler.Serve(ctx, made, r, strict, recheck); err != nil {
		return err
	}
	settled = true // the code below stores the response or releases the key
	a := idempotency.Answer{Status: made.status, Body: made.body.Bytes()}
	if to.Handler.IsDryRun(made.status) { // nothing was changed, so a retry is harmless
		s.logKey(r, claim.Release(context.WithoutCancel(ctx)))
	} else {
		s.logKey(r, claim.Keep(context.WithoutCancel(ctx), a))
	}
	writeAnswer(w, a)
	return nil
}

// logKey logs err, if it is not nil: a response could not be stored, or a key could not be
// released. The response to the client is not affected.
func (s *server) logKey(r *http.Request, err error) {
	if err != nil {
		s.log.ErrorContext(r.Context(), "idempotency key not settled", "request_id", requestIDOf(r), "error", err)
	}
}

// keyed returns the user, route, key and fingerprint of a request with a key. The fingerprint
// covers everything that the response depends on, including the wallets to which the token
// is limited. keyed returns an Invalid fault if the request has several keys or the key is not
// valid.
func keyed(ctx context.Context, r *http.Request, to *route.Route, body []byte) (idempotency.Request, error) {
	keys := r.Header[keyHeader]
	if len(keys) != 1 || !idempotency.IsKey(keys[0]) {
		return idempotency.Request{}, fault.InvalidField(keyHeader, "must be given once, with 1 to %d visible ASCII characters", idempotency.MaxKey)
	}
	who := auth.PrincipalFrom(ctx)
	limits := "none"
	if who.Wallets != nil {
		limits = "only " + strings.Join(who.Wallets, " ")
	}
	hash := sha256.New()
	for _, part := range []string{strings.TrimSuffix(r.URL.Path, "/"), r.URL.RawQuery, r.Header.Get("Content-Type"), limits, string(body)} {
		_ = binary.Write(hash, binary.BigEndian, uint64(len(part))) // never fails
		_, _ = hash.Write([]byte(part))
	}
	request := idempotency.Request{UserID: who.UserID, Route: to.Method + " " + to.Path, Key: keys[0]}
	hash.Sum(request.Fingerprint[:0])
	return request, nil
}

func writeAnswer(w http.ResponseWriter, a idempotency.Answer) {
	w.Header()["Content-Type"] = route.JSONType
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // fails only if the client disconnected
}

// scopedBody is the response writer of a route with a ShownScope. If the caller's token
// lacks the scope, it writes 204 instead of the status, and omits the body.
type scopedBody struct {
	http.ResponseWriter
	who   *auth.Principal
	scope auth.Scopes
}

func (w *scopedBody) hidden() bool { return !w.who.Scopes.Has(w.scope) }

// WriteHeader implements http.ResponseWriter.
func (w *scopedBody) WriteHeader(status int) {
	if w.hidden() {
		w.Header().Del("Content-Type")
		w.Header().Del("Content-Length")
		status = http.StatusNoContent
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *scopedBody) Write(text []byte) (int, error) {
	if w.hidden() {
		return len(text), nil
	}
	return w.ResponseWriter.Write(text)
}

// Unwrap returns the wrapped response writer, for http.ResponseController.
func (w *scopedBody) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// answerBuffer buffers a response in memory.
type answerBuffer struct {
	header http.Header // shared with the actual response
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (b *answerBuffer) Header() http.Header { return b.header }

// WriteHeader implements http.ResponseWriter.
func (b *answerBuffer) WriteHeader(status int) { b.status = status }

// Write implements http.ResponseWriter.
func (b *answerBuffer) Write(text []byte) (int, error) { return b.body.Write(text) }
