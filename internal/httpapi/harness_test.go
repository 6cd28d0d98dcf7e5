// These tests send HTTP requests to the complete API with real services and a real database.
// Unless a test sets up a node, the node's status is a stub.
package httpapi_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	spends "github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/webhook"
)

// setup has the settings that a test can change.
type setup struct {
	database string // URL of a PostgreSQL database; empty for a new SQLite file
	cost     int    // bcrypt cost
	// hashed is called after each hash operation of a password. If it is nil, logins of users who
	// were not imported take fewer PBKDF2 rounds than in the program.
	hashed   func(auth.HashOperation)
	routes   func([]route.Route) []route.Route
	bitcoind *testkit.Node // the node of the wallets; nil for nodeURL or an unreachable node
	nodeURL  string        // URL of a server that replies in place of a node
	isPolled bool          // whether the node status comes from a monitor that polls the node, as in the program
	streams  *admission.Streams
	// noBackground is set if the handlers of streams do not return before they end.
	noBackground bool
	httpapi.Options
}

// server is a running API server and its dependencies.
type server struct {
	httpapi.Options
	handler  http.Handler
	url      string
	clock    *clock
	node     *nodeStub
	key      []byte
	store    *store.Store
	address  string   // URL of the database
	db       *sql.DB  // a separate connection, as an SQL shell has
	selects  sync.Map // prepared statements by their text
	log      *testkit.Log
	client   *http.Client
	secrets  sync.Map // texts that must not be in the log or the database
	receiver string   // URL that accepts every message of a webhook
	mayFail  bool     // whether the log may have internal errors
}

// engines has the databases under test, each with the setting that selects it.
var engines = map[string]func(t *testing.T) func(*setup){
	"SQLite": func(*testing.T) func(*setup) { return func(*setup) {} },
	"PostgreSQL": func(t *testing.T) func(*setup) {
		url := testdb.Postgres(t)
		return func(s *setup) { s.database = url }
	},
}

// onEachEngine runs a test on both databases.
func onEachEngine(t *testing.T, test func(t *testing.T, s *server)) {
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t, setting(t)))
		})
	}
}

// start starts a server. At the end of the test, it stops the server and checks that no secret
// is in the log or the database and that the log has no unexpected errors.
func start(t *testing.T, settings ...func(*setup)) *server {
	t.Helper()
	s := &server{clock: newClock(), node: newNodeStub(), log: &testkit.Log{}, key: []byte("a signing key of the tests, 32 bytes or more")}
	s.secret(string(s.key))
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	set := setup{cost: 4, Options: httpapi.Options{
		Log: log, Now: s.clock.now, Node: s.node, Active: true,
		DataFolder: "/data", UID: "78f4d39c67b50e9e", Loopback: true, Version: "test",
	}}
	for _, change := range settings {
		change(&set)
	}
	if set.database == "" {
		set.database = testdb.SQLite(t)
	}
	kept := s.openStore(t, set.database)
	s.store, s.address = kept, set.database
	t.Cleanup(func() { testkit.Check(t, kept.Close()) })
	recorder := auth.NewRecorder(set.Log, kept)
	passwords := testkit.Must(auth.NewPasswords(set.cost, 16))
	if set.hashed != nil {
		passwords.WithObserver(set.hashed)
	} else {
		passwords.WithDummyRounds(1)
	}
	testkit.Check(t, kept.BindKey(t.Context(), auth.Fingerprint(s.key)))
	signer := testkit.Must(auth.NewSigner(t.Context(), kept, func() (auth.Keys, error) { return auth.Keys{s.key}, nil }, s.clock.now))
	set.Login = auth.NewLogin(set.Log, kept, passwords, signer, recorder, s.clock.now)
	set.Users = auth.NewUsers(kept, passwords, s.clock.now)
	set.Tokens = auth.NewTokens(kept, signer, s.clock.now)
	set.Audit = auth.NewAudit(kept)
	provider := s.provider(t, &set)
	set.Wallets = wallet.New(set.Log, kept, kept, provider, s.clock.now, func(string) {}).WithLookahead(testkit.Lookahead)
	set.Proposals = proposal.New(set.Log, kept, set.Wallets, provider, s.clock.now, proposal.Options{Kick: func(string) {}})
	set.Spending = spends.New(kept, set.Wallets, set.Proposals, provider.Network, s.clock.now, nil, func() {})
	set.Events = event.New(event.Options{
		Store: kept, Recheck: set.Login.Recheck, Open: cmp.Or(set.streams, admission.DefaultStreams()).Open, NotFound: wallet.ErrNotFound,
	})
	set.Webhooks = s.webhooks(t, kept)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	t.Cleanup(set.Events.End)
	go set.Events.Run(ctx)
	if !set.noBackground {
		set.Background = func(f func(context.Context)) { go f(ctx) }
	}
	set.Keys = idempotency.New(kept, s.clock.now, set.Watch)
	if set.Database == nil {
		set.Database = kept
	}
	s.Options = set.Options
	if set.routes != nil {
		s.handler = testkit.Must(httpapi.NewHandler(s.Options, set.routes(httpapi.Routes(s.Options))))
	} else {
		s.handler = described(t, s.fieldsChecked(t, testkit.Must(httpapi.New(s.Options))))
	}
	s.serve(t, recorder)
	return s
}

// webhooks returns the service of webhooks, which may send messages to this machine. No
// process makes deliveries.
func (s *server) webhooks(t *testing.T, kept *store.Store) *webhook.Service {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	s.receiver = receiver.URL + "/hook"
	client := egress.New(egress.Options{Hosts: []egress.Host{testkit.Must(egress.ParseHost("127.0.0.1"))}, Now: s.clock.now})
	return webhook.New(webhook.Options{Store: kept, Client: client, Now: s.clock.now, Wake: func() {}})
}

// provider returns the node backend of the wallets. Without a node, its RPC calls fail, and
// its status comes from nodeStub, by default the status of a regtest node.
func (s *server) provider(t *testing.T, set *setup) *backend.Provider {
	t.Helper()
	client, status := s.rpc(t, set), s.node.Status
	switch {
	case set.isPolled:
		m := s.monitor(t, client)
		set.Node, status = m, m.Status
	case set.bitcoind != nil:
		m := nodestatus.New(slog.New(slog.DiscardHandler), client, time.Now, nodestatus.Options{})
		status = func() nodestatus.Status { return m.Check(context.Background()) }
	}
	return backend.NewProvider(backend.New(client), status)
}

// rpc returns an RPC client for the node or for nodeURL. If neither is set, its calls fail.
func (s *server) rpc(t *testing.T, set *setup) *rpcclient.Client {
	t.Helper()
	n := set.bitcoind
	cfg := rpcclient.Config{URL: cmp.Or(set.nodeURL, "http://127.0.0.1:1"), User: "u", Password: "p"}
	if n != nil {
		cfg = rpcclient.Config{URL: fmt.Sprintf("http://%s:%d", n.Host(), n.Port()), CookieFile: n.CookieFile()}
	}
	client := testkit.Must(rpcclient.New(cfg))
	t.Cleanup(client.Close)
	return client
}

// monitor returns a monitor that has polled the node once and polls it until the test ends.
func (s *server) monitor(t *testing.T, rpc *rpcclient.Client) *nodestatus.Monitor {
	t.Helper()
	m := nodestatus.New(slog.New(slog.DiscardHandler), rpc, time.Now, nodestatus.Options{Identity: s.store})
	m.Check(t.Context())
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { testkit.Check(t, m.Run(ctx)) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return m
}

func (s *server) openStore(t *testing.T, url string) *store.Store {
	t.Helper()
	kept, err := store.Open(t.Context(), store.Options{URL: url, BackupFolder: t.TempDir(), Log: slog.New(slog.DiscardHandler), Now: s.clock.now})
	testkit.Check(t, err)
	testkit.Check(t, kept.Migrate(t.Context()))
	driver, source := "sqlite", "file:"+url+"?_pragma=busy_timeout(5000)"
	if store.IsPostgres(url) {
		driver, source = "pgx", url
	}
	s.db, err = sql.Open(driver, source)
	testkit.Check(t, err)
	t.Cleanup(func() { testkit.Check(t, s.db.Close()) })
	return kept
}

func (s *server) serve(t *testing.T, recorder *auth.Recorder) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.Check(t, err)
	s.url = "http://" + listener.Addr().String()
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	s.client = &http.Client{
		Transport: transport, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ctx, stop := context.WithCancel(context.Background())
	background, stopRecorder := context.WithCancel(context.Background())
	var served, written sync.WaitGroup
	served.Go(func() {
		if err := httpapi.Serve(ctx, s.Log, listener, s.handler, nil); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	written.Go(func() { recorder.Run(background) })
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		served.Wait()
		stopRecorder()
		written.Wait()
		s.inspect(t)
	})
}

// inspect checks that the log and the database of a stopped server have no secrets, that the
// log has no texts that users entered, that the audit log has no private data of wallets, and
// that the log has no errors unless mayFail is set.
func (s *server) inspect(t *testing.T) {
	log, data := s.log.String(), s.dump(t, true)
	if !s.mayFail && strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("the log has an internal error:\n%s", linesWith(log, `"level":"ERROR"`))
	}
	testkit.Check(t, testkit.CheckLog(context.Background(), t, s.db, log))
	s.inspectAudit(t)
	s.secrets.Range(func(secret, _ any) bool {
		if strings.Contains(log, secret.(string)) {
			t.Errorf("the log has the secret %q:\n%s", secret, linesWith(log, secret.(string)))
		}
		if strings.Contains(data, secret.(string)) {
			t.Errorf("the database has the secret %q", secret)
		}
		return true
	})
}

const shortestSecret = 8 // shorter texts can occur in the log by chance

// privateToWallets matches outpoints, transactions, addresses, amounts and quoted names.
var privateToWallets = regexp.MustCompile(`[0-9a-f]{64}|bcrt1|BTC|^"`)

// inspectAudit checks that the audit log, which all admins can read, has no data that only
// the members of a wallet may see.
func (s *server) inspectAudit(t *testing.T) {
	t.Helper()
	rows, err := s.db.QueryContext(context.Background(), "SELECT action, detail FROM audit")
	testkit.Check(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var action, detail string
		testkit.Check(t, rows.Scan(&action, &detail))
		if privateToWallets.MatchString(detail) {
			t.Errorf("the audit event %s has data that is private to a wallet: %s", action, detail)
		}
	}
	testkit.Check(t, rows.Err())
}

func (s *server) secret(text string) {
	if len(text) >= shortestSecret {
		s.secrets.Store(text, true)
	}
}

// sql changes rows directly, as an operator in an SQL shell does. It fails the test if no row
// is affected.
func (s *server) sql(t *testing.T, statement string, args ...any) {
	t.Helper()
	result, err := s.db.ExecContext(t.Context(), statement, args...)
	testkit.Check(t, err)
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
}

// dump returns the rows of the database tables listed in tables, without the columns that are
// written in the background (last uses and the hash chain). It includes the audit log if all
// is set.
func (s *server) dump(t *testing.T, all bool) string {
	t.Helper()
	var text strings.Builder
	for _, table := range tables {
		s.dumpTable(t, &text, table)
	}
	if all {
		s.dumpTable(t, &text, "audit")
	}
	return text.String()
}

// tables has the names of all tables except audit, and quota_use, whose numbers are upper
// bounds and are not reduced by a refused request.
var tables = []string{
	"settings", "users", "wallets", "members", "invitations", "used_aliases", "devices", "device_keys", "wallet_keys", "addresses", "transactions", "outputs", "inputs",
	"utxos", "locked", "frozen", "labels", "proposals", "proposal_inputs", "proposal_outputs", "proposal_signatures", "proposal_steps", "proposal_approvals", "reserved", "tokens", "rotations", "signing_keys", "imports", "idempotency",
	"webhooks", "webhook_secrets", "deliveries", "delivery_attempts", "policies", "policy_lists", "policy_changes", "spends", "spend_sums",
}

// statement returns the prepared statement of a query from a cache, because preparing a small
// SELECT takes longer than executing it.
func (s *server) statement(t *testing.T, query string) *sql.Stmt {
	t.Helper()
	kept, ok := s.selects.Load(query)
	if !ok {
		statement, err := s.db.PrepareContext(context.Background(), query)
		testkit.Check(t, err)
		kept, _ = s.selects.LoadOrStore(query, statement)
	}
	return kept.(*sql.Stmt)
}

func (s *server) dumpTable(t *testing.T, text *strings.Builder, table string) {
	t.Helper()
	rows, err := s.statement(t, "SELECT * FROM "+table).QueryContext(context.Background()) //nolint:sqlclosecheck // the statement is cached
	testkit.Check(t, err)
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	testkit.Check(t, err)
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	var lines []string
	for rows.Next() {
		testkit.Check(t, rows.Scan(targets...))
		var line strings.Builder
		for i, column := range columns {
			seal := table == "audit" && (column == "chain_position" || column == "previous_hash" || column == "hash")
			if !seal && !strings.HasPrefix(column, "last_used") {
				fmt.Fprint(&line, " ", values[i])
			}
		}
		lines = append(lines, line.String())
	}
	testkit.Check(t, rows.Err())
	slices.Sort(lines)
	text.WriteString(strings.Join(append(lines, ""), "\n"))
}

// clock is a clock whose time changes only when advance is called.
type clock struct{ micros atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.micros.Store(time.Date(2026, 12, 1, 10, 0, 0, 250_000_000, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// nodeStub returns the node status that a test has set.
type nodeStub struct {
	status atomic.Pointer[nodestatus.Status]
}

func newNodeStub() *nodeStub {
	n := &nodeStub{}
	n.status.Store(&nodestatus.Status{Reachable: true, Snapshot: nodestatus.Snapshot{Chain: "regtest", Blocks: 186, Headers: 186}})
	return n
}

func (n *nodeStub) Status() nodestatus.Status { return *n.status.Load() }

func linesWith(text, part string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}
