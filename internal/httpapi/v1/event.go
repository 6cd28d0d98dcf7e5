package v1

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/text"
)

// loggedEventOf returns an event as the caller sees it.
func loggedEventOf(ctx context.Context, e event.Listed) api.LoggedEvent {
	out := api.LoggedEvent{ID: e.ID, Type: string(e.Kind), Timestamp: e.At.UTC(), Data: []byte(e.Data)}
	switch a := e.Actor; {
	case a.IsOperator():
		out.Actor = &api.EventActor{}
	case a.UserID == caller(ctx).UserID:
		out.Actor = &api.EventActor{User: &a.UserName, TokenID: text.Optional(a.TokenID)}
	case a.UserID != "":
		out.Actor = &api.EventActor{User: &a.UserName}
	}
	return out
}

// streamPage is the number of events that a stream, or JSON Lines, reads at once.
const streamPage = 100

// eventStreamType is the media type of server-sent events.
const eventStreamType = "text/event-stream"

// EventMedia are the media types of events.
var EventMedia = []route.Media{
	route.MediaOf[api.EventPage](jsonType), route.MediaOf[string](eventStreamType),
	route.MediaOf[api.LoggedEvent](linesType), route.MediaOf[api.LoggedEvent](ndjsonType),
}

type eventsRequest struct {
	After  string `query:"after" json:"-" description:"Only events after this one: an id, or next_after of an earlier response. latest: only new events. Default: from the oldest event that is kept. 410 if events after it were deleted."`
	Kinds  string `query:"kinds" json:"-" example:"transaction,proposal.signed" description:"Only events of these kinds or groups of kinds, separated by commas. node and its kinds are for admins."`
	Limit  int    `query:"limit" json:"-" minimum:"1" maximum:"1000" default:"100" description:"Maximum number of events of a page."`
	Wait   int    `query:"wait" json:"-" minimum:"0" maximum:"30" default:"0" description:"Long poll: seconds to wait for an event if the page would be empty."`
	Accept string `header:"Accept" json:"-"`
	LastID string `header:"Last-Event-ID" json:"-" description:"Takes precedence over after in a stream of events; clients send it when they reconnect."`
}

func (r eventsRequest) query(walletID string) (q event.Query, err error) {
	q = event.Query{WalletID: walletID, After: r.After}
	if q.Kinds, err = event.ParseKinds("kinds", r.Kinds); err != nil {
		return q, err
	}
	q.Limit, err = page{Limit: r.Limit}.limit()
	if r.Wait < 0 || r.Wait > 30 {
		err = fault.InvalidField("wait", "must be 0 to 30 seconds")
	}
	return q, err
}

type walletEventsRequest struct {
	walletRequest
	eventsRequest
}

// ListEvents serves GET /api/v1/wallets/{alias}/events.
func (a *API) ListEvents(ctx context.Context, in walletEventsRequest) (route.Streamed, error) {
	to := access(ctx)
	if err := to.Need(auth.RoleViewer); err != nil {
		return route.Streamed{}, err
	}
	return a.events(ctx, to.WalletID(), in.eventsRequest)
}

// ListAllEvents serves GET /api/v1/events.
func (a *API) ListAllEvents(ctx context.Context, in eventsRequest) (route.Streamed, error) {
	return a.events(ctx, "", in)
}

// events returns a page of events, all events, or a stream of events that stays open,
// depending on the Accept header.
func (a *API) events(ctx context.Context, walletID string, in eventsRequest) (route.Streamed, error) {
	q, err := in.query(walletID)
	if err != nil {
		return route.Streamed{}, err
	}
	mediaType := preferred(in.Accept, jsonType, eventStreamType, linesType, ndjsonType)
	if mediaType != jsonType && q.Limit != defaultLimit {
		return route.Streamed{}, fault.InvalidField("limit", "must not be used with a stream or JSON Lines, which are complete; use after")
	}
	switch mediaType {
	case eventStreamType:
		q.After, q.Limit = cmp.Or(in.LastID, q.After), streamPage
		return route.Streamed{
			ContentType: mediaType, Header: http.Header{"X-Accel-Buffering": {"no"}},
			Live: func(ctx context.Context) (route.Live, error) {
				r, err := a.o.Events.Open(caller(ctx), q)
				return eventStream{r}, err
			},
		}, nil
	case linesType, ndjsonType:
		q.Limit = streamPage
		return route.Streamed{ContentType: mediaType, Body: func(w *bufio.Writer) error { return a.writeEvents(ctx, w, q) }}, nil
	}
	return route.Later(func(ctx context.Context, rest func()) (any, error) {
		found, err := a.o.Events.Wait(ctx, caller(ctx), q, time.Duration(in.Wait)*time.Second, rest)
		out := api.EventPage{Items: make([]api.LoggedEvent, len(found.Events)), NextAfter: found.Next, More: found.More}
		for i, e := range found.Events {
			out.Items[i] = loggedEventOf(ctx, e)
		}
		return out, err
	}), nil
}

// writeEvents writes all events, one per line.
func (a *API) writeEvents(ctx context.Context, w *bufio.Writer, q event.Query) error {
	return a.o.Events.Each(ctx, caller(ctx), q, func(found event.Page) error {
		for _, e := range found.Events {
			if err := json.MarshalWrite(w, loggedEventOf(ctx, e)); err != nil {
				return err
			}
			if err := w.WriteByte('\n'); err != nil {
				return err
			}
		}
		return nil
	})
}

// eventStream sends server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html):
// existing events, and then new ones when they are recorded. In between, it sends the
// position of the reader, which also keeps the connection open.
type eventStream struct{ *event.Reader }

// Send implements route.Live.
func (s eventStream) Send(ctx context.Context, send func(part []byte, more bool) error) error {
	position := func(next string) []byte { return []byte("id: " + next + "\n\n") }
	err := s.Read(ctx, func(found event.Page) error {
		if len(found.Events) == 0 {
			return send(position(found.Next), found.More)
		}
		var text bytes.Buffer
		for _, e := range found.Events {
			text.WriteString("id: " + e.ID + "\nevent: " + string(e.Kind) + "\ndata: ")
			if err := json.MarshalWrite(&text, loggedEventOf(ctx, e)); err != nil { // it has no line breaks
				return err
			}
			text.WriteString("\n\n")
		}
		return send(text.Bytes(), found.More)
	}, func(next string) error { return send(position(next), false) })
	if errors.Is(err, event.ErrEnded) {
		return io.EOF
	}
	return err
}
