package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/event"
)

const (
	eventStreamType = "text/event-stream"
	// eventPatience is how long the demo waits for an event; most take less than a tenth
	// of a second.
	eventPatience = 10 * time.Second
)

// eventStream is an open stream of server-sent events.
type eventStream struct {
	response *http.Response
	events   chan sentEvent // closed at the end of the stream
}

// sentEvent is an event of a stream.
type sentEvent struct {
	Type event.Kind
	Data json.RawMessage
}

// open opens the stream of the walk, and waits for its position: later events are in the
// stream. The answer shows the position.
func (w *walk) open(request *http.Request) (*answer, error) {
	request.Header.Set("Accept", eventStreamType)
	response, err := w.client.Do(request) //nolint:bodyclose // eventStream.close does
	if err != nil {
		return nil, err
	}
	w.stream = &eventStream{response: response, events: make(chan sentEvent, 10)}
	lines := bufio.NewScanner(response.Body)
	if response.StatusCode != http.StatusOK || !lines.Scan() {
		return nil, fmt.Errorf("the response is %s, want a stream of events", response.Status)
	}
	a := &answer{status: response.Status, body: []byte(lines.Text())}
	go w.stream.read(lines)
	return a, nil
}

// read reads the stream until its end. The channel has room for more events than the demo
// causes.
func (s *eventStream) read(lines *bufio.Scanner) {
	defer close(s.events)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		var e sentEvent
		if ok && json.Unmarshal([]byte(data), &e) == nil {
			s.events <- e
		}
	}
}

func (s *eventStream) close() { _ = s.response.Body.Close() }

var errNoEvent = errors.New("the stream has no such event")

// next returns the data of the next event of a kind.
func (s *eventStream) next(ctx context.Context, kind event.Kind) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, eventPatience)
	defer cancel()
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				return nil, errNoEvent
			}
			if e.Type == kind {
				return e.Data, nil
			}
		case <-ctx.Done():
			return nil, errNoEvent
		}
	}
}

// showEvent waits for an event in the stream and prints it.
func (w *walk) showEvent(ctx context.Context, kind event.Kind) error {
	began := time.Now()
	data, err := w.stream.next(ctx, kind)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	w.printAnswer(fmt.Sprintf("In the stream, %.2f seconds later: %s", time.Since(began).Seconds(), kind), data)
	return nil
}
