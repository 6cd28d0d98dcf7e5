package proposal_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
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

// world is a node and all of specterd except the HTTP server.
type world struct {
	*proposal.Service

	t        *testing.T
	node     *testkit.Node
	store    *store.Store
	shell    *sql.DB // direct access to the database, as by an administrator
	wallets  *wallet.Service
	core     *backend.Node
	provider *backend.Provider
	monitor  *nodestatus.Monitor
	follower *indexer.Indexer
	alice    *auth.Principal // owns the wallets
	clock    *clock
	cleanup  func(func()) // registers a function that runs when the world is closed

	stopFollower func()
}

// clock is a clock that can be set forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// payer is the node's wallet that funds the others.
const payer = "payer"

// newNode starts a node with a payer.
func newNode(t *testing.T, extraArgs ...string) *testkit.Node {
	t.Helper()
	n := testkit.Bitcoind(t, append(extraArgs, "-unsafesqlitesync")...)
	n.CLI(t, "createwallet", payer)
	n.CLI(t, "generatetoaddress", 101, text(t, n.WalletCLI(t, payer, "getnewaddress")))
	return n
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, n *testkit.Node, test func(w *world)) {
	t.Run("sqlite", func(t *testing.T) { test(newWorld(t, n, testdb.SQLite(t))) })
	t.Run("postgres", func(t *testing.T) { test(newWorld(t, n, testdb.Postgres(t))) })
}

func newWorld(t *testing.T, n *testkit.Node, database string) *world {
	t.Helper()
	return newWorldAt(t, n, fmt.Sprintf("http://%s:%d", n.Host(), n.Port()), database)
}

// newWorldAt connects to the node at a URL that may be that of a relay.
func newWorldAt(t *testing.T, n *testkit.Node, url, database string) *world {
	t.Helper()
	w := openWorld(t, n, url, database, t.Cleanup)
	w.alice = w.user("alice")
	return w
}

// openWorld starts all parts on a database that may have been used before, and registers
// the functions that stop them with cleanup.
func openWorld(t *testing.T, n *testkit.Node, url, database string, cleanup func(func())) *world {
	t.Helper()
	w := &world{t: t, node: n, clock: &clock{}, cleanup: cleanup}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	w.store, err = store.Open(t.Context(), store.Options{URL: database, BackupFolder: t.TempDir(), Log: log, Now: w.clock.now})
	testkit.Check(t, err)
	cleanup(func() { testkit.Check(t, w.store.Close()) })
	driver, shell := "sqlite", database+"?_pragma=busy_timeout(5000)"
	if store.IsPostgres(database) {
		driver, shell = "pgx", database
	}
	w.shell, err = sql.Open(driver, shell)
	testkit.Check(t, err)
	cleanup(func() { testkit.Check(t, w.shell.Close()) })
	testkit.Check(t, w.store.Migrate(t.Context()))
	rpc := func() *rpcclient.Client {
		c, err := rpcclient.New(rpcclient.Config{URL: url, CookieFile: n.CookieFile()})
		testkit.Check(t, err)
		cleanup(c.Close)
		return c
	}
	w.monitor = nodestatus.New(log, rpc(), time.Now, nodestatus.Options{Interval: 200 * time.Millisecond})
	w.core = backend.New(rpc())
	w.provider = backend.NewProvider(w.core, w.monitor.Status)
	kick := func(id string) { w.follower.Kick(id) }
	w.wallets = wallet.New(log, w.store, w.store, w.provider, w.clock.now, kick).WithLookahead(testkit.Lookahead)
	w.Service = proposal.New(log, w.store, w.wallets, w.provider, w.clock.now, proposal.Options{Kick: kick, Await: w.await})
	w.follower = indexer.New(indexer.Options{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Store: w.store, Wallets: w.wallets, Reserver: w.Service, Provider: w.provider,
		Host: n.Host(), Node: w.core, Scanner: backend.New(rpc()),
		Ready: func() error { return w.monitor.Status().Unusable() }, Network: func() btc.Network { return btc.Regtest },
	})
	w.monitor.Check(t.Context())
	background(cleanup, func(ctx context.Context) { _ = w.monitor.Run(ctx) })
	w.startIndexer()
	return w
}

func (w *world) await(ctx context.Context, id, txid string) { w.follower.Await(ctx, id, txid) }

func (w *world) startIndexer() { w.stopFollower = background(w.cleanup, w.follower.Run) }

// background runs a function in the background, and registers with cleanup a function that
// stops it.
func background(cleanup func(func()), run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	stop = func() { cancel(); <-done }
	cleanup(stop)
	return stop
}

func (w *world) user(name string) *auth.Principal {
	w.t.Helper()
	u := auth.User{ID: uuid.NewString(), Name: name, PasswordHash: "-", CreatedAt: time.Now()}
	testkit.Check(w.t, w.store.CreateUser(w.t.Context(), auth.Operator("test"), u, auth.Event{At: time.Now(), Action: "user.create"}))
	return u.Credential().Principal("")
}

// access returns a user's access to a wallet; see testkit.Access.
func (w *world) access(who *auth.Principal, alias string) wallet.Access {
	w.t.Helper()
	return testkit.Access(w.t, w.wallets, who, alias)
}

// vault is a wallet owned by alice, and its signers.
type vault struct {
	*world

	alias    string
	coreName string
	required int
	signers  []string // the node's wallets with one key each
}

// firstKey is the number of the first key of the last wallet.
var firstKey atomic.Int64

// vault creates a wallet of a script type, with its own keys and one confirmed UTXO for
// each of the amounts.
func (w *world) vault(k testkit.Script, amounts ...btc.Amount) vault {
	w.t.Helper()
	v := vault{world: w, required: k.SignaturesRequired()}
	name := fmt.Sprintf("%s %s", k.Name, uuid.NewString()[:8])
	first := int(firstKey.Add(10))
	descriptor := func(branch string, signer int) string { return k.Descriptor(w.t, first, branch, signer) }
	view, err := w.wallets.Create(w.t.Context(), w.alice, wallet.Plan{Name: name, Descriptor: descriptor("<0;1>", -1), Birthday: wallet.Birthday{Now: true}})
	testkit.Check(w.t, err)
	v.alias, v.coreName = view.Alias, view.CoreName
	for i := range k.Keys {
		signer := fmt.Sprintf("signer %d of %s", i, name)
		w.node.Signer(w.t, signer, descriptor("0", i), descriptor("1", i))
		v.signers = append(v.signers, signer)
	}
	v.fund(amounts...)
	return v
}

// fund pays to new addresses of the vault, mines a block, and waits until the index has the UTXOs.
func (v vault) fund(amounts ...btc.Amount) {
	v.t.Helper()
	outputs := map[string]btc.JSONBTC{}
	for _, amount := range amounts {
		a, err := v.wallets.NextAddress(v.t.Context(), v.access(v.alice, v.alias), "")
		testkit.Check(v.t, err)
		outputs[a.Address] = btc.JSONBTC(amount)
	}
	v.fundTo(outputs)
}

// fundTo is fund for addresses of the vault with their amounts.
func (v vault) fundTo(outputs map[string]btc.JSONBTC) {
	v.t.Helper()
	was := v.trusted()
	txid := text(v.t, v.node.WalletCLI(v.t, payer, "sendmany", "", outputs))
	if _, err := v.node.Call(v.t.Context(), "getmempoolentry", txid); err != nil { // not sent, because of -walletbroadcast=0
		var sent struct{ Hex string }
		testkit.Check(v.t, json.Unmarshal(v.node.WalletCLI(v.t, payer, "gettransaction", txid), &sent))
		v.node.CLI(v.t, "sendrawtransaction", sent.Hex)
	}
	v.mine()
	var sum btc.Amount
	for _, amount := range outputs {
		sum += btc.Amount(amount)
	}
	testkit.Eventually(v.t, "UTXOs that the node would spend", func() bool { return v.trusted() == was+sum })
}

// trusted returns the vault's trusted balance in the node.
func (v vault) trusted() btc.Amount {
	v.t.Helper()
	b, err := v.core.Wallet(v.coreName).Balances(v.t.Context())
	testkit.Check(v.t, err)
	return b.Trusted
}

// mine mines a block and waits until the index has it.
func (v vault) mine() {
	v.t.Helper()
	height := number(v.t, v.node.CLI(v.t, "getblockcount")) + 1
	v.node.CLI(v.t, "generatetoaddress", 1, otherPayee)
	v.synced(height)
}

func (v vault) synced(height int) {
	v.t.Helper()
	_, err := v.wallets.WaitForHeight(v.t.Context(), wallet.One(v.access(v.alice, v.alias)), height)
	testkit.Check(v.t, err)
}

// pay returns a request for one payment.
func pay(amount btc.Amount, rate btc.FeeRate) proposal.CreateParams {
	return proposal.CreateParams{Recipients: []proposal.Recipient{{Address: payee, Amount: amount}}, FeeRate: rate}
}

// These addresses do not belong to any of the wallets.
var (
	payee      = btc.AddressOf(append([]byte{0, 20, 1}, make([]byte, 19)...), btc.Regtest)
	otherPayee = btc.AddressOf(append([]byte{0, 20}, make([]byte, 20)...), btc.Regtest)
)

// Cancel is Service.Cancel without the cancelled proposal.
func (w *world) Cancel(ctx context.Context, access wallet.Access, id string, expected proposal.Versions) error {
	_, err := w.Service.Cancel(ctx, access, id, expected)
	return err
}

func (v vault) create(o proposal.CreateParams) proposal.Proposal {
	v.t.Helper()
	p, err := v.Create(v.t.Context(), v.access(v.alice, v.alias), o)
	if err != nil {
		v.t.Logf("the node has a balance of %s, %d locked UTXOs and %s", v.trusted(), len(v.locked()),
			v.node.WalletCLI(v.t, v.coreName, "listunspent", 0))
		v.t.Fatal(err)
	}
	return p
}

// sign adds the signatures of one of the signers to the proposal.
func (v vault) sign(p proposal.Proposal, signer int) proposal.Proposal {
	v.t.Helper()
	p, err := v.AddSignatures(v.t.Context(), v.access(v.alice, v.alias), p.ID, v.signed(p, signer), nil)
	testkit.Check(v.t, err)
	return p
}

// signed returns the PSBT of a proposal with the signatures of these signers.
func (v vault) signed(p proposal.Proposal, signers ...int) []byte {
	v.t.Helper()
	var names []string
	for _, i := range signers {
		names = append(names, v.signers[i])
	}
	return v.node.Sign(v.t, p.PSBT, names...)
}

// complete adds the required number of signatures to a proposal.
func (v vault) complete(p proposal.Proposal) proposal.Proposal {
	v.t.Helper()
	for i := range v.required {
		p = v.sign(p, i)
	}
	if p.Status != proposal.Complete {
		v.t.Fatalf("with all signatures the proposal is %s", p.Status)
	}
	return p
}

func (v vault) broadcast(p proposal.Proposal) proposal.Proposal {
	v.t.Helper()
	p, err := v.Broadcast(v.t.Context(), v.access(v.alice, v.alias), p.ID, proposal.BroadcastParams{})
	testkit.Check(v.t, err)
	return p
}

func (v vault) get(p proposal.Proposal) proposal.Proposal {
	v.t.Helper()
	p, err := v.Get(v.t.Context(), v.access(v.alice, v.alias), p.ID)
	testkit.Check(v.t, err)
	return p
}

// until waits until a proposal has a status.
func (v vault) until(p proposal.Proposal, status proposal.Status) proposal.Proposal {
	v.t.Helper()
	testkit.Eventually(v.t, fmt.Sprintf("proposal %s", status), func() bool { return v.get(p).Status == status })
	return v.get(p)
}

// locked returns the UTXOs that the node has locked in the vault's wallet.
func (v vault) locked() map[btc.Outpoint]bool {
	v.t.Helper()
	list, err := v.core.Wallet(v.coreName).ListLocked(v.t.Context())
	testkit.Check(v.t, err)
	all := map[btc.Outpoint]bool{}
	for _, at := range list {
		all[at] = true
	}
	return all
}

// wantLocks waits until the node has locked exactly the inputs of these proposals.
func (v vault) wantLocks(open ...proposal.Proposal) {
	v.t.Helper()
	wanted := map[btc.Outpoint]bool{}
	for _, p := range open {
		for _, in := range p.Inputs {
			wanted[in.Outpoint] = true
		}
	}
	testkit.Eventually(v.t, fmt.Sprintf("%d UTXOs locked at the node", len(wanted)), func() bool {
		locked := v.locked()
		for at := range wanted {
			if !locked[at] {
				return false
			}
		}
		return len(locked) == len(wanted)
	})
}

// waitForNode waits until the node status is ready again.
func (w *world) waitForNode() {
	w.t.Helper()
	testkit.Eventually(w.t, "node", func() bool { return w.provider.Ready(wallet.NodeWallet{}) == nil })
}

func (v vault) balances() wallet.Balances {
	v.t.Helper()
	view, err := v.wallets.Get(v.t.Context(), v.access(v.alice, v.alias))
	testkit.Check(v.t, err)
	return view.Balances
}

func hexOf(raw []byte) string { return hex.EncodeToString(raw) }

func text(t testing.TB, result json.RawMessage) (s string) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(result, &s))
	return s
}

func number(t testing.TB, result json.RawMessage) (n int) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(result, &n))
	return n
}

// otherProcess returns a service as of another process with the same database and node: it
// shares no keyed mutex with w.Service.
func (w *world) otherProcess() *proposal.Service {
	service, _ := w.otherProcessWith(w.provider)
	return service
}

func (w *world) otherProcessWith(node *backend.Provider) (*proposal.Service, *wallet.Service) {
	log := slog.New(slog.DiscardHandler)
	wallets := wallet.New(log, w.store, w.store, node, w.clock.now, w.follower.Kick).WithLookahead(testkit.Lookahead)
	return proposal.New(log, w.store, wallets, node, w.clock.now, proposal.Options{Kick: w.follower.Kick}), wallets
}
