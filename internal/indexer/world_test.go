package indexer_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
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
	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/replay"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// world is a node and all of specterd except the HTTP server.
type world struct {
	t       *testing.T
	node    *testkit.Node
	store   *store.Store
	core    *backend.Node
	scanner *backend.Node
	service *wallet.Service
	who     *auth.Principal
	// proposals is the Reserver of the indexer; there are no proposals.
	proposals *proposal.Service

	monitor  *nodestatus.Monitor
	provider *backend.Provider

	log testkit.Log // of the indexer

	mu     sync.Mutex
	stop   func()
	follow *indexer.Indexer
}

func newWorld(t *testing.T, nodeArgs ...string) *world {
	t.Helper()
	// The tests wait for the node's wallets after each block. With -unsafesqlitesync
	// they are faster; they need not be durable.
	node := testkit.Bitcoind(t, append([]string{"-unsafesqlitesync"}, nodeArgs...)...)
	node.Mine(t, 1)
	return worldOn(t, node, testdb.SQLite(t))
}

// worldOn creates another specterd for an existing node.
func worldOn(t *testing.T, node *testkit.Node, database string) *world {
	t.Helper()
	w := &world{t: t, node: node, core: newCore(t, node), scanner: newCore(t, node)}
	var err error
	w.store, err = store.Open(t.Context(), store.Options{URL: database, BackupFolder: t.TempDir(), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	testkit.Check(t, err)
	testkit.Check(t, w.store.Migrate(t.Context()))
	t.Cleanup(func() { _ = w.store.Close() })
	user := auth.User{ID: uuid.NewString(), Name: "alice", PasswordHash: "-", CreatedAt: time.Now()}
	testkit.Check(t, w.store.CreateUser(t.Context(), auth.Operator("test"), user, auth.Event{At: time.Now()}))
	w.who = &auth.Principal{UserID: user.ID, UserName: user.Name, Scopes: auth.AllScopes}
	w.checkLog(database)
	w.monitor = monitorOf(t, node)
	w.provider = backend.NewProvider(w.core, w.monitor.Status)
	w.service = wallet.New(slog.New(slog.DiscardHandler), w.store, w.store, w.provider, time.Now, w.kick).WithLookahead(testkit.Lookahead)
	w.proposals = proposal.New(slog.New(slog.DiscardHandler), w.store, w.service, w.provider, time.Now, proposal.Options{Kick: w.kick})
	w.start()
	t.Cleanup(w.halt)
	return w
}

// checkLog checks at the end of the test that the log contains no user text.
func (w *world) checkLog(database string) {
	driver := "sqlite"
	if store.IsPostgres(database) {
		driver = "pgx"
	}
	shell, err := sql.Open(driver, database)
	testkit.Check(w.t, err)
	w.t.Cleanup(func() {
		testkit.Check(w.t, testkit.CheckLog(context.Background(), w.t, shell, w.log.String()))
		_ = shell.Close()
	})
}

func newCore(t *testing.T, node *testkit.Node) *backend.Node {
	t.Helper()
	return coreAt(t, fmt.Sprintf("http://%s:%d", node.Host(), node.Port()), node.CookieFile())
}

func coreAt(t *testing.T, url, cookieFile string) *backend.Node {
	t.Helper()
	rpc, err := rpcclient.New(rpcclient.Config{URL: url, CookieFile: cookieFile})
	testkit.Check(t, err)
	t.Cleanup(rpc.Close)
	return backend.New(rpc)
}

// monitorOf returns a monitor of the node as in specterd.
func monitorOf(t *testing.T, n *testkit.Node) *nodestatus.Monitor {
	t.Helper()
	rpc, err := rpcclient.New(rpcclient.Config{URL: fmt.Sprintf("http://%s:%d", n.Host(), n.Port()), CookieFile: n.CookieFile()})
	testkit.Check(t, err)
	t.Cleanup(rpc.Close)
	m := nodestatus.New(slog.New(slog.DiscardHandler), rpc, time.Now, nodestatus.Options{Interval: 200 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	m.Check(t.Context())
	return m
}

// access returns a user's access to a wallet; see testkit.Access.
func (w *world) access(who *auth.Principal, alias string) wallet.Access {
	w.t.Helper()
	return testkit.Access(w.t, w.service, who, alias)
}

func (w *world) kick(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.follow != nil {
		w.follow.Kick(id)
	}
}

// start starts an indexer as specterd does.
func (w *world) start() { w.startOn(w.store) }

// startOn is start with another store, such as a wrapper around the database.
func (w *world) startOn(s indexer.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	f := indexer.New(indexer.Options{
		Log: slog.New(slog.NewJSONHandler(io.MultiWriter(&w.log, w.t.Output()), nil)), Now: time.Now, Store: s,
		Wallets: w.service, Reserver: w.proposals, Provider: w.provider, Host: w.node.Host(), Node: w.core, Scanner: w.scanner,
		Ready: func() error { return w.monitor.Status().Unusable() }, Network: func() btc.Network { return btc.Regtest },
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.follow, w.stop = f, func() { cancel(); <-done }
}

// halt stops the indexer; it is idempotent.
func (w *world) halt() {
	w.mu.Lock()
	stop := w.stop
	w.follow, w.stop = nil, nil
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// hot is a Bitcoin Core wallet with private keys, and its descriptors without them.
type hot struct {
	*world
	name            string
	kind            string // address type as Core calls it
	receive, change string
}

var kinds = map[string]struct{ prefix, address string }{
	"pkh": {"pkh(", "legacy"}, "sh-wpkh": {"sh(wpkh(", "p2sh-segwit"}, "wpkh": {"wpkh(", "bech32"}, "tr": {"tr(", "bech32m"},
}

// hot creates a wallet with one key.
func (w *world) hot(name, script string) *hot {
	w.t.Helper()
	w.node.CLI(w.t, "createwallet", name)
	h := &hot{world: w, name: name, kind: kinds[script].address}
	for _, d := range w.descriptors(name, false) {
		if !strings.HasPrefix(d.Desc, kinds[script].prefix) {
			continue
		}
		if d.Internal {
			h.change = d.Desc
		} else {
			h.receive = d.Desc
		}
	}
	return h
}

type coreDescriptor struct {
	Desc     string
	Internal bool
}

func (w *world) descriptors(name string, private bool) []coreDescriptor {
	var list struct{ Descriptors []coreDescriptor }
	decode(w.t, w.node.WalletCLI(w.t, name, "listdescriptors", private), &list)
	return list.Descriptors
}

// multisig creates a 2-of-3 wallet that has two of the private keys.
func (w *world) multisig(name, script string) *hot {
	w.t.Helper()
	open := map[string]string{"wsh": "wsh(", "sh-wsh": "sh(wsh(", "sh": "sh("}[script]
	h := &hot{world: w, name: name, kind: map[string]string{"wsh": "bech32", "sh-wsh": "p2sh-segwit", "sh": "legacy"}[script]}
	signing, public := w.cosigners(name)
	w.node.CLI(w.t, "createwallet", name, false, true)
	for branch := range 2 {
		descriptor := func(keys []string) string {
			text := open + "sortedmulti(2"
			for _, key := range keys {
				text += fmt.Sprintf(",%s/%d/*", key, branch)
			}
			text += strings.Repeat(")", strings.Count(open, "(")+1)
			var info struct{ Checksum string }
			decode(w.t, w.node.CLI(w.t, "getdescriptorinfo", text), &info)
			return text + "#" + info.Checksum
		}
		w.node.WalletCLI(w.t, name, "importdescriptors", []map[string]any{{
			"desc": descriptor(signing), "active": true, "internal": branch == 1, "timestamp": "now", "range": []int{0, 1000},
		}})
		if branch == 0 {
			h.receive = descriptor(public)
		} else {
			h.change = descriptor(public)
		}
	}
	return h
}

// cosigners creates three wallets and returns their keys: signing has the private
// keys of the first two and the public key of the third, public has all public keys.
func (w *world) cosigners(name string) (signing, public []string) {
	for i := range 3 {
		cosigner := fmt.Sprintf("%s-cosigner-%d", name, i)
		w.node.CLI(w.t, "createwallet", cosigner)
		key := func(private bool) string {
			for _, d := range w.descriptors(cosigner, private) {
				if strings.HasPrefix(d.Desc, "wpkh(") && !d.Internal {
					key, _, _ := strings.Cut(strings.TrimPrefix(d.Desc, "wpkh("), "/0/*")
					return key
				}
			}
			w.t.Fatal("no key")
			return ""
		}
		public = append(public, key(false))
		signing = append(signing, key(i < 2))
	}
	return signing, public
}

// watched is a wallet of specterd.
type watched struct {
	*world
	alias string
	core  string
	id    string

	replay replay.Wallet // of the wallet's events
}

// watch creates a wallet of specterd that watches a hot one.
func (h *hot) watch(birthday wallet.Birthday) *watched {
	h.t.Helper()
	v, err := h.service.Create(h.t.Context(), h.who, wallet.Plan{Name: h.name, Descriptor: h.receive, Change: h.change, Birthday: birthday})
	testkit.Check(h.t, err)
	return &watched{world: h.world, alias: v.Alias, core: v.CoreName, id: v.ID}
}

var now = wallet.Birthday{Now: true}

// fund gives a wallet two mature coinbase outputs.
func (h *hot) fund() {
	h.t.Helper()
	h.node.CLI(h.t, "generatetoaddress", 2, h.address())
	h.node.Mine(h.t, 100)
}

func (h *hot) address() string {
	return text(h.t, h.node.WalletCLI(h.t, h.name, "getnewaddress", "", h.kind))
}

// send sends a payment; amounts are in BTC. It returns the txid.
func (h *hot) send(to map[string]string, options map[string]any) string {
	h.t.Helper()
	all := map[string]any{"change_type": h.kind, "fee_rate": 5, "replaceable": true}
	for k, v := range options {
		all[k] = v
	}
	var answer struct {
		Txid     string
		Complete bool
	}
	var outputs []map[string]json.Number
	for address, amount := range to {
		outputs = append(outputs, map[string]json.Number{address: json.Number(amount)})
	}
	decode(h.t, h.node.WalletCLI(h.t, h.name, "send", regtest.Named{"outputs": outputs, "options": all}), &answer)
	if !answer.Complete {
		h.t.Fatal("not signed completely")
	}
	h.node.CLI(h.t, "syncwithvalidationinterfacequeue") // waits until all wallets have processed it
	return answer.Txid
}

// bump replaces a transaction by one with a fee rate of 20 sat/vB.
func (h *hot) bump(txid string, options map[string]any) string {
	h.t.Helper()
	all := map[string]any{"fee_rate": 20}
	for k, v := range options {
		all[k] = v
	}
	var answer struct{ Txid string }
	decode(h.t, h.node.WalletCLI(h.t, h.name, "bumpfee", txid, all), &answer)
	h.node.CLI(h.t, "syncwithvalidationinterfacequeue")
	return answer.Txid
}

func (w *world) outside() string {
	// A P2WPKH address for which no key exists.
	return "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t"
}

// wantSynced waits until the index of a wallet completely equals Bitcoin Core's data.
func (v *watched) wantSynced() {
	v.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		differences := v.differences()
		if len(differences) == 0 {
			return
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("%s: the index differs from Core:\n%s", v.alias, strings.Join(differences[:min(len(differences), 20)], "\n"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// view returns the wallet as its owner sees it.
func (v *watched) view() wallet.View {
	v.t.Helper()
	got, err := v.service.Get(v.t.Context(), v.access(v.who, v.alias))
	testkit.Check(v.t, err)
	return got
}

// history returns all indexed transactions by txid, dead or not.
func (v *watched) history() map[string]wallet.Record {
	v.t.Helper()
	_, records, err := v.service.EachTransaction(v.t.Context(), wallet.One(v.access(v.who, v.alias)), wallet.Filter{Dead: true, Raw: true, Outputs: true})
	testkit.Check(v.t, err)
	all := map[string]wallet.Record{}
	for r, err := range records {
		testkit.Check(v.t, err)
		if _, twice := all[r.Txid]; twice {
			v.t.Fatalf("%s is in the history twice", r.Txid)
		}
		all[r.Txid] = r
	}
	return all
}

func (v *watched) differences() []string {
	var d differences
	got := v.view()
	best := text(v.t, v.node.CLI(v.t, "getbestblockhash"))
	d.compare("as of", got.Synced.Hash, best)
	d.compare("scanning", got.Rescanning(), false)
	d.compare("problem", got.Problem, "")
	v.compareBalances(&d, got)
	v.compareLedger(&d, got)
	v.compareUTXOs(&d)
	records := v.history()
	var listed []struct{ Txid string }
	decode(v.t, v.node.WalletCLI(v.t, v.core, "listtransactions", "*", 100_000, 0, true), &listed)
	for _, tx := range listed {
		if _, ok := records[tx.Txid]; !ok {
			d.add("%s is missing", tx.Txid)
		}
	}
	for _, r := range records {
		v.compareTransaction(&d, r)
	}
	return append(d, v.replay.Differences(v.t.Context(), v.store, v.id)...)
}

type differences []string

func (d *differences) add(format string, args ...any) { *d = append(*d, fmt.Sprintf(format, args...)) }

func (d *differences) compare(what string, got, want any) {
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		d.add("%s: index %s, Core %s", what, g, w)
	}
}

func (v *watched) compareBalances(d *differences, got wallet.View) {
	var want struct {
		Mine struct {
			Trusted, Immature btc.JSONBTC
			Pending           btc.JSONBTC `json:"untrusted_pending"`
		}
	}
	decode(v.t, v.node.WalletCLI(v.t, v.core, "getbalances"), &want)
	d.compare("trusted", got.Balances.Trusted, btc.Amount(want.Mine.Trusted))
	d.compare("pending", got.Balances.UntrustedPending, btc.Amount(want.Mine.Pending))
	d.compare("immature", got.Balances.Immature, btc.Amount(want.Mine.Immature))
}

func (v *watched) compareUTXOs(d *differences) {
	var want []string
	var unspent []struct {
		Txid          string
		Vout          uint32
		Address       string
		Amount        btc.JSONBTC
		Confirmations int
	}
	decode(v.t, v.node.WalletCLI(v.t, v.core, "listunspent", 0, 9_999_999, []string{}, true), &unspent)
	for _, c := range unspent {
		want = append(want, fmt.Sprintf("%s:%d %s %s %d", c.Txid, c.Vout, c.Address, btc.Amount(c.Amount), c.Confirmations))
	}
	var wantLocked, got, gotLocked []string
	var locked []struct {
		Txid string
		Vout uint32
	}
	decode(v.t, v.node.WalletCLI(v.t, v.core, "listlockunspent"), &locked)
	for _, c := range locked {
		wantLocked = append(wantLocked, fmt.Sprintf("%s:%d", c.Txid, c.Vout))
	}
	utxos, err := v.service.UTXOs(v.t.Context(), v.access(v.who, v.alias), btc.Outpoint{}, 100_000)
	testkit.Check(v.t, err)
	for _, c := range utxos {
		switch {
		case c.Locked:
			gotLocked = append(gotLocked, c.String())
		case !c.Immature && (c.Status == wallet.Confirmed || c.Status == wallet.InMempool): // as in listunspent
			got = append(got, fmt.Sprintf("%s %s %s %d", c.Outpoint, c.Address, c.Amount, c.Confirmations))
		}
	}
	for _, list := range [][]string{want, wantLocked, got, gotLocked} {
		slices.Sort(list)
	}
	d.compare("utxos", strings.Join(got, "\n"), strings.Join(want, "\n"))
	d.compare("locked", strings.Join(gotLocked, " "), strings.Join(wantLocked, " "))
}

// coreTransaction is a response of gettransaction.
type coreTransaction struct {
	Amount, Fee   btc.JSONBTC
	Confirmations int
	Generated     bool
	Blockhash     string
	Blockheight   int
	Blocktime     int64
	Time          int64
	Timereceived  int64
	Replaceable   string   `json:"bip125-replaceable"`
	Conflicts     []string `json:"walletconflicts"`
	Mempool       []string `json:"mempoolconflicts"`
	Trusted       bool
	Hex           string
	Details       []struct {
		Address   string
		Category  string
		Amount    btc.JSONBTC
		Vout      uint32
		Abandoned bool
	}
	Decoded struct {
		Vsize int
		Vin   []struct {
			Txid, Coinbase string
			Vout           uint32
		}
		Vout []struct {
			N            uint32
			Value        btc.JSONBTC
			ScriptPubKey struct{ Address string }
		}
	}
}

func (v *watched) compareTransaction(d *differences, r wallet.Record) {
	var want coreTransaction
	decode(v.t, v.node.WalletCLI(v.t, v.core, "gettransaction", r.Txid, true, true), &want)
	check := func(what string, got, want any) { d.compare(r.Txid[:8]+" "+what, got, want) }
	check("confirmations", r.Confirmations, max(0, want.Confirmations))
	check("hex", hex.EncodeToString(r.Raw), want.Hex)
	check("vsize", r.VSize, want.Decoded.Vsize)
	check("time", r.Time.Unix(), want.Time)
	check("received", r.ReceivedAt.Unix(), want.Timereceived)
	check("replaceable", r.Replaceable, want.Replaceable)
	conflicts := slices.Concat(want.Conflicts, want.Mempool)
	slices.Sort(conflicts)
	check("conflicts", r.Conflicts, slices.Compact(conflicts))
	if want.Confirmations > 0 && r.Block != nil {
		check("block", fmt.Sprint(r.Block.Hash, r.Block.Height, r.Block.Time.Unix()), fmt.Sprint(want.Blockhash, want.Blockheight, want.Blocktime))
	}
	check("has a block", r.Block != nil, want.Confirmations > 0)
	check("trusted", r.Trusted, want.Trusted || want.Confirmations > 0)
	check("status", r.Status, v.statusOf(r.Txid, want))
	flow := btc.Amount(want.Amount) + btc.Amount(want.Fee)
	if want.Generated || r.Category == wallet.Generate { // Core counts coinbase outputs only once they are mature
		flow = 0
		for _, o := range want.Details {
			flow += btc.Amount(o.Amount)
		}
	}
	check("flow", r.Flow, flow)
	if r.Fee != nil {
		check("fee", *r.Fee, -btc.Amount(want.Fee))
	}
	v.compareSides(d, r, want)
}

// compareSides compares the owners of inputs and outputs with getaddressinfo.
func (v *watched) compareSides(d *differences, r wallet.Record, want coreTransaction) {
	mine := func(address string) bool {
		var info struct{ Ismine bool }
		decode(v.t, v.node.WalletCLI(v.t, v.core, "getaddressinfo", address), &info)
		return info.Ismine
	}
	spends := slices.ContainsFunc(want.Details, func(o struct {
		Address   string
		Category  string
		Amount    btc.JSONBTC
		Vout      uint32
		Abandoned bool
	},
	) bool {
		return o.Category == "send"
	})
	var outputs []string
	all := true
	for _, o := range want.Decoded.Vout {
		own := o.ScriptPubKey.Address != "" && mine(o.ScriptPubKey.Address)
		all = all && own
		if own || spends {
			outputs = append(outputs, fmt.Sprintf("%d %s %s %v", o.N, o.ScriptPubKey.Address, btc.Amount(o.Value), own))
		}
	}
	var got []string
	for _, o := range r.Outputs {
		got = append(got, fmt.Sprintf("%d %s %s %v", o.Vout, o.Address, o.Amount, o.Own != nil))
	}
	d.compare(r.Txid[:8]+" outputs", strings.Join(got, "\n"), strings.Join(outputs, "\n"))
	category := wallet.Receive
	ownInputs := 0
	for _, in := range want.Decoded.Vin {
		if in.Coinbase == "" && mine(v.addressOf(in.Txid, in.Vout)) {
			ownInputs++
		}
	}
	switch {
	case want.Decoded.Vin[0].Coinbase != "":
		category = wallet.Generate
	case ownInputs > 0 && ownInputs < len(want.Decoded.Vin):
		category = wallet.Mixed
	case spends && all:
		category = wallet.SelfTransfer
	case spends:
		category = wallet.Send
	}
	d.compare(r.Txid[:8]+" category", r.Category, category)
	if slices.Contains([]wallet.Category{wallet.Send, wallet.SelfTransfer}, r.Category) != (r.Fee != nil) {
		d.add("%s: category %s, fee %v", r.Txid[:8], r.Category, r.Fee)
	}
}

// addressOf returns the address of an output of any transaction.
func (w *world) addressOf(txid string, vout uint32) string {
	w.t.Helper()
	var tx struct {
		Vout []struct {
			ScriptPubKey struct{ Address string }
		}
	}
	decode(w.t, w.node.CLI(w.t, "getrawtransaction", txid, true), &tx)
	return tx.Vout[vout].ScriptPubKey.Address
}

func (v *watched) statusOf(txid string, want coreTransaction) wallet.Status {
	abandoned := slices.ContainsFunc(want.Details, func(o struct {
		Address   string
		Category  string
		Amount    btc.JSONBTC
		Vout      uint32
		Abandoned bool
	},
	) bool {
		return o.Abandoned || o.Category == "orphan"
	})
	_, err := v.node.Call(v.t.Context(), "getmempoolentry", txid)
	switch {
	case want.Confirmations > 0:
		return wallet.Confirmed
	case want.Confirmations < 0:
		return wallet.Conflicted
	case abandoned:
		return wallet.Abandoned
	case err == nil:
		return wallet.InMempool
	case len(want.Mempool) > 0:
		return wallet.Replaced
	}
	return wallet.Inactive
}

func decode(t testing.TB, text json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func text(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	var s string
	decode(t, raw, &s)
	return s
}

// in returns the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	return &world{t: t, node: w.node, store: w.store, core: w.core, scanner: w.scanner, service: w.service, who: w.who, monitor: w.monitor, provider: w.provider}
}

func (h *hot) sendAll(to string) {
	h.t.Helper()
	h.node.WalletCLI(h.t, h.name, "sendall", regtest.Named{"recipients": []string{to}, "fee_rate": 3})
}

// load makes the node load the wallet again after a restart.
func (h *hot) load() {
	h.t.Helper()
	h.node.CLI(h.t, "loadwallet", h.name)
}

// hex returns a serialized transaction in hexadecimal.
func (v *watched) hex(txid string) string {
	v.t.Helper()
	var tx struct{ Hex string }
	decode(v.t, v.node.WalletCLI(v.t, v.core, "gettransaction", txid), &tx)
	return tx.Hex
}

// shown returns the history without dead transactions, by txid.
func (v *watched) shown() map[string]wallet.Record {
	v.t.Helper()
	records, _, err := v.service.Transactions(v.t.Context(), wallet.One(v.access(v.who, v.alias)), wallet.Filter{}, wallet.HistoryCursor{}, 1000)
	testkit.Check(v.t, err)
	all := map[string]wallet.Record{}
	for _, r := range records {
		all[r.Txid] = r
	}
	return all
}

// outputTo returns the output of a transaction that belongs to the wallet.
func (v *watched) outputTo(txid string) map[string]any {
	v.t.Helper()
	for _, o := range v.history()[txid].Outputs {
		if o.Own != nil {
			return map[string]any{"txid": txid, "vout": o.Vout}
		}
	}
	v.t.Fatalf("%s has no output to %s", txid, v.alias)
	return nil
}

// wantSyncedOnceLoaded is wantSynced for a wallet that Bitcoin Core has not loaded yet.
func (v *watched) wantSyncedOnceLoaded() {
	v.t.Helper()
	testkit.Eventually(v.t, "the node has the wallet loaded", func() bool {
		_, err := v.node.CallWallet(v.t.Context(), v.core, "getwalletinfo")
		return err == nil
	})
	v.wantSynced()
}

// raw returns a serialized transaction of the wallet in hexadecimal, as a JSON
// string.
func (h *hot) raw(txid string) json.RawMessage {
	h.t.Helper()
	var tx struct{ Hex json.RawMessage }
	decode(h.t, h.node.WalletCLI(h.t, h.name, "gettransaction", txid), &tx)
	return tx.Hex
}
