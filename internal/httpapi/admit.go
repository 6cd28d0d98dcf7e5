package httpapi

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
)

// admitted serves an authorized request once memory for its body and, for a heavy route, a
// slot are available. It returns admission.ErrTooMany or ErrBusy if that takes too long. The
// body of a heavy request is read before the request takes a slot, so that slow senders do
// not block other requests. Requests to public routes are not limited.
func (s *server) admitted(ctx context.Context, w http.ResponseWriter, r *http.Request, to route.Route, strict route.Strictness) error {
	if to.Credentials == route.Public {
		return s.answer(ctx, w, r, to, strict)
	}
	if to.Handler.StaysOpen && r.ContentLength != 0 {
		return errNoBody
	}
	who := auth.PrincipalFrom(ctx)
	if size := announced(r, to.Handler.MaxBody); size > 0 {
		release, err := s.gate.Buffer(ctx, who.UserID, size)
		if err != nil {
			return err
		}
		defer release()
	}
	if !isLimited(to) {
		return s.answer(ctx, w, r, to, strict)
	}
	info := httpcall.Of(ctx)
	worker := &worker{ResponseWriter: w, server: s, caller: who, kind: admission.Work, rested: func() { info.Rest(s.Now()) }}
	if to.Handler.Media != nil {
		worker.kind = admission.Stream
	}
	defer worker.leave()
	if to.Handler.IsHeavy {
		if _, err := route.BufferBody(w, r); err != nil {
			return err
		}
		if err := worker.Work(ctx); err != nil {
			return err
		}
		ctx = admission.WithSlot(ctx, worker.slot)
	}
	return s.answer(ctx, worker, r, to, strict)
}

var errNoBody = fault.New(fault.Invalid, "invalid_input", "this request must not have a body")

// announced returns the maximum size of the body in bytes: its Content-Length or, if the
// length is unknown, most, the limit of the route.
func announced(r *http.Request, most int64) int64 {
	if r.ContentLength < 0 {
		return most
	}
	return r.ContentLength
}

// worker is the response writer of a heavy or streamed request. It implements
// [route.Worker]: each write releases the slot, so that another request can use it; Work
// acquires a slot again.
type worker struct {
	http.ResponseWriter
	server *server
	caller *auth.Principal
	kind   admission.Kind
	slot   *admission.Slot // nil unless the request has a place
	rested func()          // called by Rest
}

// Work implements route.Worker.
func (w *worker) Work(ctx context.Context) (err error) {
	if w.slot == nil {
		w.slot, err = w.server.gate.Enter(ctx, w.caller.UserID, w.kind)
		return err
	}
	return w.slot.Resume(ctx)
}

// Write implements http.ResponseWriter.
func (w *worker) Write(b []byte) (int, error) {
	if w.slot != nil {
		w.slot.Pause()
	}
	return w.ResponseWriter.Write(b)
}

// Rest implements route.Worker.
func (w *worker) Rest() {
	w.leave()
	w.slot = nil
	w.rested()
}

// Outlive implements route.Worker.
func (w *worker) Outlive(out http.ResponseWriter) (_ route.Worker, run func(func(ctx context.Context) error), ok bool) {
	if w.server.Background == nil {
		return nil, nil, false
	}
	s, caller := w.server, w.caller // without the request, which would stay in memory
	run = func(f func(ctx context.Context) error) {
		s.Background(func(ctx context.Context) { s.runDetached(auth.WithPrincipal(ctx, caller), f) })
	}
	return &worker{ResponseWriter: out, server: s, caller: caller, kind: w.kind, rested: func() {}}, run, true
}

// runDetached runs a part of a response whose handler has returned, recovers from panics, and
// logs errors.
func (s *server) runDetached(ctx context.Context, f func(ctx context.Context) error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.ErrorContext(ctx, "response panicked", "panic", panicText(p), "stack", string(debug.Stack()))
		}
	}()
	if broken, ok := errors.AsType[*route.BrokenError](f(ctx)); ok {
		s.logAborted(ctx, broken)
	}
}

// Unwrap returns the wrapped response writer, for http.ResponseController.
func (w *worker) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *worker) leave() {
	if w.slot != nil {
		w.slot.Leave()
	}
}
