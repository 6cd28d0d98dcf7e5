package console_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// stream is an open stream of changes.
type stream struct {
	t     *testing.T
	body  io.ReadCloser
	lines *bufio.Scanner
}

// live opens the stream of changes.
func (v *visitor) live() *stream {
	v.t.Helper()
	s := v.liveAt("/live")
	s.await(": open")
	return s
}

func (v *visitor) liveAt(path string) *stream {
	v.t.Helper()
	r := testkit.Must(http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.site.url+path, nil))
	r.Header.Set("Accept", "text/event-stream")
	answer, err := v.client.Do(r)
	testkit.Check(v.t, err)
	v.t.Cleanup(func() { _ = answer.Body.Close() })
	if got := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || got != "text/event-stream" {
		v.t.Fatalf("the stream: %d %s", answer.StatusCode, got)
	}
	return &stream{v.t, answer.Body, bufio.NewScanner(answer.Body)}
}

// await reads until a line is the given one, and returns the lines before it.
func (s *stream) await(line string) string {
	s.t.Helper()
	var before strings.Builder
	for s.lines.Scan() {
		if s.lines.Text() == line {
			return before.String()
		}
		before.WriteString(s.lines.Text() + "\n")
	}
	s.t.Fatalf("the stream ended without %q: %s", line, before.String())
	return ""
}

// TestLive shows that the stream reports changes without data, and ends with the session.
func TestLive(t *testing.T) {
	t.Parallel()
	ends := map[string]func(t *testing.T, s *site, v *visitor){
		"sign-out":       func(_ *testing.T, _ *site, v *visitor) { v.post("/logout") },
		"deleted by SQL": func(t *testing.T, s *site, _ *visitor) { s.sql(t, "DELETE FROM sessions") },
		"disabled by SQL": func(t *testing.T, s *site, v *visitor) {
			s.sql(t, "UPDATE users SET disabled_at = 1 WHERE name = $1", v.name)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachEngine(t, func(t *testing.T, s *site) {
				v := s.user(t, "bob", false)
				open := v.live()
				v.api("GET", "/api/v1/tokens", nil) // creates a token, of which bob's events tell
				if before := open.await("event: change"); strings.Contains(before, "data: {") {
					t.Errorf("the stream contains data: %s", before)
				}
				end(t, s, v)
				open.await("event: end")
			})
		})
	}
}

// TestLive_SincePage shows that the stream of a page reports a change between the page and the
// start of its stream.
func TestLive_SincePage(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		v := s.user(t, "bob", false)
		at := attr(v.get("/").all("body", nil)[0], "data-live-url")
		v.api("GET", "/api/v1/tokens", nil) // creates a token
		v.liveAt(at).await("event: change")
	})
}

// TestLive_OfOthers shows that the stream does not report changes that the user may not see.
func TestLive_OfOthers(t *testing.T) {
	t.Parallel()
	s := open(t)
	bob, carol := s.user(t, "bob", false), s.user(t, "carol", false)
	open := bob.live()
	carol.api("GET", "/api/v1/tokens", nil)
	s.sql(t, "DELETE FROM users WHERE name = 'bob'")
	if before := open.await("event: end"); strings.Contains(before, "event: change") {
		t.Errorf("bob's stream reports carol's token: %s", before)
	}
}
