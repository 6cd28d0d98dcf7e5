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
func (s *server) admitted(ctx context.Context, w http.ResponseWriter, r *http.Request, to *route.Route, strict route.Strictness) error {
	if to.Credentials == route.Public {
		return s.answer(ctx, w, r, to, strict)
	}
	if to.Handler.StaysOpen && r.ContentLength != 0 {
		return errNoBody
	}
	who := auth.PrincipalFrom(ctx)
	if size := httpcall.AnnouncedSize(r, to.Handler.MaxBody); size > 0 {
		release, err := s.Gate.Buffer(ctx, who.UserID, size)
		if err != nil {
			return err
		}
		defer release()
	}
	if !isLimited(to) {
		return s.answer(ctx, w, r, to, strict)
	}
	info := httpcall.Of(ctx)
	kind := admission.Work
	if to.Handler.Media != nil {
		kind = admission.Stream
	}
	worker := &worker{httpcall.NewLimited(w, s.Gate, who.UserID, kind), s, who, kind, func() { info.Rest(s.Now()) }}
	defer worker.Leave()
	if to.Handler.IsHeavy {
		if _, err := route.BufferBody(w, r); err != nil {
			return err
		}
		if err := worker.Work(ctx); err != nil {
			return err
		}
		ctx = worker.WithSlot(ctx)
	}
	return s.answer(ctx, worker, r, to, strict)
}

var errNoBody = fault.New(fault.Invalid, "invalid_input", "this request must not have a body")

// worker is the response writer of a heavy or streamed request. It implements
// [route.Worker].
type worker struct {
	*httpcall.Limited

	server *server
	caller *auth.Principal
	kind   admission.Kind
	rested func() // called by Rest
}

// Rest implements route.Worker.
func (w *worker) Rest() {
	w.Leave()
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
	return &worker{httpcall.NewLimited(out, s.Gate, caller.UserID, w.kind), s, caller, w.kind, func() {}}, run, true
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
