package indexer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/indexer"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestEveryScript runs the common operations of a wallet for each script type.
func TestEveryScript(t *testing.T) {
	w := newWorld(t)
	for _, script := range []string{"wpkh", "sh-wpkh", "pkh", "tr", "wsh", "sh-wsh"} {
		t.Run(script, func(t *testing.T) {
			w := w.in(t)
			var h *hot
			if script == "wsh" || script == "sh-wsh" {
				h = w.multisig("two of three "+script, script)
			} else {
				h = w.hot("one "+script, script)
			}
			v := h.watch(now)
			other := w.hot("other of "+script, "wpkh")
			if got := string(v.view().Script); got != script {
				t.Errorf("the script is %s", got)
			}
			v.wantSynced()
			h.fund() // coinbase
			v.wantSynced()
			h.node.CLI(t, "generatetoaddress", 1, h.address()) // an immature coinbase output
			v.wantSynced()

			h.send(map[string]string{other.address(): "1.5", w.outside(): "0.3", h.address(): "0.2"}, nil) // several recipients
			v.wantSynced()
			h.send(map[string]string{h.address(): "0.7"}, nil) // to itself
			v.wantSynced()
			w.node.Mine(t, 1)
			v.wantSynced()
			other.send(map[string]string{h.address(): "0.5"}, nil) // received
			v.wantSynced()
			w.node.Mine(t, 1)
			v.wantSynced()
			h.sendAll(h.address())
			v.wantSynced()
			w.node.Mine(t, 3)
			v.wantSynced()
			byCategory := map[wallet.Category]int{}
			for _, r := range v.history() {
				byCategory[r.Category]++
			}
			if want := "map[generate:3 receive:1 selftransfer:2 send:1]"; fmt.Sprint(byCategory) != want {
				t.Errorf("got %v, want %s", byCategory, want)
			}
		})
	}
}

// TestReplacement_OriginalConfirmed covers a block that confirms the original transaction
// instead of its replacement.
func TestReplacement_OriginalConfirmed(t *testing.T) {
	w := newWorld(t)
	h := w.hot("sender", "wpkh")
	v := h.watch(now)
	receiver := w.hot("receiver", "wpkh")
	r := receiver.watch(now)
	h.fund()
	first := h.send(map[string]string{receiver.address(): "1"}, nil)
	v.wantSynced()
	r.wantSynced()
	hex := v.hex(first)
	second := h.bump(first, nil)
	v.wantSynced()
	r.wantSynced()
	if got := v.history()[first].Status; got != wallet.Replaced {
		t.Errorf("the replaced transaction is %s", got)
	}
	w.node.CLI(t, "generateblock", w.outside(), []string{hex})
	v.wantSynced()
	r.wantSynced()
	for _, x := range []*watched{v, r} {
		all := x.history()
		if all[first].Status != wallet.Confirmed || all[second].Status != wallet.Conflicted {
			t.Errorf("%s: first %s, second %s", x.alias, all[first].Status, all[second].Status)
		}
		shown := x.shown()
		if _, ok := shown[second]; ok || shown[first].Txid == "" {
			t.Errorf("%s: the list does not contain exactly the confirmed transaction", x.alias)
		}
	}
}

func TestChildPaysForParent(t *testing.T) {
	w := newWorld(t)
	h := w.hot("sender", "wpkh")
	v := h.watch(now)
	h.fund()
	to := h.address()
	for range 5 { // each spends the change of the previous one
		h.send(map[string]string{to: "0.1"}, nil)
	}
	v.wantSynced()
	stranger := w.hot("stranger", "wpkh")
	stranger.fund()
	v.wantSynced()
	paid := stranger.send(map[string]string{h.address(): "2"}, map[string]any{"fee_rate": 1})
	v.wantSynced()
	out := v.outputTo(paid)
	h.send(map[string]string{h.address(): "1.9"}, map[string]any{"inputs": []any{out}, "include_unsafe": true, "fee_rate": 30, "add_inputs": false})
	v.wantSynced()
	w.node.Mine(t, 1)
	v.wantSynced()
}

// TestDoubleSpend_BetweenOwnWallets pays from one wallet to a second wallet, and then
// replaces the payment by a payment of the same UTXO to a third wallet.
func TestDoubleSpend_BetweenOwnWallets(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.hot("a", "wpkh"), w.hot("b", "tr"), w.hot("c", "pkh")
	all := []*watched{a.watch(now), b.watch(now), c.watch(now)}
	agree := func() {
		t.Helper()
		for _, v := range all {
			v.wantSynced()
		}
	}
	a.fund()
	agree()
	first := a.send(map[string]string{b.address(): "1"}, nil)
	agree()
	second := a.bump(first, map[string]any{"outputs": []map[string]any{{c.address(): json.Number("1")}}})
	agree()
	w.node.Mine(t, 1)
	agree()
	if got := all[1].history()[first].Status; got != wallet.Conflicted {
		t.Errorf("the replaced payment to b is %s", got)
	}
	if got := all[2].history()[second].Status; got != wallet.Confirmed {
		t.Errorf("the payment to c is %s", got)
	}
	if b := all[1].view().Balances; b != (wallet.Balances{}) {
		t.Errorf("b has %+v", b)
	}
}

// TestReplacedIncomingPayment covers a sender who replaces a payment to the wallet,
// which listsinceblock does not report.
func TestReplacedIncomingPayment(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("down=%v", down), func(t *testing.T) {
			w := newWorld(t)
			stranger, h := w.hot("stranger", "wpkh"), w.hot("mine", "wpkh")
			v := h.watch(now)
			stranger.fund()
			txid := stranger.send(map[string]string{h.address(): "1"}, nil)
			v.wantSynced()
			if got := v.view().Balances.UntrustedPending; got != btc.BTC {
				t.Fatalf("pending %s", got)
			}
			if down {
				w.halt()
			}
			stranger.bump(txid, map[string]any{"outputs": []map[string]any{{w.outside(): json.Number("1")}}})
			if down {
				w.start()
			}
			v.wantSynced()
			if got := v.view().Balances; got != (wallet.Balances{}) {
				t.Errorf("balances %+v", got)
			}
			w.node.Mine(t, 1)
			v.wantSynced()
			if r := v.history()[txid]; !r.Status.Dead() {
				t.Errorf("the status is %s", r.Status)
			}
			if len(v.shown()) != 0 {
				t.Error("the transaction is in the list")
			}
		})
	}
}

// TestReorganization replaces six blocks by six other blocks, which contain only some
// of their transactions.
func TestReorganization(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("down=%v", down), func(t *testing.T) {
			w := newWorld(t)
			h, other := w.hot("mine", "wpkh"), w.hot("other", "wpkh")
			v, o := h.watch(now), other.watch(now)
			h.fund()
			other.fund()
			agree := func() {
				t.Helper()
				v.wantSynced()
				o.wantSynced()
			}
			agree()
			hashes := w.node.Mine(t, 1)
			h.send(map[string]string{other.address(): "1"}, nil)
			w.node.CLI(t, "generatetoaddress", 1, h.address()) // a coinbase transaction that will be orphaned
			other.send(map[string]string{h.address(): "0.4"}, nil)
			w.node.Mine(t, 2)
			h.send(map[string]string{h.address(): "0.3"}, nil)
			w.node.Mine(t, 2)
			agree()
			if down {
				w.halt()
			}
			w.node.CLI(t, "invalidateblock", hashes[0])
			if down {
				w.start()
			}
			agree() // all transactions are in the mempool again, except the coinbase transaction, which is orphaned
			w.node.CLI(t, "generateblock", w.outside(), []string{})
			agree()
			w.node.CLI(t, "generatetoaddress", 6, w.outside())
			agree()
		})
	}
}

// TestNodeRestarts kills the node while a long history is read.
func TestNodeRestarts(t *testing.T) {
	w := newWorld(t)
	h, stranger := w.hot("mine", "wpkh"), w.hot("stranger", "wpkh")
	stranger.fund()
	address := h.address()
	for range 40 {
		many := map[string]string{}
		for range 25 {
			many[h.address()] = "0.001"
		}
		stranger.send(many, nil)
		stranger.send(map[string]string{address: "0.01"}, nil)
		w.node.Mine(t, 1)
	}
	zero := 0
	v := h.watch(wallet.Birthday{Height: &zero})
	for range 3 {
		w.node.CLI(t, "gettxoutsetinfo") // flushes the chain to the disk
		time.Sleep(30 * time.Millisecond)
		w.node.Kill()
		w.node.Start(t)
	}
	v.wantSynced()
	if n := len(v.history()); n != 80 {
		t.Errorf("%d transactions", n)
	}
	w.node.Stop(t)
	w.node.Start(t)
	h.load()
	stranger.load()
	stranger.send(map[string]string{address: "0.01"}, nil)
	w.node.Mine(t, 1)
	v.wantSynced()
}

// TestExternalNodeChanges covers another client of the node that unloads wallets, rescans
// and abandons transactions.
func TestExternalNodeChanges(t *testing.T) {
	w := newWorld(t)
	h, stranger := w.hot("mine", "wpkh"), w.hot("stranger", "wpkh")
	stranger.fund()
	stranger.send(map[string]string{h.address(): "1"}, nil)
	w.node.Mine(t, 1)
	// The import scans the last two hours even for a wallet with the birthday
	// "now".
	w.node.CLI(t, "setmocktime", time.Now().Add(4*time.Hour).Unix())
	w.node.Mine(t, 12)
	w.monitor.Check(t.Context())
	v := h.watch(now)
	v.wantSynced()
	if n := len(v.history()); n != 0 {
		t.Fatalf("%d transactions from before the birthday", n)
	}
	w.node.WalletCLI(t, v.core, "rescanblockchain")
	v.wantSynced()
	if n := len(v.history()); n != 1 {
		t.Errorf("%d transactions after an external rescan", n)
	}
	w.node.CLI(t, "unloadwallet", v.core)
	stranger.send(map[string]string{h.address(): "1"}, nil)
	v.wantSyncedOnceLoaded()
	w.node.Mine(t, 1)
	v.wantSynced()
}

// TestRescans_Sequential adds several wallets while no indexer is running, as an import
// does. Each wallet must be rescanned as soon as the previous one is finished.
func TestRescans_Sequential(t *testing.T) {
	w := newWorld(t)
	var all []*watched
	birthday := wallet.Birthday{Height: new(int)}
	for _, name := range []string{"one", "two", "three", "four"} {
		all = append(all, w.hot(name, "wpkh").watch(birthday))
	}
	for _, v := range all {
		v.wantSynced()
	}
	w.halt()
	for _, v := range all {
		_, err := w.service.Rescan(t.Context(), w.access(w.who, v.alias), birthday, 0)
		testkit.Check(t, err)
	}
	begin := time.Now()
	w.start()
	testkit.Eventually(t, "all rescans have finished", func() bool {
		views, err := w.service.List(t.Context(), w.who, "", 0)
		testkit.Check(t, err)
		return !slices.ContainsFunc(views, func(v wallet.View) bool { return v.Rescanning() })
	})
	if took := time.Since(begin); took > 15*time.Second { // polling would start the next rescan only after 10 s
		t.Errorf("it took %s", took)
	}
}

// staleStore is a store that returns an outdated frozen state once, as if the UTXO
// was unfrozen between two queries.
type staleStore struct {
	indexer.Store

	utxo  btc.Outpoint
	asked atomic.Int32
}

func (s *staleStore) FrozenUTXOs(ctx context.Context, walletID string) ([]btc.Outpoint, error) {
	if s.asked.Add(1) == 1 {
		return []btc.Outpoint{s.utxo}, nil
	}
	return s.Store.FrozenUTXOs(ctx, walletID)
}

func TestUnfreeze_StaleFrozenState(t *testing.T) {
	w := newWorld(t)
	a := w.hot("a", "wpkh")
	v := a.watch(now)
	a.fund()
	v.wantSynced()
	w.halt()
	utxos, err := w.service.UTXOs(t.Context(), w.access(w.who, v.alias), btc.Outpoint{}, 1)
	testkit.Check(t, err)
	s := &staleStore{Store: w.store, utxo: utxos[0].Outpoint}
	w.startOn(s)
	testkit.Eventually(t, "the UTXO is locked and unlocked", func() bool {
		locked, err := w.core.Wallet(v.view().CoreName).ListLocked(t.Context())
		testkit.Check(t, err)
		return s.asked.Load() > 1 && len(locked) == 0
	})
	v.wantSynced()
}

// TestMixed covers a transaction with inputs of two users.
func TestMixed(t *testing.T) {
	w := newWorld(t)
	a, b := w.hot("a", "wpkh"), w.hot("b", "tr")
	all := []*watched{a.watch(now), b.watch(now)}
	a.fund()
	b.fund()
	utxo := func(h *hot) map[string]any {
		var utxos []struct {
			Txid string
			Vout uint32
		}
		decode(t, h.node.WalletCLI(t, h.name, "listunspent"), &utxos)
		return map[string]any{"txid": utxos[0].Txid, "vout": utxos[0].Vout}
	}
	outputs := []map[string]json.Number{{w.outside(): "40"}, {a.address(): "30"}, {b.address(): "4.9999"}}
	joint := text(t, w.node.CLI(t, "createrawtransaction", []any{utxo(a), utxo(b)}, outputs))
	var signed struct {
		Hex      string
		Complete bool
	}
	for _, h := range []*hot{a, b} {
		decode(t, w.node.WalletCLI(t, h.name, "signrawtransactionwithwallet", joint), &signed)
		joint = signed.Hex
	}
	txid := text(t, w.node.CLI(t, "sendrawtransaction", joint, 0))
	for range 2 {
		for _, v := range all {
			v.wantSynced()
			if r := v.history()[txid]; r.Category != wallet.Mixed || r.Fee != nil || len(r.Outputs) != 3 {
				t.Errorf("%s: %+v", v.alias, r)
			}
		}
		w.node.Mine(t, 1)
	}
}

// TestAbandoned covers a transaction that leaves the node's mempool and that its owner
// then abandons.
func TestAbandoned(t *testing.T) {
	w := newWorld(t, "-persistmempool=0", "-walletbroadcast=0")
	h := w.hot("mine", "wpkh")
	v := h.watch(now)
	h.fund()
	v.wantSynced()
	before := v.view().Balances
	txid := h.send(map[string]string{w.outside(): "1"}, nil)
	w.node.CLI(t, "sendrawtransaction", text(t, h.raw(txid)))
	v.wantSynced()
	w.node.Stop(t)
	w.node.Start(t)
	v.wantSyncedOnceLoaded()
	if got := v.history()[txid].Status; got != wallet.Inactive {
		t.Errorf("the dropped transaction is %s", got)
	}
	w.node.WalletCLI(t, v.core, "abandontransaction", txid)
	v.wantSynced()
	if got := v.view().Balances; got != before {
		t.Errorf("balances %+v, were %+v", got, before)
	}
}

// TestAddresses_BeyondCoreRange reveals more addresses than Bitcoin Core watches by
// default, and pays to the last one.
func TestAddresses_BeyondCoreRange(t *testing.T) {
	w := newWorld(t)
	h, stranger := w.hot("mine", "wpkh"), w.hot("stranger", "wpkh")
	stranger.fund()
	v := h.watch(now)
	var last wallet.NewAddress
	for i := range 1300 {
		a, err := w.service.NextAddress(t.Context(), w.access(w.who, v.alias), "")
		testkit.Check(t, err)
		if a.Index != uint32(i) || a.Unused != i+1 {
			t.Fatalf("address %d has the index %d, %d unused", i, a.Index, a.Unused)
		}
		last = a
	}
	stranger.send(map[string]string{last.Address: "1"}, nil)
	v.wantSynced()
	if got := v.view().Balances.UntrustedPending; got != btc.BTC {
		t.Errorf("pending %s", got)
	}
	w.node.Mine(t, 1)
	v.wantSynced()
	a, err := w.service.NextAddress(t.Context(), w.access(w.who, v.alias), "")
	testkit.Check(t, err)
	if a.Index != 1300 || a.Unused != 1 {
		t.Errorf("the next has the index %d, %d unused", a.Index, a.Unused)
	}
}

// TestRescan_BeyondGapLimit checks that a rescan with a wider range finds a payment beyond
// every gap limit.
func TestRescan_BeyondGapLimit(t *testing.T) {
	w := newWorld(t)
	h, stranger := w.hot("mine", "wpkh"), w.hot("stranger", "wpkh")
	stranger.fund()
	v := h.watch(now)
	var far []string
	decode(t, w.node.CLI(t, "deriveaddresses", h.receive, []int{6000, 6000}), &far)
	stranger.send(map[string]string{far[0]: "1"}, nil)
	w.node.Mine(t, 1)
	v.wantSynced()
	if n := len(v.history()); n != 0 {
		t.Fatalf("%d transactions", n)
	}
	height := 0
	_, err := w.service.Rescan(t.Context(), w.access(w.who, v.alias), wallet.Birthday{Height: &height}, 6001)
	testkit.Check(t, err)
	v.wantSynced()
	if n := len(v.history()); n != 1 {
		t.Fatalf("%d transactions after the scan", n)
	}
	if a, err := w.service.NextAddress(t.Context(), w.access(w.who, v.alias), ""); err != nil || a.Index != 6001 {
		t.Errorf("the next address has the index %d, %v", a.Index, err)
	}
	w.node.Mine(t, 1)
	v.wantSynced()
}

// TestPostgres runs the most important operations on PostgreSQL.
func TestPostgres(t *testing.T) {
	node := testkit.Bitcoind(t)
	node.Mine(t, 1)
	w := worldOn(t, node, testdb.Postgres(t))
	h := w.hot("mine", "wpkh")
	v := h.watch(now)
	h.fund()
	v.wantSynced()
	txid := h.send(map[string]string{w.outside(): "1"}, nil)
	v.wantSynced()
	h.bump(txid, nil)
	v.wantSynced()
	w.node.Mine(t, 1)
	v.wantSynced()
}

// TestBlockWhileRead mines a block with a payment after the indexer has read the payment as
// unconfirmed, and before it looks into the mempool. The payment has never left the mempool
// for another reason.
func TestBlockWhileRead(t *testing.T) {
	w := newWorld(t)
	h := w.hot("sender", "wpkh")
	v := h.watch(now)
	h.fund()
	v.wantSynced()
	relay := testkit.NewRelay(t, w.node)
	w.halt()
	w.core = coreAt(t, relay.URL(), w.node.CookieFile())
	w.start()
	var armed atomic.Bool
	relay.Intercept(func(x *testkit.Exchange) {
		status, body := x.Ask()
		if x.Calls("listsinceblock") && bytes.Contains(body, []byte(`"confirmations":0`)) && armed.CompareAndSwap(true, false) {
			w.node.Mine(t, 1)
		}
		x.Answer(status, body)
	})
	for name, isKnown := range map[string]bool{"new": false, "known": true} {
		t.Run(name, func(t *testing.T) {
			armed.Store(!isKnown)
			txid := h.send(map[string]string{h.address(): "0.1"}, nil)
			if isKnown {
				v.wantSynced()
				armed.Store(true)
			}
			w.kick(v.id)
			testkit.Eventually(t, "the payment to be confirmed", func() bool {
				states, err := w.store.States(t.Context(), v.id, []string{txid})
				testkit.Check(t, err)
				return states[txid].Status == wallet.Confirmed
			})
			if armed.Load() {
				t.Error("no block was mined in between")
			}
			events, _, err := w.store.EventsOfWallet(t.Context(), v.id, 0, nil, 1000)
			testkit.Check(t, err)
			for _, e := range events {
				if e.Subject == txid && (e.Kind == event.TransactionDropped || bytes.Contains(e.Data, []byte(`"inactive"`))) {
					t.Errorf("%s %s", e.Kind, e.Data)
				}
			}
		})
	}
}
