package system

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// hookReceiver receives the messages of a webhook.
type hookReceiver struct {
	url string
	mu  sync.Mutex
	at  map[string][]time.Time // times of the requests by the id of the message
	// hanging requests get no response while it is not nil.
	hang chan struct{}
}

func newHookReceiver(t *testing.T) *hookReceiver {
	t.Helper()
	r := &hookReceiver{at: map[string][]time.Time{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		r.mu.Lock()
		id := req.Header.Get("webhook-id")
		r.at[id] = append(r.at[id], time.Now())
		hang := r.hang
		r.mu.Unlock()
		if hang != nil {
			<-hang
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// count returns the numbers of messages and of requests.
func (r *hookReceiver) count() (messages, requests int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range r.at {
		requests += len(at)
	}
	return len(r.at), requests
}

func (r *hookReceiver) setHang(hang chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hang = hang
}

// webhook creates a webhook of the admin for the events of tokens.
func (s *server) webhook(url string) {
	s.t.Helper()
	request := map[string]any{"description": "test", "url": url, "kinds": []string{"token"}}
	if status := call(s.t.Context(), http.MethodPost, s.url+"/api/v1/webhooks", "", request, nil); status != http.StatusCreated {
		s.t.Fatalf("create a webhook: status %d\n%s", status, s.log)
	}
}

// TestWebhook_FirstAttempt: the first attempt is made within a second of the response to the
// request that caused the event, also if another process caused it, and only once.
func TestWebhook_FirstAttempt(t *testing.T) {
	t.Parallel()
	for name, servers := range map[string]int{"SQLite": 1, "PostgreSQL": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := []string{"SPECTER_WEBHOOK_HOSTS=127.0.0.1"}
			if servers > 1 {
				settings = append(settings, "SPECTER_DATABASE_URL="+testkit.Postgres(t), "SECRET_KEY="+testKey)
			}
			var running []*server
			for range servers {
				running = append(running, startServer(t, t.TempDir(), settings...))
			}
			r := newHookReceiver(t)
			running[0].webhook(r.url)
			const events = 10
			var slowest time.Duration
			for i := range events {
				running[i%servers].token(fmt.Sprint("token ", i))
				begin := time.Now()
				testkit.Eventually(t, "the message arrives", func() bool { n, _ := r.count(); return n > i })
				slowest = max(slowest, time.Since(begin))
			}
			if messages, requests := r.count(); messages != events || requests != events {
				t.Errorf("%d messages arrived in %d requests", messages, requests)
			}
			testkit.Figure(t, "slowest first attempt of %d: %s", events, slowest.Round(time.Millisecond))
			if slowest > testkit.Bar(time.Second) {
				t.Errorf("the slowest first attempt was after %s", slowest)
			}
		})
	}
}

// TestWebhook_KilledProcess: a process is killed while it waits for the response of a
// receiver. Another process takes over the delivery, and those behind it follow.
func TestWebhook_KilledProcess(t *testing.T) {
	testkit.NeedsTime(t)
	t.Parallel()
	settings := []string{"SPECTER_WEBHOOK_HOSTS=127.0.0.1", "SPECTER_DATABASE_URL=" + testkit.Postgres(t), "SECRET_KEY=" + testKey}
	killed := startServer(t, t.TempDir(), settings...)
	r := newHookReceiver(t)
	killed.webhook(r.url)
	hang := make(chan struct{})
	defer close(hang)
	r.setHang(hang)
	killed.token("first")
	testkit.Eventually(t, "the first request arrives", func() bool { n, _ := r.count(); return n == 1 })
	killed.token("second")
	killed.kill()
	r.setHang(nil)
	startServer(t, t.TempDir(), settings...)
	testkit.Eventually(t, "both messages arrive", func() bool { messages, requests := r.count(); return messages == 2 && requests == 3 })
}
