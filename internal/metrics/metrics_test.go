package metrics_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/specterd/specterd/internal/metrics"
	"github.com/specterd/specterd/internal/node/nodestatus"
)

type source struct {
	status nodestatus.Status
	stats  metrics.Stats
	err    error
}

func (s *source) Status() nodestatus.Status                    { return s.status }
func (s *source) Stats(context.Context) (metrics.Stats, error) { return s.stats, s.err }

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := &source{stats: metrics.Stats{
		Wallets: map[string]int64{"ready": 3, "rescanning": 1}, Proposals: map[string]int64{"created": 2}, LeastHeight: 99, LastBackup: time.Unix(1_800_000_000, 0), UnproposedSpends: 4,
		Webhooks: metrics.WebhookStats{Active: 5, Failing: 2, Disabled: 1, Pending: 7, OldestPending: time.UnixMilli(1_800_000_000_250)},
	}}
	s.status.LastContact, s.status.Blocks, s.status.Headers, s.status.Connections = time.UnixMilli(1_800_000_000_500), 100, 101, 8
	m := metrics.New(slog.New(slog.DiscardHandler), "v1.2.3", s, s)
	m.Observe("GET", "/api/v1/wallets/{alias}", 200, 3*time.Millisecond)
	m.Observe("BREW", "", 404, time.Millisecond)
	m.ObserveAttempt(true, time.Millisecond)
	m.ObserveAttempt(false, 14*time.Second)
	text := scrape(t, m)
	for _, want := range []string{
		`specterd_build_info{goversion="go1.`, `version="v1.2.3"} 1`,
		`specterd_http_request_duration_seconds_bucket{code="200",method="GET",route="/api/v1/wallets/{alias}",le="0.0025"} 0`,
		`specterd_http_request_duration_seconds_bucket{code="200",method="GET",route="/api/v1/wallets/{alias}",le="0.005"} 1`,
		`specterd_http_request_duration_seconds_count{code="404",method="other",route="other"} 1`,
		"specterd_node_usable 1\n", "specterd_node_height 100\n", "specterd_node_headers 101\n", "specterd_node_peers 8\n",
		"specterd_node_last_contact_timestamp_seconds 1.8000000005e+09\n",
		"specterd_database_up 1\n", `specterd_wallets{status="ready"} 3`, `specterd_proposals{status="created"} 2`, "specterd_unproposed_spends 4\n", "specterd_index_height 99\n",
		`specterd_webhooks{status="active"} 3`, `specterd_webhooks{status="failing"} 2`, `specterd_webhooks{status="disabled"} 1`,
		"specterd_webhook_pending_deliveries 7\n", "specterd_webhook_oldest_pending_timestamp_seconds 1.80000000025e+09\n",
		`specterd_webhook_attempt_duration_seconds_bucket{result="ok",le="0.01"} 1`, `specterd_webhook_attempt_duration_seconds_count{result="failed"} 1`,
		"specterd_last_backup_timestamp_seconds 1.8e+09\n",
		"go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}

	// Metrics are available without database and node.
	s.err, s.status = errors.New("away"), nodestatus.Status{Problem: nodestatus.ErrWrongChain}
	text = scrape(t, m)
	if !strings.Contains(text, "specterd_database_up 0\n") || !strings.Contains(text, "specterd_node_usable 0\n") || strings.Contains(text, "specterd_wallets") {
		t.Errorf("got\n%s", text)
	}
}

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}
