package proposal_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// overpay moves an amount from the change to the fee.
func (a *answer) overpay(more btc.Amount) {
	a.change().Value -= int64(more)
	a.pay(more)
}

// feeLies are nodeLies about the fee and the position of the change.
var feeLies = []nodeLie{
	{name: "change left to the fee", kinds: all, lie: func(a *answer) { a.drop(a.change()) }},
	{name: "most of the change left to the fee", kinds: all, lie: func(a *answer) { a.overpay(btc.Amount(a.change().Value - 1000)) }},
	{name: "small change left to the fee", kinds: all, lie: func(a *answer) { a.drop(a.change()) }, order: func(v vault, o *proposal.CreateParams) {
		o.UTXOs, o.Recipients = v.utxos()[2:], o.Recipients[1:]
		o.Recipients[0].Amount = 3_000_000 - 7000
	}},
	{name: "twice the fee rate", kinds: all, lie: func(a *answer) { a.overpay(a.fee) }},
	{name: "a tenth more than the fee rate", kinds: all, lie: func(a *answer) { a.overpay(a.fee / 10) }},
	{name: "a tenth less than the fee rate", kinds: all, lie: func(a *answer) { a.overpay(-a.fee / 10) }},
	{name: "half of the fee rate", kinds: all, lie: func(a *answer) { a.overpay(-a.fee / 2) }},
	{name: "reports another output as the change", kinds: all, lie: func(a *answer) { a.changePos = (a.changePos + 1) % 3 }},
	{name: "reports a transaction without change", kinds: all, lie: func(a *answer) { a.changePos = -1 }},
	{name: "reports change in a transaction without change", kinds: all, lie: func(a *answer) { a.changePos = 0 }, order: sendMax},
	{name: "the change pays part of the recipient's share of the fee", kinds: all, lie: func(a *answer) { a.out(payee).Value += 100; a.change().Value -= 100 }, order: subtract},
	{name: "one of two recipients pays the whole fee", kinds: all, lie: func(a *answer) {
		share := secondAmount - a.out(otherPayee).Value
		a.out(payee).Value -= share
		a.out(otherPayee).Value += share
	}, order: subtractBoth},
	{name: "one of two recipients pays more than half of the fee", kinds: all, lie: func(a *answer) { a.out(payee).Value -= 10; a.out(otherPayee).Value += 10 }, order: subtractBoth},
	{name: "twice the fee from the recipient", kinds: all, lie: func(a *answer) { a.out(payee).Value -= int64(a.fee); a.pay(a.fee) }, order: subtract},
	{name: "twice the fee from the remainder", kinds: all, lie: func(a *answer) { a.out(otherPayee).Value -= int64(a.fee); a.pay(a.fee) }, order: sendMax},
}

func subtractBoth(_ vault, o *proposal.CreateParams) { o.SubtractFrom = []int{1, 0} }

// TestDeficitOfAncestors checks that a payment pays exactly the amount by which its
// unconfirmed ancestors fall short of its fee rate, and nothing for confirmed ancestors,
// even if the node reports false data about them.
func TestDeficitOfAncestors(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	relay := testkit.NewRelay(t, n)
	w := newWorldAt(t, n, relay.URL(), t.TempDir()+"/specterd.db")
	const low, high = 1100, 20_000
	for _, k := range []testkit.Script{testkit.WPKH, testkit.SH, testkit.TR} {
		relay.Intercept(nil)
		v := w.vault(k, 1_000_000)
		parent := v.sent(pay(100_000, low))
		child := v.sent(pay(100_000, low))
		order := pay(100_000, high)
		lacks := btc.FeeRate(high).Fee(parent.VSize+child.VSize) - parent.Fee - child.Fee
		p := v.create(order)
		if p.ExcessFee < lacks*9/10 || p.ExcessFee > lacks*11/10 {
			t.Errorf("%s: paid %d sat for ancestors with a deficit of %d sat", k.Name, p.ExcessFee, lacks)
		}
		wantAncestors(t, v, p, proposal.Ancestors{UTXOs: 1, Transactions: 2, VSize: int64(parent.VSize + child.VSize), Fee: parent.Fee + child.Fee}, high)
		testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), p.ID, nil))
		v.wantLocks()
		if n := v.unconfirmed(p); n != 0 {
			t.Errorf("%d UTXOs of the cancelled proposal are unconfirmed", n)
		}

		overpay := v.changed(func(a *answer) { a.overpay(lacks / 5) })
		relay.Intercept(overpay)
		v.wantRefused(order, proposal.ErrNodeAltered.Code)
		v.mine()
		v.until(child, proposal.Confirmed)
		relay.Intercept(func(x *testkit.Exchange) {
			if x.Calls("getmempoolentry") {
				x.Answer(http.StatusOK, inMempool(t, x))
				return
			}
			overpay(x)
		})
		v.wantRefused(order, proposal.ErrNodeAltered.Code)
	}
}

// wantAncestors checks the ancestors of a new proposal, whose fee rate together with them is the
// requested one, and the warning about them.
func wantAncestors(t *testing.T, v vault, p proposal.Proposal, want proposal.Ancestors, rate btc.FeeRate) {
	t.Helper()
	if p.Ancestors != want || p.JointRate() < rate*98/100 || p.JointRate() > rate*102/100 || !p.PaysForAncestors() || !p.HasExcessOfAncestors() {
		t.Errorf("the ancestors are %+v and not %+v; together with them it pays %s sat/vB, alone %s", p.Ancestors, want, p.JointRate(), p.PaidRate())
	}
	warnings := p.Warnings()
	at := slices.IndexFunc(warnings, func(w proposal.Warning) bool { return w.Code == proposal.WarnUnconfirmed })
	if at < 0 || !strings.Contains(warnings[at].Message, "1 unconfirmed UTXO and cannot be confirmed before 2 unconfirmed transactions") {
		t.Errorf("the warnings are %v", warnings)
	}
	if n := v.unconfirmed(p); n != 1 {
		t.Errorf("%d UTXOs of the proposal are unconfirmed", n)
	}
}

// unconfirmed returns how many UTXOs of a proposal are unconfirmed in the index.
func (v vault) unconfirmed(p proposal.Proposal) int {
	v.t.Helper()
	return testkit.Value(v.UnconfirmedInputs(v.t.Context(), v.access(v.alice, v.alias), p.ID))(v.t)
}

// inMempool returns a response that reports every requested transaction as large,
// unconfirmed and without a fee.
func inMempool(t *testing.T, x *testkit.Exchange) []byte {
	_, body := x.Ask()
	var replies []map[string]any
	testkit.Check(t, json.Unmarshal(body, &replies))
	for _, r := range replies {
		r["error"], r["result"] = nil, map[string]any{"vsize": 100_000, "fees": map[string]any{"modified": 0}, "depends": []string{}}
	}
	body, err := json.Marshal(replies)
	testkit.Check(t, err)
	return body
}
