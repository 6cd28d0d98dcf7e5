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
	maxKey       = 255
)

// answer has the route's handler answer a request that is let in, once if it
// carries a key and the route takes keys.
func (s *server) answer(ctx context.Context, w http.ResponseWriter, r *http.Request, to route.Route, strict route.Strictness) error {
	if !auth.PrincipalFrom(ctx).Scopes.Has(to.Handler.ShownScope) {
		w = withoutBody{w} // also where a stored response is replayed
	}
	if to.Handler.TakesKey && len(r.Header[keyHeader]) > 0 {
		return s.answerOnce(ctx, w, r, to, strict)
	}
	return to.Handler.Serve(ctx, w, r, strict)
}

// answerOnce answers the first request with a key and repeats that answer to the
// others. What has begun is ended though its client may leave: that is when the
// client comes back.
func (s *server) answerOnce(ctx context.Context, w http.ResponseWriter, r *http.Request, to route.Route, strict route.Strictness) error {
	request, err := keyed(ctx, w, r, to)
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
	if err := to.Handler.Serve(ctx, made, r, strict); err != nil {
		return err
	}
	settled = true // whatever happens now, it was done
	a := idempotency.Answer{Status: made.status, Body: made.body.Bytes()}
	if to.Handler.Tried(made.status) { // there is nothing that must not be done twice
		s.logKey(r, claim.Release(context.WithoutCancel(ctx)))
	} else {
		s.logKey(r, claim.Keep(context.WithoutCancel(ctx), a))
	}
	writeAnswer(w, a)
	return nil
}

// logKey logs that a key could not be settled. The answer is right all the same.
func (s *server) logKey(r *http.Request, err error) {
	if err != nil {
		s.log.ErrorContext(r.Context(), "an idempotency key could not be settled", "request_id", requestIDOf(r), "error", err)
	}
}

// keyed reads a request with a key. What its fingerprint is of is what the answer
// depends on, the limits of the token included.
func keyed(ctx context.Context, w http.ResponseWriter, r *http.Request, to route.Route) (idempotency.Request, error) {
	keys := r.Header[keyHeader]
	if len(keys) != 1 || !isKey(keys[0]) {
		return idempotency.Request{}, fault.InvalidField(keyHeader, "has to be given once, with 1 to %d visible ASCII characters", maxKey)
	}
	body, err := route.BufferBody(w, r)
	if err != nil {
		return idempotency.Request{}, err
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

func isKey(text string) bool {
	return text != "" && len(text) <= maxKey && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

func writeAnswer(w http.ResponseWriter, a idempotency.Answer) {
	w.Header()["Content-Type"] = route.JSONType
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the client is gone; nobody is left to tell
}

// withoutBody is for callers who may make a change and not see what it made: the
// response is 204, with the headers that it has otherwise.
type withoutBody struct{ http.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w withoutBody) WriteHeader(int) {
	w.Header().Del("Content-Type")
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(http.StatusNoContent)
}

// Write implements http.ResponseWriter.
func (w withoutBody) Write(text []byte) (int, error) { return len(text), nil }

// Unwrap is for http.ResponseController.
func (w withoutBody) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// answerBuffer keeps an answer in memory.
type answerBuffer struct {
	header http.Header // of the real answer
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (b *answerBuffer) Header() http.Header { return b.header }

// WriteHeader implements http.ResponseWriter.
func (b *answerBuffer) WriteHeader(status int) { b.status = status }

// Write implements http.ResponseWriter.
func (b *answerBuffer) Write(text []byte) (int, error) { return b.body.Write(text) }
