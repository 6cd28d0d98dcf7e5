package route

import (
	"bufio"
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"
)

const (
	streamBuffer = 32 << 10         // bytes
	maxWrite     = 64 << 10         // bytes that a client must receive within writeTimeout
	writeTimeout = 30 * time.Second // for one write; the whole response has no time limit
)

// Streamed is a response whose body is written while it is generated, so that it is never
// completely in memory.
type Streamed struct {
	ContentType string
	// Header contains additional headers; it may be nil.
	Header http.Header
	// Body writes the body. If it returns an error before it has written 32 KiB, the
	// client gets a normal error response; a later error closes the connection, so
	// that the client notices that the body is incomplete. It is not called for HEAD.
	Body func(w *bufio.Writer) error
	// Live, if set, takes the place of Body for a response that stays open and waits
	// between its parts.
	Live func(ctx context.Context) (Live, error)

	whole any                                                       // if not nil, the response is this value as JSON, and the other fields are ignored
	later func(ctx context.Context, rest func()) (v any, err error) // returns whole
}

// Later returns a response with the result of f as JSON. F has a slot until it calls rest,
// after which it may wait.
func Later(f func(ctx context.Context, rest func()) (v any, err error)) Streamed {
	return Streamed{later: f}
}

// Whole returns a response that is not streamed, with v as JSON, for a handler that
// streams only if the client asks for it.
func Whole(v any) Streamed { return Streamed{whole: v} }

// Media is a media type of a response.
type Media struct {
	Type string // without parameters
	// Of is the type of the body, or, for JSON Lines, the type of a line. The OpenAPI
	// specification contains its schema.
	Of reflect.Type
}

// MediaOf returns a media type with content of type T.
func MediaOf[T any](mediaType string) Media { return Media{mediaType, reflect.TypeFor[T]()} }

// Stream returns a handler that responds with 200 and a body of one of the given media
// types. The response has no time limit as long as the client continues to read it.
func Stream[In any](f func(ctx context.Context, in In) (Streamed, error), media ...Media) Handler {
	plan := planFor(reflect.TypeFor[In]())
	return Handler{
		In: reflect.TypeFor[In](), Out: reflect.TypeFor[None](), Media: media, Status: http.StatusOK,
		Name: nameOf(f), MaxBody: plan.maxBody, NeedsBody: plan.needsBody, PathParameters: plan.pathNames(),
		serve: func(ctx context.Context, w http.ResponseWriter, r *http.Request, o options) error {
			var in In
			ctx, err := plan.receive(ctx, w, r, &in, o)
			if err != nil {
				return err
			}
			out, err := f(ctx, in)
			if err != nil {
				return err
			}
			if len(media) > 1 {
				w.Header().Add("Vary", "Accept")
			}
			if out.later != nil {
				if out.whole, err = out.compute(ctx, w); err != nil {
					return err
				}
			}
			switch {
			case out.Live != nil:
				return out.writeLive(ctx, w, r)
			case out.whole == nil:
				return out.write(w, r)
			case o.etag:
				return writeTagged(w, r, out.whole)
			}
			return Write(w, http.StatusOK, JSONType, out.whole)
		},
	}
}

// BrokenError is returned by Serve for a response that was started and cannot be
// completed. The caller must close the connection.
type BrokenError struct {
	cause error
	// Gone reports whether the client disconnected or stopped reading.
	Gone bool
}

func (e *BrokenError) Error() string { return "response aborted: " + e.cause.Error() }

// Unwrap returns the cause.
func (e *BrokenError) Unwrap() error { return e.cause }

// Worker is the response writer of a request that must wait for a slot, because the server
// limits the number of such requests that run at the same time.
type Worker interface {
	http.ResponseWriter
	// Work waits for a slot. Each write releases the slot, so that clients that read slowly
	// do not block other requests.
	Work(ctx context.Context) error
	// Rest releases the slot, and the user's place, until Work is called again.
	Rest()
	// Outlive returns a Worker that writes to w and can be used after the handler of the request
	// has returned, and a function that runs others in the background of the server. It
	// returns false if the server has none.
	Outlive(w http.ResponseWriter) (_ Worker, run func(f func(ctx context.Context) error), ok bool)
}

var streams = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, streamBuffer) }}

func (s Streamed) write(w http.ResponseWriter, r *http.Request) error {
	to := &timedWriter{w: w, control: http.NewResponseController(w), streamed: s, length: -1}
	if r.Method == http.MethodHead {
		to.begin()
		return nil
	}
	if worker, ok := w.(Worker); ok {
		to.resume = func() error { return worker.Work(r.Context()) } //nolint:contextcheck // it is the request's
		if err := to.resume(); err != nil {
			return err
		}
	}
	buffer := streams.Get().(*bufio.Writer)
	buffer.Reset(to)
	defer func() {
		buffer.Reset(nil)
		streams.Put(buffer)
	}()
	err := s.Body(buffer)
	if err == nil {
		to.length = buffer.Buffered() // used only if nothing was written yet; then it is the complete length
		to.resume = nil               // no slot is required any more
		err = buffer.Flush()
	}
	switch {
	case err == nil && !to.begun: // an empty body
		to.begin()
		return nil
	case err == nil || !to.begun:
		return err
	}
	return &BrokenError{err, to.failed || r.Context().Err() != nil}
}

// compute returns the result of later.
func (s Streamed) compute(ctx context.Context, w http.ResponseWriter) (any, error) {
	worker, ok := w.(Worker)
	if !ok {
		return s.later(ctx, func() {})
	}
	if err := worker.Work(ctx); err != nil {
		return nil, err
	}
	return s.later(ctx, worker.Rest)
}

// timedWriter writes a body with a time limit for each write.
type timedWriter struct {
	w             http.ResponseWriter
	control       *http.ResponseController
	streamed      Streamed
	length        int // length of the body if it is known before the first write, otherwise -1
	begun, failed bool
	resume        func() error // waits for a slot again after a successful write; may be nil
}

// begin writes the header. It is called only at the first write, because an error response
// is possible until then.
func (t *timedWriter) begin() {
	t.begun = true
	h := t.w.Header()
	maps.Copy(h, t.streamed.Header)
	h["Content-Type"] = []string{t.streamed.ContentType}
	if t.length >= 0 {
		h.Set("Content-Length", strconv.Itoa(t.length))
	}
	t.w.WriteHeader(http.StatusOK)
}

// Write implements io.Writer.
func (t *timedWriter) Write(b []byte) (written int, err error) {
	if !t.begun {
		t.begin()
	}
	for len(b) > 0 && err == nil {
		var n int
		if err = limit(t.control.SetWriteDeadline, writeTimeout); err == nil {
			n, err = t.w.Write(b[:min(len(b), maxWrite)])
		}
		written += n
		b = b[n:]
	}
	if err == nil && t.resume != nil {
		err = t.resume()
	}
	t.failed = err != nil
	return written, err
}

// writeNow writes a part that the client receives at once.
func (t *timedWriter) writeNow(part []byte) error {
	if _, err := t.Write(part); err != nil {
		return err
	}
	err := t.control.Flush()
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	t.failed = err != nil
	return err
}

// limit calls set with the time d from now, to set a deadline of a connection. It ignores
// http.ErrNotSupported, because tests call handlers without a connection.
func limit(set func(time.Time) error, d time.Duration) error {
	err := set(time.Now().Add(d)) //nolint:forbidigo // connections know only real time
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
