// Package metrics exports Prometheus metrics of specterd, named according to
// https://prometheus.io/docs/practices/naming/. They contain no names of users or
// wallets, no ids and no amounts, since readers of metrics may not be authorized to
// see them.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/specterd/specterd/internal/node/nodestatus"
)

// Node provides the last known status of the Bitcoin node, without an RPC call.
type Node interface{ Status() nodestatus.Status }

// Store provides the statistics of the database.
type Store interface {
	Stats(ctx context.Context) (Stats, error)
}

// Stats are counts from the database.
type Stats struct {
	Wallets   map[string]int64 // by status: creating, rescanning, ready, removing
	Proposals map[string]int64 // by status
	// LeastHeight is the lowest height to which a ready wallet is indexed; -1 if no wallet
	// is ready.
	LeastHeight int64
	Webhooks    WebhookStats
	LastBackup  time.Time // zero without a backup
	// UnproposedSpends is the number of transactions of the last seven days that spend UTXOs of
	// wallets without a proposal.
	UnproposedSpends int64
}

// WebhookStats are counts of webhooks and their deliveries.
type WebhookStats struct {
	// Active includes Failing. Disabled ones were not disabled by their users.
	Active, Failing, Disabled int64
	Pending                   int64 // deliveries of active webhooks
	// OldestPending is the time of the oldest event with such a delivery; zero
	// without pending deliveries.
	OldestPending time.Time
}

// Metrics are the metrics of one process.
type Metrics struct {
	log      *slog.Logger
	node     Node
	store    Store
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	attempts *prometheus.HistogramVec
}

// New returns the metrics of this process. Node and store are read at each scrape.
func New(log *slog.Logger, version string, node Node, store Store) *Metrics {
	m := &Metrics{
		log: log, node: node, store: store, registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "specterd_http_request_duration_seconds",
			Help: "Duration of requests until the last byte of the response was written.",
			// A lookup takes a millisecond, a login some hundred milliseconds, an export seconds.
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"method", "route", "code"}),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "specterd_webhook_attempt_duration_seconds",
			Help: "Duration of attempts to send a webhook message, by result: ok or failed.",
			// A receiver has 15 seconds.
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 15},
		}, []string{"result"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "specterd_build_info", Help: "Always 1; the labels have the versions of specterd and Go.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		build, m.requests, m.attempts,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Observe records a request. Route is the pattern of its path, or empty for an unknown
// path.
func (m *Metrics) Observe(method, route string, status int, took time.Duration) {
	if route == "" {
		method, route = "other", "other" // bounds the number of label values
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// ObserveAttempt records an attempt to send a webhook message.
func (m *Metrics) ObserveAttempt(ok bool, took time.Duration) {
	result := "failed"
	if ok {
		result = "ok"
	}
	m.attempts.WithLabelValues(result).Observe(took.Seconds())
}

// Handler serves GET /metrics.
func (m *Metrics) Handler() http.Handler {
	options := promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, // the other metrics are still returned
		ErrorLog:      slog.NewLogLogger(m.log.Handler(), slog.LevelWarn),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		now := prometheus.NewRegistry()                                                                              // metrics read for this request
		now.MustRegister(prometheus.CollectorFunc(func(to chan<- prometheus.Metric) { m.collect(r.Context(), to) })) //nolint:contextcheck // it is the request's
		promhttp.HandlerFor(prometheus.Gatherers{m.registry, now}, options).ServeHTTP(w, r)
	})
	return mux
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("specterd_"+name, help, labels, nil)
}

var (
	nodeUsable  = describe("node_usable", "Whether the Bitcoin node is reachable, on the expected chain and synced: 1 or 0.")
	nodeContact = describe("node_last_contact_timestamp_seconds", "Time of the last response of the Bitcoin node.")
	nodeHeight  = describe("node_height", "Height of the Bitcoin node's chain.")
	nodeHeaders = describe("node_headers", "Height of the Bitcoin node's best header.")
	nodePeers   = describe("node_peers", "Number of peers of the Bitcoin node.")

	databaseUp  = describe("database_up", "Whether the database is reachable: 1 or 0.")
	wallets     = describe("wallets", "Number of wallets.", "status")
	proposals   = describe("proposals", "Number of proposals.", "status")
	unproposed  = describe("unproposed_spends", "Number of transactions of the last seven days that spend UTXOs of wallets without a proposal.")
	webhooks    = describe("webhooks", "Number of webhooks. The last attempts of failing ones have failed; disabled ones were disabled by specterd, not by their users.", "status")
	pending     = describe("webhook_pending_deliveries", "Number of deliveries of enabled webhooks that are not made yet.")
	oldest      = describe("webhook_oldest_pending_timestamp_seconds", "Time of the oldest event with a pending delivery of an enabled webhook; not present without one.")
	lastBackup  = describe("last_backup_timestamp_seconds", "Time of the last completed backup of the database, scheduled or by command; not present without one.")
	leastHeight = describe("index_height", "Height to which all ready wallets are indexed; compare it with specterd_node_height.")
)

// storePatience is the time limit for counting rows of the database.
const storePatience = 5 * time.Second

// collect reads the current metrics of the node and the database.
func (m *Metrics) collect(ctx context.Context, to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	n := m.node.Status()
	gauge(nodeUsable, oneIf(n.Ready() == nil))
	if !n.LastContact.IsZero() {
		gauge(nodeContact, float64(n.LastContact.UnixMilli())/1000)
		gauge(nodeHeight, float64(n.Blocks))
		gauge(nodeHeaders, float64(n.Headers))
		gauge(nodePeers, float64(n.Connections))
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	stats, err := m.store.Stats(ctx)
	gauge(databaseUp, oneIf(err == nil))
	if err != nil {
		m.log.WarnContext(ctx, "reading database metrics failed", "error", err)
		return
	}
	for status, n := range stats.Wallets {
		gauge(wallets, float64(n), status)
	}
	for status, n := range stats.Proposals {
		gauge(proposals, float64(n), status)
	}
	gauge(unproposed, float64(stats.UnproposedSpends))
	gauge(webhooks, float64(stats.Webhooks.Active-stats.Webhooks.Failing), "active")
	gauge(webhooks, float64(stats.Webhooks.Failing), "failing")
	gauge(webhooks, float64(stats.Webhooks.Disabled), "disabled")
	gauge(pending, float64(stats.Webhooks.Pending))
	if at := stats.Webhooks.OldestPending; !at.IsZero() {
		gauge(oldest, float64(at.UnixMilli())/1000)
	}
	if !stats.LastBackup.IsZero() {
		gauge(lastBackup, float64(stats.LastBackup.UnixMilli())/1000)
	}
	if stats.LeastHeight >= 0 {
		gauge(leastHeight, float64(stats.LeastHeight))
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
