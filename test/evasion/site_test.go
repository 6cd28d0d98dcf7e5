// Package evasion tests that spending policies cannot be evaded: each attempt uses the API of the
// complete program, with a real node and on both databases.
package evasion

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/spf13/pflag"
	_ "modernc.org/sqlite"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const adminPassword = "correct horse battery 7"

// engine creates databases.
type engine struct {
	migrated, empty func(t testing.TB) string // return the URL of a new database
}

var engines = map[string]engine{
	"SQLite":     {testdb.SQLite, func(t testing.TB) string { return filepath.Join(t.TempDir(), "specterd.db") }},
	"PostgreSQL": {testdb.Postgres, testkit.Postgres},
}

// restores is the number of databases into which backups can be restored.
const restores = 3

// site is a running server with its own node.
type site struct {
	*app.App

	url      string
	log      *testkit.Log
	node     *testkit.Node
	home     string   // directory for data and backups
	spare    []string // URLs of empty databases
	database string
	db       *sql.DB      // a separate connection, as an SQL shell has
	late     atomic.Int64 // by how much the server's clock is ahead, in nanoseconds
	jumped   bool         // whether the clock was ever set
	cfg      config.Config
	stop     func() // stops the server
}

// openSite starts a node and a server. At the end of the test, it stops the server and checks
// that the log has no internal errors.
func openSite(t *testing.T, e engine) *site {
	t.Helper()
	s := &site{log: &testkit.Log{}, node: testkit.Bitcoind(t, "-fallbackfee=0.00001"), home: t.TempDir(), database: e.migrated(t)}
	for range restores {
		s.spare = append(s.spare, e.empty(t))
	}
	s.node.CLI(t, "createwallet", funder)
	s.node.CLI(t, "generatetoaddress", 101, cli[string](t, s.node, funder, "getnewaddress"))
	environment := map[string]string{
		"HOME": s.home, "PORT": "0", "SPECTER_API_ACTIVE": "true", "SPECTER_ADMIN_PASSWORD": adminPassword, "SPECTER_BCRYPT_COST": "4",
		"SECRET_KEY": "a signing key of the tests, 32 bytes or more", "SPECTER_DATA_FOLDER": t.TempDir(), "SPECTER_NODE_URL": s.node.URL(),
		"SPECTER_NODE_WALLET_FOLDER": s.node.WalletFolder(), "SPECTER_DATABASE_URL": s.database,
	}
	s.cfg = testkit.Must(config.Load(pflag.NewFlagSet("test", pflag.ContinueOnError), func(name string) string { return environment[name] }))
	s.connect(t)
	s.start(t)
	t.Cleanup(func() {
		s.stop()
		testkit.Check(t, s.db.Close())
		for line := range strings.Lines(s.log.String()) {
			if strings.Contains(line, `"level":"ERROR"`) && (!s.jumped || !strings.Contains(line, "system clock jumped")) {
				t.Errorf("the log has an internal error: %s", line)
			}
		}
	})
	return s
}

// connect opens the separate connection to the database.
func (s *site) connect(t *testing.T) {
	t.Helper()
	driver, source := "sqlite", "file:"+s.database+"?_pragma=busy_timeout(5000)"
	if store.IsPostgres(s.database) {
		driver, source = "pgx", s.database
	}
	var err error
	s.db, err = sql.Open(driver, source)
	testkit.Check(t, err)
}

// start starts the server.
func (s *site) start(t *testing.T) {
	t.Helper()
	s.App = app.New(s.cfg, "test", slog.New(slog.NewJSONHandler(s.log, nil)), s.now)
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

// now is the time by the clock of the server.
func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.late.Load())) }

// jump sets the clock of the server forward, or back. The clock is in doubt afterwards, until it
// is back or the server is started again.
func (s *site) jump(d time.Duration) {
	s.jumped = true
	s.late.Add(int64(d))
}

// restart stops the server and starts it again.
func (s *site) restart(t *testing.T) {
	t.Helper()
	s.stop()
	s.start(t)
}

// sql changes rows directly, as an admin in an SQL shell does.
func (s *site) sql(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := s.db.ExecContext(t.Context(), statement, args...)
	testkit.Check(t, err)
}

// texts returns the first column of the rows that a query returns.
func (s *site) texts(t *testing.T, query string, args ...any) (all []string) {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), query, args...)
	testkit.Check(t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		testkit.Check(t, rows.Scan(&text))
		all = append(all, text)
	}
	testkit.Check(t, rows.Err())
	return all
}

// cli calls an RPC method of the node and decodes its result. If wallet is not empty, it calls
// the method of that wallet.
func cli[T any](t testing.TB, n *testkit.Node, wallet, method string, params ...any) (out T) {
	t.Helper()
	var result json.RawMessage
	if wallet == "" {
		result = n.CLI(t, method, params...)
	} else {
		result = n.WalletCLI(t, wallet, method, params...)
	}
	testkit.Check(t, json.Unmarshal(result, &out))
	return out
}
