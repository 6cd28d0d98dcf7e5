package store_test

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// foreignOwner is the owner of outputs that belong to none of the wallets.
const foreignOwner = -1

// ledgerTx is a transaction of ledgerModel.
type ledgerTx struct {
	txid     string
	time     time.Time
	coinbase bool
	inputs   []btc.Outpoint // spent outputs of the wallets
	foreign  bool           // it also has inputs of others
	outputs  []ledgerOutput
	state    wallet.State
}

type ledgerOutput struct {
	owner  int // index of a wallet, or foreignOwner
	branch wallet.Branch
	amount btc.Amount
}

// ledgerModel is a random history of several wallets, with which ledgers are compared. It
// has incoming and outgoing payments, transfers, double spends and coinbases, which may
// be in blocks, in the mempool, in neither, or dead.
type ledgerModel struct {
	b       *fixture
	r       *rand.Rand
	wallets []wallet.Wallet
	txs     []*ledgerTx
	service *wallet.Service
}

func newLedgerModel(b *fixture, r *rand.Rand, wallets ...wallet.Wallet) *ledgerModel {
	service := wallet.New(slog.New(slog.DiscardHandler), b.Store, b.Store, nil, time.Now, func(string) {})
	return &ledgerModel{b: b, r: r, wallets: wallets, service: service}
}

func (m *ledgerModel) output(at btc.Outpoint) ledgerOutput {
	i := slices.IndexFunc(m.txs, func(t *ledgerTx) bool { return t.txid == at.Txid })
	return m.txs[i].outputs[at.Vout]
}

// outputsOf returns all outputs that a wallet has ever had.
func (m *ledgerModel) outputsOf(owner int) (all []btc.Outpoint) {
	for _, t := range m.txs {
		for i, o := range t.outputs {
			if o.owner == owner {
				all = append(all, btc.Outpoint{Txid: t.txid, Vout: uint32(i)})
			}
		}
	}
	return all
}

// grow adds a transaction. Half of the spending transactions are double spends.
func (m *ledgerModel) grow() {
	t := &ledgerTx{txid: fmt.Sprintf("%016x%048x", m.r.Uint64(), len(m.txs)), time: time.Unix(int64(1000+len(m.txs)/3-m.r.IntN(4)), 0).UTC()}
	left := btc.Amount(10_000 + m.r.IntN(1_000_000))
	branches := 1 + m.r.IntN(2) // half of the transactions have outputs on one branch only
	owners := []int{foreignOwner, foreignOwner, 0, 1, 2}
	switch payer := m.r.IntN(len(m.wallets)); m.r.IntN(8) {
	case 0:
		t.coinbase = true
	case 1, 2:
		t.foreign = true
	default:
		utxos := m.outputsOf(payer)
		m.r.Shuffle(len(utxos), func(i, j int) { utxos[i], utxos[j] = utxos[j], utxos[i] })
		if m.r.IntN(2) == 0 {
			utxos = slices.DeleteFunc(utxos, m.isSpent)
		}
		t.inputs = utxos[:min(len(utxos), 1+m.r.IntN(3))]
		if t.foreign = len(t.inputs) == 0 || m.r.IntN(8) == 0; !t.foreign {
			left = -btc.Amount(m.r.IntN(400)) // the fee
		}
		for _, at := range t.inputs {
			left += m.output(at).amount
		}
		if m.r.IntN(3) == 0 {
			owners = []int{payer}
		}
	}
	for n := 1 + m.r.IntN(5); n > 0 && left > 0; n-- {
		o := ledgerOutput{owner: owners[m.r.IntN(len(owners))], branch: wallet.ChangeBranch - wallet.Branch(m.r.IntN(branches)), amount: left}
		if n > 1 {
			o.amount = btc.Amount(m.r.Int64N(int64(left) + 1))
		}
		left -= o.amount
		t.outputs = append(t.outputs, o)
	}
	m.txs = append(m.txs, t)
}

func (m *ledgerModel) isSpent(at btc.Outpoint) bool {
	return slices.ContainsFunc(m.txs, func(t *ledgerTx) bool { return slices.Contains(t.inputs, at) })
}

func (t *ledgerTx) counts() bool {
	return t.state.Status == wallet.Confirmed || t.state.Status == wallet.InMempool
}

// settle gives the transactions a consistent set of states.
func (m *ledgerModel) settle() {
	byID := map[string]*ledgerTx{}
	spent := map[btc.Outpoint]bool{}
	for _, t := range m.txs {
		byID[t.txid] = t
		best := wallet.Confirmed
		for _, at := range t.inputs {
			parent := byID[at.Txid].state.Status
			switch {
			case spent[at] || parent.Dead():
				best = wallet.Conflicted
			case parent == wallet.Inactive && !best.Dead():
				best = wallet.Inactive
			case parent == wallet.InMempool && best == wallet.Confirmed:
				best = wallet.InMempool
			}
		}
		t.state = m.state(best, t.coinbase)
		for _, at := range t.inputs {
			spent[at] = spent[at] || t.counts()
		}
	}
}

// state returns a random state that is not closer to confirmation than best.
func (m *ledgerModel) state(best wallet.Status, coinbase bool) wallet.State {
	status := best
	if m.r.IntN(4) == 0 && best == wallet.Confirmed {
		status = wallet.InMempool
	}
	if m.r.IntN(8) == 0 && !best.Dead() || coinbase && status == wallet.InMempool {
		status = wallet.Inactive
	}
	if m.r.IntN(8) == 0 {
		status = []wallet.Status{wallet.Replaced, wallet.Conflicted, wallet.Abandoned}[m.r.IntN(3)]
	}
	if status == wallet.Confirmed {
		return confirmedAt(1 + m.r.IntN(200))
	}
	return wallet.State{Status: status, Trusted: status == wallet.InMempool && m.r.IntN(2) == 0, Replaceable: "yes"}
}

// transactionFor returns a transaction as a wallet sees it, and whether it concerns the wallet.
func (m *ledgerModel) transactionFor(owner int, t *ledgerTx) (wallet.Transaction, bool) {
	w := m.wallets[owner]
	out := wallet.Transaction{Txid: t.txid, Time: t.time, ReceivedAt: t.time, State: t.state, VSize: 100, Address: "shown", Raw: []byte{1}}
	var in, total btc.Amount
	for _, at := range t.inputs {
		if o := m.output(at); o.owner == owner {
			out.Inputs = append(out.Inputs, wallet.Input{Prev: at, Amount: o.amount})
			in += o.amount
		}
	}
	own := 0
	for i, o := range t.outputs {
		total += o.amount
		out.Outputs = append(out.Outputs, wallet.Output{Vout: uint32(i), Address: fmt.Sprint("external ", i), Amount: o.amount})
		if o.owner == owner {
			at := place(o.branch, uint32(m.r.IntN(rangeEnd)))
			out.Outputs[i].Address, out.Outputs[i].Own = addressAt(w.ID, *at), at
			out.Flow += o.amount
			own++
		}
	}
	out.Flow -= in
	switch {
	case t.coinbase:
		out.Category = wallet.Generate
	case len(out.Inputs) == 0:
		out.Category = wallet.Receive
	case t.foreign || len(out.Inputs) < len(t.inputs):
		out.Category = wallet.Mixed
	case own == len(t.outputs):
		out.Category = wallet.SelfTransfer
	default:
		out.Category = wallet.Send
	}
	if out.Category == wallet.Send || out.Category == wallet.SelfTransfer {
		out.Fee = new(in - total)
	}
	if len(out.Inputs) == 0 {
		out.Outputs = slices.DeleteFunc(out.Outputs, func(o wallet.Output) bool { return o.Own == nil })
	}
	return out, own > 0 || len(out.Inputs) > 0
}

// write writes all transactions and their states to the index.
func (m *ledgerModel) write() {
	for i, w := range m.wallets {
		c := wallet.Change{WalletID: w.ID, Synced: synced(200)}
		for _, t := range m.txs {
			if seen, ok := m.transactionFor(i, t); ok {
				c.Added = append(c.Added, seen)
			}
		}
		m.b.write(c)
	}
}

// set returns the user's wallet with this alias, or all wallets if alias is empty.
func (m *ledgerModel) set(who *auth.Principal, alias string) wallet.Set {
	if alias == "" {
		return wallet.All(who)
	}
	return wallet.One(testkit.Access(m.b.t, m.service, who, alias))
}

func (m *ledgerModel) ledger(who *auth.Principal, alias string, p wallet.LedgerParams) []wallet.Entry {
	m.b.t.Helper()
	_, entries, err := m.service.Ledger(m.b.t.Context(), m.set(who, alias), p)
	testkit.Check(m.b.t, err)
	var all []wallet.Entry
	for e, err := range entries {
		testkit.Check(m.b.t, err)
		all = append(all, e)
	}
	return all
}

var entryKinds = []wallet.EntryKind{
	wallet.EntryReceive, wallet.EntryGenerate, wallet.EntrySend, wallet.EntryTransfer,
	wallet.EntrySelf, wallet.EntryFee, wallet.EntryMixed, wallet.EntryInactive,
}

// TestLedger_EqualsBalances checks ledgers of random histories: the running balance
// follows from the rows and ends at the balance of the wallet, and ledgers of a period or
// in reverse order have the corresponding rows of the whole ledger.
func TestLedger_EqualsBalances(t *testing.T) {
	testkit.NeedsTime(t)
	seed := testkit.Seed(t)
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		m := newLedgerModel(b, rand.New(rand.NewPCG(seed, 0)), b.wallet(alice, "a"), b.wallet(alice, "b"), b.wallet(bob, "c"))
		who := &auth.Principal{UserID: alice.ID, Scopes: auth.AllScopes}
		kinds := map[wallet.EntryKind]int{}
		for round := 0; round < testkit.Size(10, 60) || round < 60 && len(kinds) < len(entryKinds); round++ {
			for range 1 + m.r.IntN(12) {
				m.grow()
			}
			m.settle()
			m.write()
			for owner, alias := range []string{"a", "b"} {
				all := m.ledger(who, alias, wallet.LedgerParams{})
				m.wantBalances(who, alias, all)
				m.wantTransactions(owner, all)
				m.wantPeriods(who, alias, all)
			}
			all := m.ledger(who, "", wallet.LedgerParams{})
			m.wantBalances(who, "a", all)
			m.wantBalances(who, "b", all)
			m.wantPeriods(who, "", all)
			for _, e := range all {
				kinds[e.Kind]++
			}
			if t.Failed() {
				return
			}
		}
		for _, kind := range entryKinds {
			if kinds[kind] == 0 {
				t.Errorf("no row of the kind %s", kind)
			}
		}
	})
}

// wantBalances checks the running balance of a wallet's ledger, and its final balance.
func (m *ledgerModel) wantBalances(who *auth.Principal, alias string, all []wallet.Entry) {
	m.b.t.Helper()
	var balance btc.Amount
	fees := map[string]int{}
	for _, e := range all {
		if e.Alias != alias {
			continue
		}
		balance += e.Amount
		if e.Fee != nil {
			balance -= *e.Fee
			fees[e.Txid]++
		}
		if e.Balance != balance || fees[e.Txid] > 1 {
			m.b.t.Errorf("%s has %d, %d fees after %+v", alias, balance, fees[e.Txid], e)
		}
	}
	v, err := m.b.View(m.b.t.Context(), who.UserID, testkit.Access(m.b.t, m.service, who, alias).WalletID())
	testkit.Check(m.b.t, err)
	if want := v.Balances.Trusted + v.Balances.UntrustedPending + v.Balances.Immature; balance != want {
		m.b.t.Errorf("%s ends at %d, has %d", alias, balance, want)
	}
}

// wantTransactions checks the rows of each transaction against the model.
func (m *ledgerModel) wantTransactions(owner int, all []wallet.Entry) {
	m.b.t.Helper()
	byID := map[string][]wallet.Entry{}
	for _, e := range all {
		byID[e.Txid] = append(byID[e.Txid], e)
	}
	for _, t := range m.txs {
		entries := byID[t.txid]
		seen, ok := m.transactionFor(owner, t)
		switch {
		case !ok || t.state.Status.Dead():
			if len(entries) > 0 {
				m.b.t.Errorf("%+v is in the ledger", t)
			}
		case t.counts():
			m.wantEntries(owner, seen, entries)
		case len(entries) > 1 || len(entries) == 1 && (entries[0].Kind != wallet.EntryInactive || entries[0].Amount >= 0):
			m.b.t.Errorf("%+v of %+v", entries, t)
		}
	}
}

// wantEntries checks the rows of a transaction that is confirmed or in the mempool.
func (m *ledgerModel) wantEntries(owner int, seen wallet.Transaction, entries []wallet.Entry) {
	m.b.t.Helper()
	var sum btc.Amount
	vouts := map[uint32]wallet.Entry{}
	for _, e := range entries {
		if sum += e.Amount; e.Fee != nil {
			sum -= *e.Fee
		}
		if e.Vout != nil {
			vouts[*e.Vout] = e
		}
	}
	if sum != seen.Flow {
		m.b.t.Errorf("%+v sum up to %d, the flow is %d", entries, sum, seen.Flow)
	}
	if seen.Category == wallet.Mixed {
		if len(entries) != 1 || entries[0].Kind != wallet.EntryMixed {
			m.b.t.Errorf("%+v", entries)
		}
		return
	}
	t := m.txs[slices.IndexFunc(m.txs, func(t *ledgerTx) bool { return t.txid == seen.Txid })]
	rows := 0
	for _, o := range seen.Outputs {
		e, ok := vouts[o.Vout]
		change := o.Own != nil && o.Own.Branch == wallet.ChangeBranch && seen.Fee != nil
		if ok == change {
			m.b.t.Errorf("output %+v has a row: %t", o, ok)
		}
		if change {
			continue
		}
		rows++
		want := wallet.Entry{Kind: wallet.EntryReceive, Amount: o.Amount}
		switch {
		case t.coinbase:
			want.Kind = wallet.EntryGenerate
		case seen.Fee != nil && o.Own != nil:
			want = wallet.Entry{Kind: wallet.EntrySelf}
		case seen.Fee != nil:
			want = wallet.Entry{Kind: wallet.EntrySend, Amount: -o.Amount}
			want = m.asTransfer(want, t.outputs[o.Vout].owner, owner)
		case !t.foreign && slices.IndexFunc(t.inputs, func(at btc.Outpoint) bool { return m.output(at).owner != m.output(t.inputs[0]).owner }) < 0:
			want = m.asTransfer(want, m.output(t.inputs[0]).owner, owner)
		}
		got := wallet.Entry{Kind: e.Kind, Amount: e.Amount, Counterparty: e.Counterparty}
		if diff := gocmp.Diff(want, got); diff != "" {
			m.b.t.Errorf("output %d of %s: %s", o.Vout, seen.Txid, diff)
		}
	}
	if rows != len(entries) && (rows > 0 || len(entries) != 1 || entries[0].Kind != wallet.EntryFee) {
		m.b.t.Errorf("%d rows, want %d: %+v", len(entries), rows, entries)
	}
}

// asTransfer makes an entry a transfer if the other wallet is also one of alice's.
func (m *ledgerModel) asTransfer(e wallet.Entry, other, owner int) wallet.Entry {
	if other != owner && (other == 0 || other == 1) {
		e.Kind, e.Counterparty = wallet.EntryTransfer, []string{"a", "b"}[other]
	}
	return e
}

// wantPeriods compares the ledger in reverse order, and ledgers of random periods in both
// orders, with the whole ledger.
func (m *ledgerModel) wantPeriods(who *auth.Principal, alias string, all []wallet.Entry) {
	m.b.t.Helper()
	check := func(p wallet.LedgerParams, want []wallet.Entry) {
		m.b.t.Helper()
		got := m.ledger(who, alias, p)
		p.Descending = true
		reverse := m.ledger(who, alias, p)
		if !p.Since.IsZero() { // the opening entries are at the end, in the order of the wallets
			slices.SortStableFunc(reverse, func(a, b wallet.Entry) int {
				if a.Kind == wallet.EntryOpening && b.Kind == wallet.EntryOpening {
					return cmp.Compare(b.Alias, a.Alias)
				}
				return 0
			})
		}
		slices.Reverse(reverse)
		if diff := gocmp.Diff(want, got); diff != "" {
			m.b.t.Errorf("%+v: %s", p, diff)
		}
		if diff := gocmp.Diff(want, reverse); diff != "" {
			m.b.t.Errorf("the reverse of %+v: %s", p, diff)
		}
	}
	check(wallet.LedgerParams{}, all)
	since := time.Unix(int64(990+m.r.IntN(len(m.txs)/3+10)), 0).UTC()
	until := since.Add(time.Duration(m.r.IntN(20)) * time.Second)
	var before, within []wallet.Entry
	for _, e := range all {
		switch {
		case e.Time.Before(since):
			before = append(before, e)
		case e.Time.Before(until):
			within = append(within, e)
		}
	}
	check(wallet.LedgerParams{Until: since}, before)
	var want []wallet.Entry
	for i, one := range []string{"a", "b"} {
		if alias != "" && alias != one {
			continue
		}
		e := wallet.Entry{Kind: wallet.EntryOpening, WalletID: m.wallets[i].ID, Alias: one, Time: since}
		for _, earlier := range before {
			if earlier.Alias == one {
				e.Amount, e.Balance = earlier.Balance, earlier.Balance
			}
		}
		want = append(want, e)
	}
	check(wallet.LedgerParams{Since: since, Until: until}, append(want, within...))
}

// TestLedger_WithDetails checks labels and proposals in ledgers, and which transfers a
// user can see.
func TestLedger_WithDetails(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		from, to := b.wallet(alice, "from"), b.wallet(alice, "to")
		m := newLedgerModel(b, nil, from, to)
		utxo := btc.Outpoint{Txid: fmt.Sprintf("%064x", 1)}
		paid := fmt.Sprintf("%064x", 2)
		first := payment(from, utxo.Txid, confirmedAt(1), []wallet.Place{*place(0, 0)})
		first.Flow = 1000
		sent := payment(from, paid, inMempool(true), nil, utxo)
		sent.Time, sent.Category, sent.Flow, sent.Fee = first.Time.Add(time.Hour), wallet.Send, -1000, new(btc.Amount(100))
		sent.Inputs[0].Amount = 1000
		shown := addressAt(to.ID, *place(0, 3))
		sent.Outputs = []wallet.Output{{Address: shown, Amount: 600}, {Vout: 1, Address: "shop", Amount: 300}}
		received := payment(to, paid, inMempool(false), nil)
		received.Time, received.Flow, received.Outputs = sent.Time, 600, []wallet.Output{{Address: shown, Amount: 600, Own: place(0, 3)}}
		made := proposalFor(b, from, 1, utxo)
		cancelled := proposalFor(b, from, 2, utxo)
		made.Txid, cancelled.Txid, cancelled.Status, cancelled.CreatedAt = fmt.Sprintf("%064x", 3), fmt.Sprintf("%064x", 3), proposal.Cancelled, b.now.Add(time.Hour)
		made.Status, made.FinalTxid, cancelled.FinalTxid = proposal.Broadcast, paid, paid
		b.write(wallet.Change{WalletID: from.ID, Synced: synced(1), Added: []wallet.Transaction{first, sent}},
			wallet.Change{WalletID: to.ID, Synced: synced(1), Added: []wallet.Transaction{received}})
		testkit.Check(t, b.propose(cancelled))
		b.exec("DELETE FROM reserved")
		testkit.Check(t, b.propose(made))
		testkit.Check(t, b.SetLabels(t.Context(), from.ID, []btc.Label{
			{Type: "addr", Ref: "shop", Label: new("books")}, {Type: "tx", Ref: paid, Label: new("order 7")},
		}, auth.Event{}))
		who := &auth.Principal{UserID: alice.ID, Scopes: auth.AllScopes}
		ref := &wallet.ProposalRef{ID: made.ID, UserName: "alice"}
		open := wallet.Entry{
			WalletID: from.ID, Alias: "from", Time: first.Time, Txid: utxo.Txid, Kind: wallet.EntryReceive, Amount: 1000, Balance: 1000,
			Address: first.Outputs[0].Address, Vout: new(uint32), Status: wallet.Confirmed, Block: first.Block,
		}
		moved := wallet.Entry{
			WalletID: from.ID, Alias: "from", Time: sent.Time, Txid: paid, Kind: wallet.EntryTransfer, Amount: -600, Fee: new(btc.Amount(100)), Balance: 300,
			Address: shown, TxLabel: "order 7", Vout: new(uint32), Status: wallet.InMempool, Counterparty: "to", Proposal: ref,
		}
		bought := moved
		bought.Kind, bought.Amount, bought.Fee, bought.Balance, bought.Address, bought.Label = wallet.EntrySend, -300, nil, 0, "shop", "books"
		bought.Vout, bought.Counterparty = new(uint32(1)), ""
		if diff := gocmp.Diff([]wallet.Entry{open, moved, bought}, m.ledger(who, "from", wallet.LedgerParams{})); diff != "" {
			t.Error(diff)
		}
		limited := *who
		limited.Wallets = []string{from.ID}
		moved.Kind, moved.Counterparty = wallet.EntrySend, ""
		if diff := gocmp.Diff([]wallet.Entry{open, moved, bought}, m.ledger(&limited, "", wallet.LedgerParams{})); diff != "" {
			t.Error(diff)
		}
		got := m.ledger(who, "to", wallet.LedgerParams{})
		if len(got) != 1 || got[0].Kind != wallet.EntryTransfer || got[0].Counterparty != "from" || got[0].Amount != 600 || got[0].Proposal != nil {
			t.Errorf("%+v", got)
		}
	})
}

// TestLedger_ChangedMeanwhile checks that a ledger ends with an error if its balances
// became wrong while it was read, but not if a later transaction was added.
func TestLedger_ChangedMeanwhile(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		w := b.wallet(alice, "w")
		m := newLedgerModel(b, nil, w)
		received := func(n int, s wallet.State) wallet.Transaction {
			tx := payment(w, fmt.Sprintf("%064x", n), s, []wallet.Place{*place(0, uint32(n))})
			tx.Flow, tx.Time = 1000, time.Unix(int64(n), 0)
			return tx
		}
		who := &auth.Principal{UserID: alice.ID, Scopes: auth.AllScopes}
		write := func(change wallet.Transaction) {
			b.write(wallet.Change{WalletID: w.ID, Synced: synced(9), Added: []wallet.Transaction{change}})
		}
		for name, change := range map[string]struct {
			wallet.Transaction
			want error
		}{
			"a later one comes":   {received(3, inMempool(false)), nil},
			"an earlier one goes": {received(1, wallet.State{Status: wallet.Replaced, Replaceable: "yes"}), wallet.ErrLedgerChanged},
		} {
			for i, p := range []wallet.LedgerParams{{}, {Descending: true}, {Since: time.Unix(1, 0)}, {Since: time.Unix(1, 0), Descending: true}} {
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					write(received(3, wallet.State{Status: wallet.Abandoned, Replaceable: "no"}))
					write(received(1, inMempool(false)))
					write(received(2, inMempool(false)))
					_, entries, err := m.service.Ledger(t.Context(), m.set(who, "w"), p)
					testkit.Check(t, err)
					seen := 0
					var last error
					for e, err := range entries {
						if last = err; e.Kind == wallet.EntryReceive {
							if seen++; seen == 1 {
								write(change.Transaction)
							}
						}
					}
					want := change.want
					if p.Descending { // its balances do not depend on earlier transactions
						want = nil
					}
					if !errors.Is(last, want) || seen != 2 {
						t.Errorf("%s, %+v: %d rows, %v", name, p, seen, last)
					}
				})
			}
		}
	})
}

func TestLedger_UsesIndexes(t *testing.T) {
	b := openSQLite(t)
	w := b.wallet(b.user("alice", false), "a")
	list := `["a", "b"]`
	for name, q := range map[string]struct {
		query, uses string
		args        []any
	}{
		"senders":   {db.WalletsThatSent, "transactions_by_txid", []any{list}},
		"owners":    {db.WalletsWithOutputs, "outputs_by_txid", []any{list}},
		"proposals": {db.ProposalsOfTransactions, "proposal_inputs_by_outpoint", []any{w.ID, list}},
		"inactive":  {db.HeldByInactive, "SEARCH t USING COVERING INDEX transactions_unsettled", []any{list, int64(0), int64(1 << 60)}},
	} {
		t.Run(name, func(t *testing.T) {
			if plan := b.plan(q.query, q.args...); !strings.Contains(plan, q.uses) {
				t.Errorf("%s: %s", name, plan)
			}
		})
	}
}

// TestLedger_BalancesReadIndexOnly checks that balances are calculated without reading the rows of
// the transactions, most of which a chart or the oldest page of a history needs.
func TestLedger_BalancesReadIndexOnly(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "a")
		b.history(w, 2000)
		var first, last int64
		testkit.Check(t, b.shell.QueryRowContext(t.Context(), "SELECT min(time), max(time) FROM transactions").Scan(&first, &last))
		part := (last - first) / 20 // PostgreSQL would read a whole table of narrow rows in its order
		uses := "USING COVERING INDEX transactions_by_time"
		if b.engine == "pgx" { // which plans by statistics, and reads rows of pages that are not marked as visible
			uses = "Index Only Scan using transactions_by_time"
			b.exec("VACUUM ANALYZE transactions")
		}
		for name, q := range map[string]struct {
			query string
			args  []any
		}{
			"until": {db.FlowUntil, []any{w.ID, first + part}},
			"after": {db.FlowAfter, []any{w.ID, last - part, ""}},
			"steps": {db.FlowsByStep, []any{int64(1), int64(1000), `["` + w.ID + `"]`, `["0", "1000"]`}},
		} {
			t.Run(name, func(t *testing.T) {
				if plan := b.plan(q.query, q.args...); !strings.Contains(plan, uses) {
					t.Error(plan)
				}
			})
		}
	})
}
