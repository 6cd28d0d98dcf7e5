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
	maxWrite     = 64 << 10         // bytes that a client has to take in writeTimeout
	writeTimeout = 30 * time.Second // of one write; there is no limit for them all
)

// Streamed is a body that is written while it is made, and never in memory as a
// whole.
type Streamed struct {
	ContentType string
	// Header is what goes with it besides; nil for nothing.
	Header http.Header
	// Body writes the body. An error that it returns before the first 32 kB are
	// full becomes an error response like any other; a later one cuts the
	// connection, so that nobody takes a part for the whole. It is not called for
	// HEAD.
	Body func(w *bufio.Writer) error

	whole any // instead of all these
}

// Whole is v as JSON, for a handler that streams something else, when asked to.
func Whole(v any) Streamed { return Streamed{whole: v} }

// Media is a media type that an answer may have.
type Media struct {
	Type string // without parameters
	// Of is the type of the body, or for JSON Lines of a line. It is for the
	// description.
	Of reflect.Type
}

// MediaOf returns a media type whose content is described by T.
func MediaOf[T any](mediaType string) Media { return Media{mediaType, reflect.TypeFor[T]()} }

// Stream makes a handler that answers 200 with a body of one of these media
// types. It may take as long as the client takes what it is sent.
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
			switch {
			case out.whole == nil:
				return out.write(w, r)
			case o.etag:
				return writeTagged(w, r, out.whole)
			}
			return Write(w, http.StatusOK, JSONType, out.whole)
		},
	}
}

// BrokenError is returned by Serve for an answer that has begun and cannot be
// ended: its connection has to be cut.
type BrokenError struct {
	cause error
	// Gone is whether the reason is that the client left or does not read.
	Gone bool
}

func (e *BrokenError) Error() string { return "an answer broke off: " + e.cause.Error() }

// Unwrap returns the reason.
func (e *BrokenError) Unwrap() error { return e.cause }

// Worker is the response writer of a server that limits how many requests work at once.
type Worker interface {
	http.ResponseWriter
	// Work waits until the request may work. A write ends that, so that clients that
	// read slowly hold up nobody.
	Work(ctx context.Context) error
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
		to.length = buffer.Buffered() // all of it, where nothing was written yet
		to.resume = nil               // no work is left
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

// timedWriter writes a body with a limit of time for each write.
type timedWriter struct {
	w             http.ResponseWriter
	control       *http.ResponseController
	streamed      Streamed
	length        int // of the whole body where that is known before the first write, else -1
	begun, failed bool
	resume        func() error // after a write; nil where nothing is to be waited for
}

// begin writes the header, which is late, so that there can be an error instead.
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

// limit sets a deadline of a connection, that far from now. Tests call handlers
// without a connection.
func limit(set func(time.Time) error, d time.Duration) error {
	err := set(time.Now().Add(d)) //nolint:forbidigo // connections know only real time
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}
