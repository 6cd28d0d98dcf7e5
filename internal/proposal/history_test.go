package proposal_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/wire"
	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/replay"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestReplacementHistories executes random histories of wallets, their proposals and
// the node. After each step, the statuses and fields of all proposals must agree with
// Core's data about their inputs and transactions, and reservations, locks, UTXOs and
// balances must equal Core's. Most wallets have spending policies: refusals, requirements and
// what counts in windows must be as the test computes them.
func TestReplacementHistories(t *testing.T) {
	t.Parallel()
	testkit.NeedsServer(t, "bitcoind")
	seed := testkit.Seed(t)
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			many := testkit.Size(10, 5000)
			if text := os.Getenv("SPECTERD_HISTORIES"); text != "" {
				var err error
				many, err = strconv.Atoi(text)
				testkit.Check(t, err)
			}
			done, steps, reached, results := 0, 0, map[proposal.Status]int{}, map[string]int{}
			for part := 0; done < many && !t.Failed(); part++ {
				t.Run(fmt.Sprint(part), func(t *testing.T) { // each part has its own node and database
					h := newHistories(t, newChain(t), database(t), kindsOfHistory[:])
					h.reached, h.results = reached, results
					for range min(historiesOnOneNode, many-done) / historiesAtOnce {
						steps += h.batch(seed + uint64(done))
						if done += historiesAtOnce; t.Failed() {
							return
						}
					}
				})
			}
			if !t.Failed() {
				testkit.Figure(t, "%s: %d histories, %d steps, in which proposals came to these statuses: %v, and policies had these results: %v; 0 differences", name, done, steps, reached, results)
			}
		})
	}
}

// databases are functions that return the URL of a new database, by database engine.
var databases = map[string]func(t *testing.T) string{
	"sqlite":   func(t *testing.T) string { return testdb.SQLite(t) },
	"postgres": func(t *testing.T) string { return testdb.Postgres(t) },
}

const (
	// historiesAtOnce is the number of wallets, each with its own history, that share
	// the events of the node. After historiesOnOneNode histories, a new node is started.
	historiesAtOnce    = 5
	historiesOnOneNode = 100
	// ownSteps is the average number of a history's steps that affect only its wallet;
	// sharedSteps is the average number of steps that affect all wallets.
	ownSteps    = 10
	sharedSteps = 8
)

// histories are the wallets on one node and a specterd that can be stopped and started.
type histories struct {
	*world

	t        *testing.T
	chain    *chain
	database string
	closers  []func()
	down     bool
	downFor  int // steps until specterd starts again
	subjects []*testWallet
	invalid  []string // invalidated blocks
	// withCoinbase is the last block that was mined to a wallet.
	withCoinbase string
	patience     time.Duration
	reached      map[proposal.Status]int // observed changes of status, by new status
	results      map[string]int          // of policies and approvals
	bob          *auth.Principal         // a signer of the wallets, who approves
	log          []string                // the printed history
}

func newHistories(t *testing.T, c *chain, database string, kinds []testkit.Script) *histories {
	t.Helper()
	h := &histories{t: t, chain: c, database: database, patience: 15 * time.Second, reached: map[proposal.Status]int{}, results: map[string]int{}}
	h.open()
	h.alice, h.bob = h.user("alice"), h.user("bob")
	t.Cleanup(h.close)
	for i, kind := range kinds {
		h.subjects = append(h.subjects, h.newWallet(i, kind, policiesOfHistory[i]))
	}
	return h
}

// open starts specterd. After a restart, the clock is ahead of real time by the same
// amount as before.
func (h *histories) open() {
	was := h.world
	url := fmt.Sprintf("http://%s:%d", h.chain.Host(), h.chain.Port())
	h.world = openWorld(h.t, h.chain.Node, url, h.database, func(f func()) { h.closers = append(h.closers, f) })
	if was != nil {
		h.alice = was.alice
		h.clock.forward(was.clock.ahead)
	}
	h.down = false
	h.waitForNode()
}

func (h *histories) close() {
	for _, f := range slices.Backward(h.closers) {
		f()
	}
	h.closers, h.down = nil, true
}

// testWallet is a wallet with a history.
type testWallet struct {
	alias, id, coreName string

	number    int
	keys      *keys
	addresses []string // some of the wallet's addresses
	proposals []*expected
	begin     int      // the index of this history's first proposal
	txids     []string // transactions that Core's wallet may know, in order of creation
	txs       map[string]*wire.MsgTx
	names     map[string]string // names of transactions in the printed history, by txid
	utxos     []utxo            // current and former outputs of the wallet
	replay    replay.Wallet     // of the wallet's events
	incoming  []incoming
	policies  []historyLayer
	owner     string // user id
}

func (s *testWallet) label() string { return fmt.Sprintf("w%d ", s.number) }

// addTransaction records a transaction of the wallet and returns its txid.
func (s *testWallet) addTransaction(tx *wire.MsgTx, name string) string {
	txid := tx.TxHash().String()
	if s.txs[txid] == nil {
		s.txs[txid], s.names[txid] = tx, name
		s.txids = append(s.txids, txid)
	}
	return txid
}

func (s *testWallet) addUTXO(c utxo) {
	if !slices.ContainsFunc(s.utxos, func(known utxo) bool { return known.at == c.at }) {
		s.utxos = append(s.utxos, c)
	}
}

func (s *testWallet) namesOf(at []btc.Outpoint) string {
	var names []string
	for _, o := range at {
		names = append(names, s.nameOf(o))
	}
	return strings.Join(names, " ")
}

// newWallet creates a wallet without UTXOs.
func (h *histories) newWallet(number int, kind testkit.Script, policies []historyLayer) *testWallet {
	h.t.Helper()
	first := int(firstKey.Add(10))
	view, err := h.wallets.Create(h.t.Context(), h.alice, wallet.Plan{
		Name: uuid.NewString(), Descriptor: kind.Descriptor(h.t, first, "<0;1>", -1), Birthday: wallet.Birthday{Now: true},
	})
	testkit.Check(h.t, err)
	s := &testWallet{
		alias: view.Alias, id: view.ID, coreName: view.CoreName, number: number, keys: newKeys(h.t, kind, first),
		txs: map[string]*wire.MsgTx{}, names: map[string]string{},
	}
	for range 3 {
		a, err := h.wallets.NextAddress(h.t.Context(), h.access(h.alice, s.alias), "")
		testkit.Check(h.t, err)
		s.addresses = append(s.addresses, a.Address)
	}
	h.setPolicies(s, policies)
	return s
}

// kindsOfHistory are the script types of the wallets: with and without a txid that
// changes when a transaction is signed, with one signer and with several.
var kindsOfHistory = [historiesAtOnce]testkit.Script{testkit.WPKH, testkit.WPKH, testkit.PKH, testkit.WSH, testkit.WPKH}

// batch executes one history per wallet and returns the number of steps. If there is a
// difference, it fails the test with the shortest history that reproduces it.
func (h *histories) batch(seed uint64) int {
	h.t.Helper()
	steps := randomSteps(rand.New(rand.NewPCG(seed, 0)))
	at, found := h.live(steps)
	if found == nil {
		return len(steps)
	}
	s := h.subjects[found.wallet]
	h.t.Errorf("SPECTERD_SEED=%d: w%d (%s): %s after:%s", seed, s.number, s.keys.kind.Name, strings.Join(found.texts, "; "), indent(h.log))
	h.shorten(s.keys.kind, s.policies, found.wallet, steps[:at+1])
	return at
}

func randomSteps(r *rand.Rand) []step {
	var steps []step
	for len(steps) < ownSteps*historiesAtOnce+sharedSteps {
		st := step{wallet: -1}
		if at := r.IntN(ownSteps*historiesAtOnce + sharedSteps); at >= sharedSteps {
			st.wallet = (at - sharedSteps) / ownSteps
		}
		for i := range st.n {
			st.n[i] = r.Uint32()
		}
		if st.wallet < 0 {
			st.action = choose(r, events, func(e event) (string, int) { return e.name, e.weight })
		} else {
			st.action = choose(r, walletSteps, func(d walletStep) (string, int) { return d.name, d.weight })
		}
		steps = append(steps, st)
	}
	return steps
}

// choose returns a random name according to the weights.
func choose[T any](r *rand.Rand, list []T, of func(T) (string, int)) string {
	sum := 0
	for _, one := range list {
		_, weight := of(one)
		sum += weight
	}
	at := r.IntN(sum)
	for _, one := range list {
		name, weight := of(one)
		if at -= weight; at < 0 {
			return name
		}
	}
	return ""
}

// difference describes how a wallet in specterd differs from Core.
type difference struct {
	wallet int
	texts  []string
}

// live executes steps. It returns the first difference and the step after which it
// was found.
func (h *histories) live(steps []step) (at int, found *difference) {
	h.t.Helper()
	h.log, h.invalid, h.withCoinbase = nil, nil, ""
	h.fund()
	if found := h.settle(h.subjects); found != nil {
		return -1, found
	}
	for i, st := range steps {
		if found := h.execute(st); found != nil {
			return i, found
		}
	}
	h.start()
	h.mine([5]uint32{})
	h.log = append(h.log, "at the end, mine all")
	return len(steps) - 1, h.settle(h.subjects)
}

// fund sweeps each wallet and then gives it three UTXOs.
func (h *histories) fund() {
	h.t.Helper()
	h.pass(2 * time.Hour) // so that the windows are empty
	for _, s := range h.subjects {
		h.sweep(s)
		s.begin, s.utxos, s.incoming = len(s.proposals), nil, nil
	}
	h.mine([5]uint32{})
	for _, s := range h.subjects {
		var outputs []*wire.TxOut
		for i, amount := range []int64{1_500_000, 1_200_000, 600_000} {
			outputs = append(outputs, wire.NewTxOut(amount, scriptOf(s.addresses[i])))
		}
		tx := h.chain.pay(h.chain.utxo(), 1000, outputs...)
		s.addTransaction(tx, fmt.Sprintf("f%d", len(s.txids)))
		if refused := h.chain.send(tx); refused != "" {
			h.t.Fatal("the payment to the wallet" + refused)
		}
	}
	h.mine([5]uint32{})
	h.chain.generate(2, h.chain.miner()) // so that reorganizations rarely reach the blocks with the UTXOs
}

// sweep sends all funds of a wallet to an address outside of it.
func (h *histories) sweep(s *testWallet) {
	h.t.Helper()
	utxos, err := h.wallets.UTXOs(h.t.Context(), h.access(h.alice, s.alias), btc.Outpoint{}, 1000)
	testkit.Check(h.t, err)
	var from []utxo
	var sum int64
	for _, c := range utxos {
		if c.Trusted {
			from = append(from, s.keys.utxo(h.t, c.Outpoint, c.Place, c.Address, c.Amount))
			sum += int64(c.Amount)
		}
	}
	if len(from) == 0 {
		return
	}
	tx := spendOf(from...)
	tx.AddTxOut(wire.NewTxOut(sum-int64(len(from))*2000, scriptOf(otherPayee)))
	testkit.Check(h.t, sign(tx, from))
	s.addTransaction(tx, fmt.Sprintf("s%d", len(s.txids)))
	if refused := h.chain.send(tx); refused != "" {
		h.t.Fatal("the sweep of the wallet" + refused)
	}
}

// execute executes a step and compares the wallets that it affects.
func (h *histories) execute(st step) *difference {
	h.t.Helper()
	if h.downFor--; h.down && h.downFor < 0 {
		h.log = append(h.log, "start specterd")
		h.open()
		if found := h.settle(h.subjects); found != nil {
			return found
		}
	}
	if st.wallet < 0 {
		e := events[slices.IndexFunc(events, func(e event) bool { return e.name == st.action })]
		said := e.do(h, st.n)
		if said == "" {
			return nil
		}
		h.log = append(h.log, said)
		return h.settle(h.subjects)
	}
	d := walletSteps[slices.IndexFunc(walletSteps, func(d walletStep) bool { return d.name == st.action })]
	if h.down && !d.beside {
		return nil
	}
	s := h.subjects[st.wallet]
	said, err := d.do(h, s, st.n)
	if said == "" && err == nil {
		return nil
	}
	h.log = append(h.log, s.label()+said)
	if err != nil {
		return &difference{st.wallet, []string{err.Error()}}
	}
	return h.settle(h.subjects[st.wallet : st.wallet+1])
}

// settle waits until specterd agrees with Core. If it times out, settle returns the
// difference.
func (h *histories) settle(subjects []*testWallet) *difference {
	if h.down {
		return nil
	}
	deadline := time.Now().Add(h.patience)
	h.monitor.Check(h.t.Context())
	for _, s := range subjects {
		h.follower.Kick(s.id)
	}
	for _, s := range subjects {
		wait := 5 * time.Millisecond
		for all := len(subjects) > 1; ; all = true {
			wrong := h.compare(s, all)
			if len(wrong) == 0 {
				break
			}
			if time.Now().After(deadline) {
				return &difference{s.number, wrong}
			}
			pause(wait)
			if wait *= 2; wait > 300*time.Millisecond {
				wait = 300 * time.Millisecond
				h.follower.Kick(s.id)
			}
		}
	}
	return nil
}

func pause(d time.Duration) { <-time.After(d) }

// shorten leaves out steps of one wallet's history as long as the difference remains,
// and prints the shortest history.
func (h *histories) shorten(kind testkit.Script, policies []historyLayer, number int, steps []step) {
	h.t.Helper()
	h.patience = 4 * time.Second
	var own []step
	for _, st := range steps {
		switch st.wallet {
		case number:
			st.wallet = 0
			own = append(own, st)
		case -1:
			own = append(own, st)
		}
	}
	fails := func(steps []step) *difference {
		h.start()
		h.subjects = []*testWallet{h.newWallet(0, kind, policies)}
		_, found := h.live(steps)
		return found
	}
	found := fails(own)
	if found == nil {
		h.t.Log("the difference does not occur with this wallet alone")
		return
	}
	said := h.log
	for size := max(1, len(own)/2); size > 0; size /= 2 {
		for from := 0; from < len(own); {
			shorter := slices.Delete(slices.Clone(own), from, min(from+size, len(own)))
			if less := fails(shorter); less != nil {
				own, found, said = shorter, less, h.log
			} else {
				from += size
			}
		}
	}
	h.t.Errorf("shortened (%s): %s after:%s", kind.Name, strings.Join(found.texts, "; "), indent(said))
}

func parseTx(t *testing.T, raw string) *wire.MsgTx {
	t.Helper()
	b, err := hex.DecodeString(raw)
	testkit.Check(t, err)
	tx := wire.NewMsgTx(2)
	testkit.Check(t, tx.Deserialize(bytes.NewReader(b)))
	return tx
}
