package system

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// readStream calls each with the server-sent events in body until it ends or ctx ends. A
// position without an event has no data. An event that the end cut off is ignored.
func readStream(body io.Reader, each func(id, data string)) {
	lines := bufio.NewReaderSize(body, 512)
	var id, data string
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			data = value
		case "":
			each(id, data)
			data = ""
		}
	}
}

// openStream opens a stream of events. It returns an error, or a response with another status,
// if the server does not open it.
func openStream(ctx context.Context, client *http.Client, url, bearer, lastID string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	return client.Do(r)
}

// eventReader is a client that reads all events of a user, and continues after an interruption.
type eventReader struct {
	name string

	mu           sync.Mutex
	events       []readEvent
	interrupted  int
	lastID, next string
}

func (r *eventReader) add(t *testing.T, text string) {
	var e readEvent
	if err := e.parse(text); err != nil {
		t.Errorf("%s: %v: %s", r.name, err, text)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *eventReader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

// stream reads a stream of one process until ctx ends. After each kill, it opens another one
// with the position of the last.
func (r *eventReader) stream(ctx context.Context, s *soak) {
	for ctx.Err() == nil {
		life, url := s.running()
		response, err := openStream(ctx, s.client, url+"/api/v1/events", s.boss, r.lastID)
		if err == nil {
			switch response.StatusCode {
			case ok:
				readStream(response.Body, func(id, data string) {
					if r.lastID = id; data != "" {
						r.add(s.t, data)
					}
				})
			case http.StatusTooManyRequests, unavailable: // the server is busy
			default:
				s.note("%s: status %d", r.name, response.StatusCode)
			}
			_ = response.Body.Close()
		}
		s.interrupted(ctx, r, life, err)
	}
}

// interrupted records that a reader was interrupted, which only a kill may do.
func (s *soak) interrupted(ctx context.Context, r *eventReader, life int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.interrupted++
	if s.life == life && ctx.Err() == nil {
		s.wrong = append(s.wrong, r.name+" was interrupted without a kill: "+errorText(err))
	}
}

func errorText(err error) string {
	if err == nil {
		return "the response ended"
	}
	return err.Error()
}

// poll reads pages of events with long polls, from one process after the other, until ctx ends.
func (r *eventReader) poll(ctx context.Context, processes []*soak) {
	for i := 0; ctx.Err() == nil; i++ {
		s := processes[i%len(processes)]
		life, url := s.running()
		status, _, body, err := s.exchange(ask{method: http.MethodGet, path: "/api/v1/events?wait=5&limit=20&after=" + r.next}, url)
		switch {
		case err != nil:
			s.interrupted(ctx, r, life, err)
		case status == ok:
			var page eventPage
			if err := json.Unmarshal(body, &page); err != nil {
				s.note("%s: %v", r.name, err)
			}
			for _, text := range page.Items {
				r.add(s.t, string(text))
			}
			r.next = page.Next
		case status != http.StatusTooManyRequests && status != unavailable:
			s.note("%s: status %d: %s", r.name, status, body)
		}
	}
}

type eventPage struct {
	Items []json.RawMessage
	Next  string `json:"next_after"`
	More  bool
}

// allEvents returns all events of the user from the first, in one response.
func (s *soak) allEvents() (all []readEvent) {
	s.t.Helper()
	status, _, body, err := s.exchange(ask{method: http.MethodGet, path: "/api/v1/events", accept: "application/jsonl"}, s.url)
	testkit.Check(s.t, err)
	if status != ok {
		s.t.Fatalf("status %d: %s", status, body)
	}
	for line := range strings.Lines(string(body)) {
		var e readEvent
		testkit.Check(s.t, e.parse(strings.TrimSuffix(line, "\n")))
		all = append(all, e)
	}
	return all
}

// walletEvents returns all events of a wallet from the first, in small pages.
func (s *soak) walletEvents(alias string) (all []readEvent) {
	s.t.Helper()
	page := eventPage{More: true}
	for page.More {
		path := "/api/v1/wallets/" + alias + "/events?limit=97&after=" + page.Next
		page = eventPage{}
		into(s.t, &page, json.RawMessage(s.text(path)))
		for _, text := range page.Items {
			var e readEvent
			testkit.Check(s.t, e.parse(string(text)))
			all = append(all, e)
		}
	}
	return all
}
