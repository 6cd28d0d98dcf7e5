// These tests request pages of the complete program as browsers do, with a real database and,
// where wallets matter, a real node.
package console_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/spf13/pflag"
	_ "modernc.org/sqlite"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const adminPassword = "correct horse battery 7"

// site is a running server.
type site struct {
	*app.App
	url  string
	log  *testkit.Log
	node *testkit.Node   // nil unless set up with onNode
	db   *sql.DB         // a separate connection, as an SQL shell has
	late atomic.Int64    // by how much the server's clock is ahead, in nanoseconds
	gate *admission.Gate // nil for the default limits
	cfg  config.Config
	stop func() // stops the server
}

// setup has the settings that a test can change.
type setup struct {
	environment map[string]string
	database    string // URL of a PostgreSQL database; empty for a new SQLite file
	node        *testkit.Node
	ownNode     bool
	gate        *admission.Gate // nil for the default limits
}

// onOwnNode gives the server a node of its own, with a wallet that pays. Tests on each engine
// would otherwise confirm each other's payments.
func onOwnNode(s *setup) { s.ownNode = true }

func onNode(n *testkit.Node) func(*setup) { return func(s *setup) { s.node = n } }

func with(name, value string) func(*setup) {
	return func(s *setup) { s.environment[name] = value }
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
func onEachEngine(t *testing.T, test func(t *testing.T, s *site), settings ...func(*setup)) {
	for name, setting := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t, append(settings, setting(t))...))
		})
	}
}

// open starts a server. At the end of the test, it stops the server and checks that the log
// has no internal errors.
func open(t *testing.T, settings ...func(*setup)) *site {
	t.Helper()
	set := setup{environment: map[string]string{
		"HOME": t.TempDir(), "PORT": "0", "SPECTER_API_ACTIVE": "true", "SPECTER_ADMIN_PASSWORD": adminPassword, "SPECTER_BCRYPT_COST": "4",
		"SECRET_KEY": "a signing key of the tests, 32 bytes or more", "SPECTER_DATA_FOLDER": t.TempDir(), "SPECTER_NODE_URL": "http://u:p@127.0.0.1:1",
	}}
	for _, change := range settings {
		change(&set)
	}
	if set.ownNode {
		set.node = testkit.Bitcoind(t)
		fund(t, set.node)
	}
	if set.database == "" {
		set.database = testdb.SQLite(t)
	}
	set.environment["SPECTER_DATABASE_URL"] = set.database
	if set.node != nil {
		set.environment["SPECTER_NODE_URL"] = set.node.URL()
		set.environment["SPECTER_NODE_WALLET_FOLDER"] = set.node.WalletFolder()
	}
	s := &site{log: &testkit.Log{}, node: set.node, gate: set.gate}
	s.cfg = testkit.Must(config.Load(pflag.NewFlagSet("test", pflag.ContinueOnError), func(name string) string { return set.environment[name] }))
	s.openDB(t, set.database)
	s.start(t)
	t.Cleanup(func() {
		s.stop()
		testkit.Check(t, testkit.CheckLog(context.Background(), t, s.db, s.log.String()))
		testkit.Check(t, s.db.Close())
		for _, line := range s.errors() {
			t.Errorf("the log has an internal error: %s", line)
		}
	})
	return s
}

func (s *site) openDB(t *testing.T, url string) {
	t.Helper()
	driver, source := "sqlite", "file:"+url+"?_pragma=busy_timeout(5000)"
	if store.IsPostgres(url) {
		driver, source = "pgx", url
	}
	var err error
	s.db, err = sql.Open(driver, source)
	testkit.Check(t, err)
}

// start starts the server.
func (s *site) start(t *testing.T) {
	t.Helper()
	s.App = app.New(s.cfg, "test", slog.New(slog.NewJSONHandler(s.log, nil)), func() time.Time { return time.Now().Add(time.Duration(s.late.Load())) })
	s.Gate = cmp.Or(s.gate, s.Gate)
	testkit.Check(t, s.Open(t.Context(), app.Serving))
	ctx, stop := context.WithCancel(context.Background())
	ready := make(chan string, 1)
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Serve(ctx, func(url string) { ready <- url }); err != nil {
			t.Errorf("serve: %v\n%s", err, s.log)
			close(ready)
		}
	})
	s.url = <-ready
	s.stop = func() {
		stop()
		running.Wait()
		testkit.Check(t, s.Close())
	}
}

// errors returns the lines of the log with internal errors. A test that moves the clock makes the
// server report that it jumped.
func (s *site) errors() []string {
	var out []string
	for line := range strings.Lines(s.log.String()) {
		jumped := s.late.Load() != 0 && strings.Contains(line, "system clock jumped")
		if strings.Contains(line, `"level":"ERROR"`) && !jumped {
			out = append(out, line)
		}
	}
	return out
}

// sql changes rows directly, as an operator in an SQL shell does. It fails the test if no row
// is affected.
func (s *site) sql(t *testing.T, statement string, args ...any) {
	t.Helper()
	result, err := s.db.ExecContext(t.Context(), statement, args...)
	testkit.Check(t, err)
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
}

// count returns the number of rows in a table.
func (s *site) count(t *testing.T, table string) (n int) {
	t.Helper()
	testkit.Check(t, s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

// user creates a user and signs in as that user.
func (s *site) user(t *testing.T, name string, admin bool) *visitor {
	t.Helper()
	password := "the password of " + name + " 41"
	testkit.Must(s.Users.Create(t.Context(), auth.Operator("test"), name, password, admin))
	v := s.visitor(t)
	v.signIn(name, password)
	return v
}

// admin signs in as the first admin.
func (s *site) admin(t *testing.T) *visitor {
	t.Helper()
	v := s.visitor(t)
	v.signIn("admin", adminPassword)
	return v
}

// visitor is a browser without scripts.
type visitor struct {
	t        *testing.T
	site     *site
	client   *http.Client
	name     string // of the user
	password string
	token    string // for the API; see api
}

// visitor returns a browser without cookies. It follows redirects, as browsers do.
func (s *site) visitor(t *testing.T) *visitor {
	t.Helper()
	jar := testkit.Must(cookiejar.New(nil))
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t: t, site: s, client: &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}}
}

func (v *visitor) signIn(name, password string) {
	v.t.Helper()
	v.name, v.password = name, password
	p := v.get("/login").submit("/login", "user", name, "password", password)
	if p.status != http.StatusOK || p.path() == "/login" {
		v.t.Fatalf("signing in as %s: %d %s\n%s", name, p.status, p.path(), p.text())
	}
}

// get requests a page.
func (v *visitor) get(path string) *document {
	v.t.Helper()
	r := testkit.Must(http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.site.url+path, nil))
	return v.do(r)
}

// post sends a form of the fields, pairs of a name and a value, without having requested the
// page that contains it.
func (v *visitor) post(path string, fields ...string) *document {
	v.t.Helper()
	return v.postForm(path, pairs(fields))
}

func pairs(fields []string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	return values
}

func (v *visitor) cookies() map[string]string {
	out := map[string]string{}
	for _, c := range v.client.Jar.Cookies(testkit.Must(url.Parse(v.site.url))) {
		out[c.Name] = c.Value
	}
	return out
}

// at returns the same browser at another server, to which it sends the same cookies, because the
// servers differ only in their ports.
func (v *visitor) at(s *site) *visitor {
	other := *v
	other.site = s
	return &other
}

// withCookies returns another browser with the same cookies, as a thief has.
func (v *visitor) withCookies(cookies map[string]string) *visitor {
	other := v.site.visitor(v.t)
	var all []*http.Cookie
	for name, value := range maps.All(cookies) {
		all = append(all, &http.Cookie{Name: name, Value: value, Path: "/"})
	}
	other.client.Jar.SetCookies(testkit.Must(url.Parse(v.site.url)), all)
	return other
}

var uniqueNumber atomic.Int64

// unique returns a name that no other test uses.
func unique(name string) string { return fmt.Sprintf("%s%d", name, uniqueNumber.Add(1)) }
