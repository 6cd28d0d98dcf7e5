package wallet_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/indexer"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// fixture is a service on a real database and a real node, without an indexer unless a
// test starts one.
type fixture struct {
	*wallet.Service
	t        *testing.T
	node     *testkit.Node
	monitor  *nodestatus.Monitor
	core     *backend.Node
	provider *backend.Provider
	store    *store.Store
	shell    *sql.DB // direct access to the database
	isSQLite bool
	// descriptor is used by storeWallet; if it is empty, each wallet gets its own.
	descriptor string
	log        *testkit.Log
	alice      *auth.Principal
	bob        *auth.Principal

	mu       sync.Mutex
	follower *indexer.Indexer
	kicked   []string
}

// onBoth runs tests on one node, each on both databases.
func onBoth(t *testing.T, n *testkit.Node, tests map[string]func(r *fixture)) {
	onOne(t, n, tests)
	for name, test := range tests {
		t.Run(name+"/postgres", func(t *testing.T) {
			t.Parallel()
			dsn := testdb.Postgres(t)
			test(newFixture(t, n, dsn, "pgx", dsn))
		})
	}
}

// onOne runs tests on one node and on SQLite.
func onOne(t *testing.T, n *testkit.Node, tests map[string]func(r *fixture)) {
	for name, test := range tests {
		t.Run(name+"/sqlite", func(t *testing.T) {
			t.Parallel()
			path := testdb.SQLite(t)
			test(newFixture(t, n, path, "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"))
		})
	}
}

func newFixture(t *testing.T, n *testkit.Node, database, driver, dsn string) *fixture {
	t.Helper()
	r := &fixture{t: t, node: n, log: &testkit.Log{}, isSQLite: driver == "sqlite"}
	log := r.logger()
	var err error
	r.store, err = store.Open(t.Context(), store.Options{URL: database, BackupFolder: t.TempDir(), Log: log, Now: time.Now})
	testkit.Check(t, err)
	t.Cleanup(func() { testkit.Check(t, r.store.Close()) })
	testkit.Check(t, r.store.Migrate(t.Context()))
	r.shell, err = sql.Open(driver, dsn)
	testkit.Check(t, err)
	t.Cleanup(func() { testkit.Check(t, r.shell.Close()) })
	r.monitor = nodestatus.New(log, client(t, n), time.Now, nodestatus.Options{})
	r.core = backend.New(client(t, n))
	r.provider = backend.NewProvider(r.core, r.monitor.Status).WithWalletFolder(n.WalletFolder())
	r.monitor.Check(t.Context())
	r.Service = wallet.New(log, r.store, r.store, r.provider, time.Now, r.kick)
	r.alice, r.bob = r.user("alice"), r.user("bob")
	return r
}

func (r *fixture) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r.log, nil)) }

func client(t testing.TB, n *testkit.Node) *rpcclient.Client {
	t.Helper()
	rpc, err := rpcclient.New(rpcclient.Config{URL: fmt.Sprintf("http://%s:%d", n.Host(), n.Port()), CookieFile: n.CookieFile()})
	testkit.Check(t, err)
	t.Cleanup(rpc.Close)
	return rpc
}

func (r *fixture) kick(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kicked = append(r.kicked, id)
	if r.follower != nil {
		r.follower.Kick(id)
	}
}

// wantKick checks that the indexer was notified of a wallet since the last call.
func (r *fixture) wantKick(id string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.kicked, id) {
		r.t.Error("the indexer was not notified")
	}
	r.kicked = nil
}

// follow runs an indexer until the test ends.
func (r *fixture) follow() {
	f := indexer.New(indexer.Options{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Store: r.store, Wallets: r.Service,
		Reserver: proposal.New(slog.New(slog.DiscardHandler), r.store, r.Service, r.provider, time.Now, proposal.Options{Kick: r.kick}), Provider: r.provider,
		Node: r.core, Scanner: backend.New(client(r.t, r.node)), Ready: func() error { return r.provider.Ready(wallet.NodeWallet{}) },
		Network: func() btc.Network { return btc.Regtest },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	r.t.Cleanup(func() { cancel(); <-done })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.follower = f
}

func (r *fixture) user(name string) *auth.Principal {
	r.t.Helper()
	u := auth.User{ID: uuid.NewString(), Name: name, PasswordHash: "-", CreatedAt: time.Now()}
	testkit.Check(r.t, r.store.CreateUser(r.t.Context(), auth.Operator("test"), u, auth.Event{At: time.Now()}))
	who := auth.Operator(u.Name) // has no token in the database
	who.UserID, who.TokenID, who.Address = u.ID, "token of "+name, "198.51.100.7"
	return who
}

// limited returns a caller whose token is limited to these wallets.
func limited(who *auth.Principal, ids ...string) *auth.Principal {
	other := *who
	other.Wallets = append([]string{}, ids...)
	return &other
}

// access returns a user's access to a wallet; see testkit.Access.
func (r *fixture) access(who *auth.Principal, alias string) wallet.Access {
	r.t.Helper()
	return testkit.Access(r.t, r.Service, who, alias)
}

const tpub = "tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P"

var keys atomic.Int64

// descriptor returns a descriptor that no other test uses.
func descriptor() string {
	return fmt.Sprintf("wpkh([d34db33f/84h/1h/0h]%s/%d/<0;1>/*)", tpub, keys.Add(1))
}

var (
	fromNow = wallet.Birthday{Now: true}
	height  = func(h int) wallet.Birthday { return wallet.Birthday{Height: &h} }
	at      = func(t time.Time) wallet.Birthday { return wallet.Birthday{Time: &t} }
)

// wallet creates a wallet.
func (r *fixture) wallet(who *auth.Principal, name string) wallet.View {
	r.t.Helper()
	v, err := r.Create(r.t.Context(), who, wallet.Plan{Name: name, Descriptor: descriptor(), Birthday: fromNow})
	testkit.Check(r.t, err)
	return v
}

// member gives a user a role in a wallet of alice.
func (r *fixture) member(alias string, who *auth.Principal, role auth.WalletRole) {
	r.t.Helper()
	r.join(r.alice, alias, who, role)
}

// join adds a user to an owner's wallet, if necessary, and sets the role.
func (r *fixture) join(owner *auth.Principal, alias string, who *auth.Principal, role auth.WalletRole) {
	r.t.Helper()
	_, _, err := r.PutMember(r.t.Context(), r.access(owner, alias), who.UserName, role)
	if !errors.Is(err, wallet.ErrMemberMissing) {
		testkit.Check(r.t, err)
		return
	}
	i, err := r.Invite(r.t.Context(), r.access(owner, alias), who.UserName, role)
	testkit.Check(r.t, err)
	_, err = r.Accept(r.t.Context(), who, i.ID, "")
	testkit.Check(r.t, err)
}

// count returns the single number that the query yields.
func (r *fixture) count(query string, args ...any) (n int) {
	r.t.Helper()
	testkit.Check(r.t, r.shell.QueryRowContext(r.t.Context(), query, args...).Scan(&n))
	return n
}

func (r *fixture) exec(query string, args ...any) {
	r.t.Helper()
	_, err := r.shell.ExecContext(r.t.Context(), query, args...)
	testkit.Check(r.t, err)
}

// wantEvent checks the last event with this action in the audit log.
func (r *fixture) wantEvent(who *auth.Principal, action, target string) {
	r.t.Helper()
	var e auth.Event
	testkit.Check(r.t, r.shell.QueryRowContext(r.t.Context(),
		"SELECT user_id, token_id, address, action, target, outcome FROM audit WHERE action = $1 ORDER BY audit_id DESC LIMIT 1", action).
		Scan(&e.UserID, &e.TokenID, &e.Address, &e.Action, &e.Target, &e.Outcome))
	if e.UserID != who.UserID || e.TokenID != who.TokenID || e.Address != who.Address || e.Target != target || e.Outcome != "ok" {
		r.t.Errorf("the audit log has %+v", e)
	}
}

// loaded returns the wallets that Core has loaded.
func (r *fixture) loaded() []string {
	r.t.Helper()
	names, err := r.core.ListWallets(r.t.Context())
	testkit.Check(r.t, err)
	return names
}

func wantFault(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	if f := faultOf(err); f.Kind != kind || f.Code != code {
		t.Fatalf("got %v, want fault %s", err, code)
	}
}

// faultOf returns the fault in an error, or an empty one.
func faultOf(err error) *fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return &fault.Error{}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func wantField(t testing.TB, err error, field string) {
	t.Helper()
	f := faultOf(err)
	if f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != field {
		t.Fatalf("got %v, want a fault with the field %s", err, field)
	}
}

func decode(t testing.TB, text json.RawMessage, into any) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(text, into))
}
