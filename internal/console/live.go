package console

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/specterd/specterd/internal/event"
)

// liveWrite is the time that one write to an open stream may take.
const liveWrite = 30 * time.Second

// notePosition stores the position in the event log from which the stream of the page continues. It
// must be called before the page reads anything, so that no change between the two is missed.
func (c *call) notePosition() error {
	found, err := c.Events.Wait(c.r.Context(), c.who, event.Query{After: event.Latest, Limit: 1}, 0, func() {})
	c.position = found.Next
	return err
}

// streamEvents sends a message for every event that the caller may see, as server-sent events.
// A message contains no data: the page then requests its parts again, so that nothing is
// shown that the page itself would not show. It ends with the message end if the session ended.
func (c *call) streamEvents() error {
	reader, err := c.Events.Open(c.who, event.Query{After: cmp.Or(c.query("after"), event.Latest), Limit: 100})
	if err != nil {
		return err
	}
	defer reader.Close()
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(c.w)
	send := func(text string) error {
		if err := out.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil { //nolint:forbidigo // a deadline of the operating system
			return err
		}
		if _, err := io.WriteString(c.w, text); err != nil {
			return err
		}
		return out.Flush()
	}
	c.info.Rest(c.Now())
	err = follow(c.r.Context(), reader, send)
	if !errors.Is(err, event.ErrEnded) && c.r.Context().Err() == nil {
		_ = send("event: end\ndata: \n\n")
	}
	return nil
}

// follow calls send for new events until the context or the caller's session ends, which Read
// notices.
func follow(ctx context.Context, reader *event.Reader, send func(string) error) error {
	for {
		err := reader.Read(ctx, func(found event.Page) error {
			if len(found.Events) == 0 { // the first page, from which on no event is missed
				return send(": open\n\n")
			}
			return send("event: change\ndata: \n\n")
		}, func(string) error { return send(": still here\n\n") })
		if err != nil {
			return err
		}
		woken := make(chan struct{}, 1)
		reader.Await(func() { woken <- struct{}{} })
		select {
		case <-woken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stateful is the content of a page whose forms depend on a state. The script live.js replaces the
// content when the state has changed, or says so if the user has begun to work with it.
type stateful interface {
	// state returns a text that changes with the actions that the page offers.
	state() string
}

// stateOf returns a short text that depends on all values.
func stateOf(values ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v", values))
	return hex.EncodeToString(sum[:8])
}

// pageAddress returns the address at which the page can be requested again: without the notice
// about the last form, and for a form that was refused, the address of the page with the form.
func (c *call) pageAddress() string {
	if c.self != "" {
		return c.self
	}
	if c.r.Method != post {
		q := c.r.URL.Query()
		q.Del("done")
		return (&url.URL{Path: c.r.URL.Path, RawPath: c.r.URL.RawPath, RawQuery: q.Encode()}).RequestURI()
	}
	return c.pageOfForm()
}
