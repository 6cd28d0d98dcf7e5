package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/specterd/specterd/api/v1"
)

const (
	allEvents    = "/api/v1/events"
	walletEvents = "/api/v1/wallets/{alias}/events"
)

// EventsParams selects the events of a stream. All fields are optional.
type EventsParams struct {
	// Only events of this wallet.
	Wallet string
	// Only events of these kinds or groups of kinds, such as transaction or proposal.signed.
	Kinds []string
}

// Events returns an iterator over the events of all your wallets and tokens, or of one wallet,
// which waits for new events until ctx is done. After is the ID of the last event that the program
// has processed, "latest" for new events only, or "" to start with the oldest event.
//
// It connects again after an interruption, from the last position (Last-Event-ID), without a gap
// and without a repetition. It ends after an error that would occur again: [ErrEventsPruned] if
// events after the position were deleted, or an error of the credential. When ctx is done, the last
// error is the cause of ctx.
//
// GET /api/v1/events, or GET /api/v1/wallets/{alias}/events
func (c *Client) Events(ctx context.Context, after string, params *EventsParams) iter.Seq2[v1.LoggedEvent, error] {
	r := request{method: "GET", path: allEvents, accept: "text/event-stream", query: url.Values{}}
	if params != nil {
		if params.Wallet != "" {
			r.path, r.args = walletEvents, []string{params.Wallet}
		}
		set(r.query, "kinds", params.Kinds)
	}
	return func(yield func(v1.LoggedEvent, error) bool) {
		s := &stream{c: c, request: r, after: after, yield: yield}
		if err := s.run(ctx); err != nil {
			yield(v1.LoggedEvent{}, err)
		}
	}
}

// maxSilence is the maximum time without data in a stream.
const maxSilence = 45 * time.Second

// stream is a stream of events that is connected again when it ends.
type stream struct {
	c        *Client
	request  request
	after    string // position of the last event
	received bool   // whether after is a position of the server
	failures int
	yield    func(v1.LoggedEvent, error) bool
}

// errStopped is returned after the caller has left the loop.
var errStopped = errors.New("stopped")

// run reads events until ctx is done, an error occurs that would occur again, or the caller leaves
// the loop, for which it returns nil.
func (s *stream) run(ctx context.Context) error {
	for {
		err := s.connect(ctx)
		if errors.Is(err, errStopped) {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		delay := backoff(1)
		if err != nil {
			e := lost(err)
			passing := e.Code == ErrNetwork || e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError
			if !passing {
				return once(e)
			}
			s.failures++
			delay = max(e.RetryAfter, backoff(s.failures))
		}
		if !sleep(ctx, delay) {
			return context.Cause(ctx)
		}
	}
}

// connect reads events until the stream ends.
func (s *stream) connect(ctx context.Context) error {
	r := s.request
	r.query = maps.Clone(r.query)
	set(r.query, "after", s.after)
	target, err := r.url(s.c.base)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(maxSilence, cancel)
	defer watch.Stop()
	if s.received {
		r.lastEventID = s.after
	}
	response, err := s.c.open(ctx, &r, target, nil, "")
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // the connection is closed
	if response.StatusCode != http.StatusOK {
		return errorOf(response)
	}
	return readMessages(response.Body, func(id string, data []byte) error {
		watch.Reset(maxSilence)
		return s.message(id, data)
	})
}

// message handles a message of the stream, which has an event or only a position.
func (s *stream) message(id string, data []byte) error {
	s.failures = 0
	if data != nil {
		var event v1.LoggedEvent
		if err := json.Unmarshal(data, &event); err != nil {
			return &Error{Code: ErrInvalidResponse, Status: http.StatusOK, Message: "the stream contains data that is not an event", cause: err}
		}
		if !s.yield(event, nil) {
			return errStopped
		}
	}
	if id != "" {
		s.after, s.received = id, true
	}
	return nil
}

// readMessages calls handle with each message of a stream of server-sent events. The data of a
// message without data is nil.
func readMessages(r io.Reader, handle func(id string, data []byte) error) error {
	lines := bufio.NewReader(r)
	id, data := "", []byte(nil)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF { // an incomplete message at the end is dropped
			return nil
		}
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) == 0:
			if id != "" || data != nil {
				if err := handle(id, data); err != nil {
					return err
				}
			}
			id, data = "", nil
		case string(name) == "id":
			id = string(value)
		case string(name) == "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, value...)
		}
	}
}
