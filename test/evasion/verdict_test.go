package evasion

import (
	"bytes"
	"encoding/hex"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

type coin = wire.OutPoint

type output struct {
	address string
	amount  int64
}

// payment is a payment of the vault that was sent, or can be: an open proposal, or a transaction of
// the node.
type payment struct {
	txid, id, status string
	user, token      string    // who proposed it
	at               time.Time // see world.made
	paid             []output  // other than to change addresses of the vault
	fee, vsize       int64
	inputs           []coin
	sent             bool
	approvals        []approval
	group            int // payments of the same group exclude each other
}

type approval struct {
	user, token string
	at          time.Time
}

const awaiting = "awaiting_approval"

func (p *payment) amount() (sum int64) {
	for _, out := range p.paid {
		sum += out.amount
	}
	return sum
}

// verdict fails the attempt unless all payments that left the vault, or can leave it, are within
// the policies that are in force. It computes them from the transactions of the node and the PSBTs
// of open proposals.
func (w *world) verdict() {
	w.t.Helper()
	all := w.payments()
	for _, p := range all {
		state := p.status
		if p.sent {
			state = "sent"
		}
		isNew := w.ended[p.txid] != state && (w.ended[p.txid] == "" || w.ended[p.txid] == awaiting || state == "sent")
		w.ended[p.txid] = state
		if !isNew {
			continue // judged under the policies of then
		}
		for _, d := range w.laws.apply(p) {
			for _, out := range p.paid {
				if w.matches(d.Deny, out.address) {
					w.t.Errorf("the payment %s to %s was forbidden", p.txid, out.address)
				}
			}
			if d.Allow != nil && !w.permitted(&d, p, all) {
				w.t.Errorf("the payment %s of %d sat with a fee of %d (%s) is not within %+v: %s", p.txid, p.amount(), p.fee, state, *d.Allow, w.reasons(&d, p))
			}
		}
	}
}

func (w *world) reasons(d *document, p *payment) (all []string) {
	for i := range *d.Allow {
		all = append(all, w.fits(p, &(*d.Allow)[i]))
	}
	return all
}

// permitted reports whether the payments to which the same document applies can be distributed
// to its rules so that p and all windows that end with it are within them.
func (w *world) permitted(d *document, p *payment, all []*payment) bool {
	var subject []*payment
	for _, other := range all {
		if slices.ContainsFunc(w.laws.apply(other), func(o document) bool { return o.Allow == d.Allow }) {
			subject = append(subject, other)
		}
	}
	chosen := make([]int, len(subject))
	var try func(i int) bool
	try = func(i int) bool {
		if i == len(subject) {
			return w.withinWindows(d, p, subject, chosen)
		}
		for k := range *d.Allow {
			if subject[i] != p || w.fits(p, &(*d.Allow)[k]) == "" {
				chosen[i] = k
				if try(i + 1) {
					return true
				}
			}
		}
		return false
	}
	return try(0)
}

// withinWindows reports whether the windows of the rule of p permit the payments that chose it.
func (w *world) withinWindows(d *document, p *payment, subject []*payment, chosen []int) bool {
	k := chosen[slices.Index(subject, p)]
	for _, win := range (*d.Allow)[k].Windows {
		most := map[int]int64{} // of payments that exclude each other, only one can be confirmed
		for i, other := range subject {
			if chosen[i] == k && !other.at.After(p.at) && other.at.After(p.at.Add(-duration(win.Per))) {
				most[other.group] = max(most[other.group], other.amount()+other.fee)
			}
		}
		var sum int64
		for _, amount := range most {
			sum += amount
		}
		if win.MaxSat != nil && sum > *win.MaxSat || win.MaxCount != nil && len(most) > *win.MaxCount {
			return false
		}
	}
	return true
}

// payments returns the payments of the attempt.
func (w *world) payments() []*payment {
	w.t.Helper()
	sent := w.sentTransactions()
	rows, err := w.db.QueryContext(w.t.Context(), "SELECT proposal_id, txid, status, user_name, token_id, vsize, psbt FROM proposals WHERE wallet_id = $1", w.vault.id)
	testkit.Check(w.t, err)
	defer func() { _ = rows.Close() }()
	var all []*payment
	proposed := map[string]bool{}
	for rows.Next() {
		p, packet := &payment{}, []byte{}
		testkit.Check(w.t, rows.Scan(&p.id, &p.txid, &p.status, &p.user, &p.token, &p.vsize, &packet))
		tx := sent[p.txid]
		p.sent, proposed[p.txid] = tx != nil, true // several proposals, some of earlier attempts, can have the same txid
		isOpen := slices.Contains([]string{awaiting, "created", "partially_signed", "complete", "broadcast"}, p.status)
		if w.known[p.id] || !p.sent && !isOpen {
			continue
		}
		if tx == nil {
			tx = testkit.Must(psbt.Parse(packet)).Tx()
		}
		w.describe(p, tx)
		all = append(all, p)
	}
	testkit.Check(w.t, rows.Err())
	_ = rows.Close()
	for txid, tx := range sent {
		if proposed[txid] {
			continue
		}
		p := &payment{txid: txid, sent: true, vsize: 110}
		w.describe(p, tx)
		all = append(all, p)
	}
	for _, p := range all {
		p.approvals = w.approvalsOf(p.id)
		if w.made[p.txid].IsZero() {
			w.made[p.txid] = w.realTime()
		}
		p.at = w.made[p.txid]
	}
	group(all)
	return all
}

func (w *world) describe(p *payment, tx *wire.MsgTx) {
	for _, in := range tx.TxIn {
		p.inputs = append(p.inputs, in.PreviousOutPoint)
		p.fee += w.coins[in.PreviousOutPoint].amount
	}
	for _, out := range tx.TxOut {
		p.fee -= out.Value
		if address := btc.AddressOf(out.PkScript, btc.Regtest); !slices.Contains(w.vault.change, address) {
			p.paid = append(p.paid, output{address, out.Value})
		}
	}
}

func (w *world) approvalsOf(id string) (all []approval) {
	w.t.Helper()
	rows, err := w.db.QueryContext(w.t.Context(), "SELECT user_name, token_id, at FROM proposal_approvals WHERE proposal_id = $1 AND decision = 'approve'", id)
	testkit.Check(w.t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var a approval
		var micros int64
		testkit.Check(w.t, rows.Scan(&a.user, &a.token, &micros))
		a.at = time.UnixMicro(micros)
		all = append(all, a)
	}
	testkit.Check(w.t, rows.Err())
	return all
}

// realTime is the time without the jumps of the server's clock.
func (w *world) realTime() time.Time { return time.Now().Add(w.passed) }

// group gives payments that share an input the same group.
func group(all []*payment) {
	for i, p := range all {
		p.group = i
	}
	for range all {
		for _, p := range all {
			for _, q := range all {
				if slices.ContainsFunc(p.inputs, func(in coin) bool { return slices.Contains(q.inputs, in) }) {
					p.group = min(p.group, q.group)
					q.group = p.group
				}
			}
		}
	}
}

// sentTransactions returns the transactions of the node since the attempt began that spend
// outputs of the vault, by txid.
func (w *world) sentTransactions() map[string]*wire.MsgTx {
	w.t.Helper()
	sent := map[string]*wire.MsgTx{}
	take := func(raw string) {
		var tx wire.MsgTx
		testkit.Check(w.t, tx.Deserialize(bytes.NewReader(testkit.Must(hex.DecodeString(raw)))))
		w.remember(&tx)
		for _, in := range tx.TxIn {
			if address := w.coins[in.PreviousOutPoint].address; slices.Contains(w.vault.receive, address) || slices.Contains(w.vault.change, address) {
				sent[tx.TxID()] = &tx
			}
		}
	}
	for height := w.begun + 1; height <= cli[int](w.t, w.node, "", "getblockcount"); height++ {
		hash := cli[string](w.t, w.node, "", "getblockhash", height)
		for _, tx := range cli[struct{ Tx []struct{ Hex string } }](w.t, w.node, "", "getblock", hash, 2).Tx {
			take(tx.Hex)
		}
	}
	for _, txid := range cli[[]string](w.t, w.node, "", "getrawmempool") {
		take(cli[string](w.t, w.node, "", "getrawtransaction", txid))
	}
	return sent
}

// see remembers the outputs of a transaction in the mempool.
func (w *world) see(txid string) {
	w.t.Helper()
	var tx wire.MsgTx
	testkit.Check(w.t, tx.Deserialize(bytes.NewReader(testkit.Must(hex.DecodeString(cli[string](w.t, w.node, "", "getrawtransaction", txid))))))
	w.remember(&tx)
}

func (w *world) remember(tx *wire.MsgTx) {
	id := tx.TxHash()
	for i, out := range tx.TxOut {
		w.coins[coin{Hash: id, Index: uint32(i)}] = output{btc.AddressOf(out.PkScript, btc.Regtest), out.Value}
	}
}

// unspent is an output of the vault in the node.
type unspent struct {
	Address       string
	Amount        btc.JSONBTC
	Confirmations int
}

// remaining returns what remains in the vault after all open proposals.
func (w *world) remaining() (sum int64) {
	w.t.Helper()
	for at, out := range w.coins {
		if !slices.Contains(w.vault.receive, out.address) && !slices.Contains(w.vault.change, out.address) {
			continue
		}
		if string(w.node.CLI(w.t, "gettxout", at.Hash.String(), at.Index)) != "null" {
			sum += out.amount
		}
	}
	for _, p := range w.payments() {
		if !p.sent {
			sum -= p.amount() + p.fee
		}
	}
	return sum
}

// confirmations returns the least number of confirmations of the inputs of a payment.
func (w *world) confirmations(p *payment) int {
	w.t.Helper()
	least := 1 << 30
	for _, in := range p.inputs {
		least = min(least, cli[unspent](w.t, w.node, "", "gettxout", in.Hash.String(), in.Index).Confirmations)
	}
	return least
}
