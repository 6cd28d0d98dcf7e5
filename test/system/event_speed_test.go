package system

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestEvents_Speed measures the time from a change until a client receives its event, from the
// process that made the change and from another one. It begins with the time of the event, which
// is before the commit.
func TestEvents_Speed(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		s := startServer(t, t.TempDir())
		measureEvents(t, s, []*server{s})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url := testkit.Postgres(t)
		begin := func() *server { return startServer(t, t.TempDir(), "SPECTER_DATABASE_URL="+url, "SECRET_KEY="+testKey) }
		one := begin()
		measureEvents(t, one, []*server{one, begin()})
	})
}

// eventBars are the limits of the 99th percentile, for the process that makes the changes and for
// another one.
var eventBars = []time.Duration{150 * time.Millisecond, 600 * time.Millisecond}

// measureEvents creates tokens at one server, and measures how long the events take to clients
// of all servers.
func measureEvents(t *testing.T, s *server, servers []*server) {
	t.Helper()
	boss := s.token("boss", "tokens:*", "events:read").Secret
	n := testkit.Size(50, 2000)
	arrivals := make([]*arrivals, len(servers))
	for i, server := range servers {
		arrivals[i] = newArrivals(t, server, boss)
	}
	ids := make([]string, n)
	for i := range ids {
		var made madeToken
		status := call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", boss, map[string]any{"description": fmt.Sprint(i), "lifetime": "1 hour", "scopes": []string{"tokens:read"}}, &made)
		if status != created {
			t.Fatalf("create a token: status %d\n%s", status, s.log)
		}
		ids[i] = made.ID
		<-time.After(time.Duration(i%50) * time.Millisecond) // not in step with the polls of the other process
	}
	for i, a := range arrivals {
		what := []string{"the process that made the changes", "another process"}[i]
		took := a.of(t, ids)
		testkit.Figure(t, "%d events from %s: p50 %v, p99 %v, at most %v after the change", n, what, took[n/2].Round(100*time.Microsecond), p99(took).Round(100*time.Microsecond), took[n-1].Round(100*time.Microsecond))
		if testkit.Long() && p99(took) > eventBars[i] {
			t.Errorf("p99 %v from %s", p99(took), what)
		}
	}
}

// arrivals are the times that events of new tokens took until a client received them.
type arrivals struct {
	mu   sync.Mutex
	took map[string]time.Duration // by token id
}

// newArrivals opens a stream that is read until the end of the test.
func newArrivals(t *testing.T, s *server, bearer string) *arrivals {
	t.Helper()
	a := &arrivals{took: map[string]time.Duration{}}
	ctx, cancel := context.WithCancel(t.Context())
	response, err := openStream(ctx, http.DefaultClient, s.url+"/api/v1/events", bearer, "")
	testkit.Check(t, err)
	if response.StatusCode != ok {
		t.Fatalf("open a stream: status %d", response.StatusCode)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		readStream(response.Body, func(_, data string) {
			now := time.Now()
			if data == "" {
				return
			}
			var e readEvent
			if err := e.parse(data); err != nil {
				t.Error(err)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.took[e.Data.TokenID] = now.Sub(e.Timestamp)
		})
	})
	t.Cleanup(func() {
		cancel()
		reading.Wait()
		_ = response.Body.Close()
	})
	return a
}

// of waits for the events of all tokens, and returns the times that they took in ascending order.
func (a *arrivals) of(t *testing.T, ids []string) (took []time.Duration) {
	t.Helper()
	testkit.Eventually(t, "the events of all tokens", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		took = nil
		for _, id := range ids {
			if d, arrived := a.took[id]; arrived {
				took = append(took, d)
			}
		}
		return len(took) == len(ids)
	})
	slices.Sort(took)
	return took
}
