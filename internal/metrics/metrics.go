// Package metrics says how specterd is doing, in the words of Prometheus
// (https://prometheus.io/docs/practices/naming/). No name of a user or a wallet, no
// id and no amount is in it: who may read it need not be who may read those.
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

// Node says what is known of the node, without waiting for it.
type Node interface{ Status() nodestatus.Status }

// Store counts what is in the database.
type Store interface {
	Figures(ctx context.Context) (Figures, error)
}

// Figures are what is in the database.
type Figures struct {
	Wallets   map[string]int64 // by status: creating, scanning, ready, removing
	Proposals map[string]int64 // by status
	// LeastHeight is the block that the index of the wallet that is furthest behind
	// has come to; -1 where no wallet is ready.
	LeastHeight int64
}

// Metrics are those of one process.
type Metrics struct {
	log      *slog.Logger
	node     Node
	store    Store
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

// New returns the metrics of this process. Node and store are asked when somebody
// asks for metrics.
func New(log *slog.Logger, version string, node Node, store Store) *Metrics {
	m := &Metrics{
		log: log, node: node, store: store, registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "specterd_http_request_duration_seconds",
			Help: "How long requests took until the last byte of their answer was written.",
			// A look-up takes a millisecond, a login some hundred, an export seconds.
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"method", "route", "code"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "specterd_build_info", Help: "Always 1; the labels say which version this is.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(
		build, m.requests,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Observe counts a request. The route is the pattern of its path, and empty for a
// path that there is not.
func (m *Metrics) Observe(method, route string, status int, took time.Duration) {
	if route == "" {
		method, route = "other", "other" // either may be anything
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// Handler serves GET /metrics.
func (m *Metrics) Handler() http.Handler {
	options := promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, // what is known is told all the same
		ErrorLog:      slog.NewLogLogger(m.log.Handler(), slog.LevelWarn),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		now := prometheus.NewRegistry()                                                                           // of what is looked at for this request
		now.MustRegister(prometheus.CollectorFunc(func(to chan<- prometheus.Metric) { m.look(r.Context(), to) })) //nolint:contextcheck // it is the request's
		promhttp.HandlerFor(prometheus.Gatherers{m.registry, now}, options).ServeHTTP(w, r)
	})
	return mux
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("specterd_"+name, help, labels, nil)
}

var (
	nodeUsable  = describe("node_usable", "Whether the Bitcoin node answers, is on our chain and has caught up: 1 or 0.")
	nodeContact = describe("node_last_contact_timestamp_seconds", "When the Bitcoin node answered last.")
	nodeHeight  = describe("node_height", "Height of the Bitcoin node's chain.")
	nodeHeaders = describe("node_headers", "Height of the best header that the Bitcoin node knows.")
	nodePeers   = describe("node_peers", "With how many peers the Bitcoin node is connected.")

	databaseUp  = describe("database_up", "Whether the database answers: 1 or 0.")
	wallets     = describe("wallets", "Wallets.", "status")
	proposals   = describe("proposals", "Proposals of payments.", "status")
	leastHeight = describe("index_height", "Up to which block all wallets that are ready are known; compare it with specterd_node_height.")
)

// storePatience is how long the database may take to be counted.
const storePatience = 5 * time.Second

// look tells what is known of the node and the database right now.
func (m *Metrics) look(ctx context.Context, to chan<- prometheus.Metric) {
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
	figures, err := m.store.Figures(ctx)
	gauge(databaseUp, oneIf(err == nil))
	if err != nil {
		m.log.WarnContext(ctx, "the database could not be counted for the metrics", "error", err)
		return
	}
	for status, n := range figures.Wallets {
		gauge(wallets, float64(n), status)
	}
	for status, n := range figures.Proposals {
		gauge(proposals, float64(n), status)
	}
	if figures.LeastHeight >= 0 {
		gauge(leastHeight, float64(figures.LeastHeight))
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
