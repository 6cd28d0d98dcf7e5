package route

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"

	"github.com/specterd/specterd/internal/fault"
)

// Live is a response that stays open. Its methods are called one after the other, except Close.
type Live interface {
	// Send writes everything that there is to send now, in parts, which the client receives at
	// once. The request has a slot only from a part with more, which are at hand, to one
	// without. If it returns io.EOF, the response is complete. After a fault, it ends as well; a
	// client that repeats the request gets the reason.
	Send(ctx context.Context, send func(part []byte, more bool) error) error
	// Await calls wake once, as soon as there is something to do for Send, and not after Close.
	// Wake does not block.
	Await(wake func())
	// Close ends the response. It can be called at any time, and repeatedly.
	Close()
}

// writeLive writes a response that stays open. Once it has nothing more to send, it takes the
// connection from net/http if possible (HTTP/1): the goroutine of the handler ends, and the
// memory of the request, which is much more than the connection needs, is released.
func (s Streamed) writeLive(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	to := &timedWriter{w: w, control: http.NewResponseController(w), streamed: s, length: -1}
	if r.Method == http.MethodHead {
		to.begin()
		return nil
	}
	if r.ProtoMajor == 1 {
		to.streamed.Header = http.Header{"Connection": {"close"}}
		maps.Copy(to.streamed.Header, s.Header)
	}
	live, err := s.Live(ctx)
	if err != nil {
		return err
	}
	worker, _ := w.(Worker)
	isDetached := false
	defer func() {
		if !isDetached {
			live.Close()
		}
	}()
	if err = live.Send(ctx, to.sender(ctx, worker)); err == nil {
		if isDetached = worker != nil && detach(to, worker, live, r); isDetached {
			return nil
		}
		err = attend(ctx, live, to.sender(ctx, worker))
	}
	return to.liveError(ctx, err)
}

// attend sends everything that there is to send later, until the response ends.
func attend(ctx context.Context, live Live, send func([]byte, bool) error) error {
	woken := make(chan struct{}, 1)
	for {
		live.Await(func() { woken <- struct{}{} })
		select {
		case <-woken:
		case <-ctx.Done():
			return io.EOF
		}
		if err := live.Send(ctx, send); err != nil {
			return err
		}
	}
}

// sender returns a function that writes a part. Worker may be nil.
func (t *timedWriter) sender(ctx context.Context, worker Worker) func(part []byte, more bool) error {
	return func(part []byte, more bool) error {
		if len(part) > 0 {
			if err := t.writeNow(part); err != nil {
				return err
			}
		}
		switch {
		case worker == nil:
		case more:
			return worker.Work(ctx)
		default:
			worker.Rest()
		}
		return nil
	}
}

// liveError returns the error of a response that stayed open: nil if it was begun and ended as
// it should.
func (t *timedWriter) liveError(ctx context.Context, err error) error {
	_, isFault := errors.AsType[*fault.Error](err)
	switch {
	case !t.begun && !errors.Is(err, io.EOF):
		return err
	case isFault || errors.Is(err, io.EOF):
		return nil
	}
	return &BrokenError{err, t.failed || ctx.Err() != nil}
}

// detach takes the connection of a live response from net/http, and reports whether it could.
func detach(to *timedWriter, worker Worker, live Live, r *http.Request) bool {
	c := &connection{chunked: r.ProtoAtLeast(1, 1)}
	outlived, run, ok := worker.Outlive(c)
	if !ok || r.Context().Err() != nil {
		return false
	}
	conn, _, err := to.control.Hijack()
	if err != nil { // HTTP/2
		return false
	}
	c.Conn = conn
	d := &detached{live: live, conn: c, worker: outlived, run: run, to: timedWriter{w: outlived, control: http.NewResponseController(outlived), begun: true}}
	go d.watch()
	live.Await(d.wake)
	return true
}

// detached is a live response whose handler has returned. While it has nothing to send, it is
// only a goroutine that notices the end of the connection.
type detached struct {
	live   Live
	conn   *connection
	worker Worker
	run    func(f func(ctx context.Context) error)
	to     timedWriter
}

// watch ends the response when the client closes the connection, or sends something, which it
// must not do.
func (d *detached) watch() {
	var unexpected [1]byte
	_, _ = d.conn.Read(unexpected[:])
	d.live.Close()
	_ = d.conn.Close()
}

func (d *detached) wake() { d.run(d.send) }

// send sends everything that there is to send now, and waits for more.
func (d *detached) send(ctx context.Context) error {
	rests := false
	defer func() {
		if !rests {
			d.live.Close()
			d.worker.Rest()
			_ = d.conn.Close()
		}
	}()
	defer context.AfterFunc(ctx, func() { _ = d.conn.Close() })() // the server does not wait for a slow client
	err := d.live.Send(ctx, d.to.sender(ctx, d.worker))
	if rests = err == nil; rests {
		d.live.Await(d.wake)
		return nil
	}
	if err = d.to.liveError(ctx, err); err == nil {
		d.conn.end()
	}
	return err
}

// connection writes the body of a response to a connection that was taken from net/http, which
// has sent the header and the beginning of the body.
type connection struct {
	net.Conn
	chunked bool
}

// Header implements http.ResponseWriter.
func (*connection) Header() http.Header { return http.Header{} }

// WriteHeader implements http.ResponseWriter.
func (*connection) WriteHeader(int) {}

// Write implements http.ResponseWriter.
func (c *connection) Write(b []byte) (int, error) {
	if !c.chunked || len(b) == 0 {
		return c.Conn.Write(b)
	}
	chunk := strconv.AppendInt(make([]byte, 0, len(b)+16), int64(len(b)), 16)
	chunk = append(append(append(chunk, "\r\n"...), b...), "\r\n"...)
	if _, err := c.Conn.Write(chunk); err != nil {
		return 0, err
	}
	return len(b), nil
}

// end completes the body.
func (c *connection) end() {
	if c.chunked {
		_, _ = io.WriteString(c.Conn, "0\r\n\r\n") // fails only if the client disconnected
	}
}
