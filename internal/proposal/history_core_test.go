package proposal_test

import (
	"encoding/json"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
)

// coreTx is a transaction as Core's wallet reports it (gettransaction).
type coreTx struct {
	Confirmations    int
	MempoolConflicts []string
	Details          []struct {
		Category  string
		Abandoned bool
	}
	tx        *wire.MsgTx
	inMempool bool
}

func (t *coreTx) abandoned() bool {
	for _, d := range t.Details {
		if d.Abandoned {
			return true
		}
	}
	return false
}

func (t *coreTx) orphaned() bool {
	return len(t.Details) > 0 && t.Details[0].Category == "orphan"
}

// gone reports whether the transaction is conflicted, abandoned, orphaned or replaced, so
// that its outputs do not exist.
func (t *coreTx) gone() bool {
	return t.Confirmations < 0 || t.Confirmations == 0 && !t.inMempool && (t.abandoned() || t.orphaned() || len(t.MempoolConflicts) > 0)
}

// facts are Core's data about a wallet.
type facts struct {
	txs      map[string]*coreTx // known transactions, by txid
	tip      string
	spenders map[btc.Outpoint][]string // txids of known transactions, by the output that they spend
	unspent  map[btc.Outpoint]btc.Amount
	locked   map[btc.Outpoint]bool
	balances struct {
		Mine struct {
			Trusted          btc.JSONBTC
			UntrustedPending btc.JSONBTC `json:"untrusted_pending"`
			Immature         btc.JSONBTC
		}
	}
}

// ask gets the facts for a check from Core in one request.
func (h *histories) ask(s *testWallet) (*facts, error) {
	requests := []request{
		{"getbestblockhash", nil},
		{"getrawmempool", nil},
		{"listunspent", []any{0}},
		{"listlockunspent", nil},
		{"getbalances", nil},
	}
	for _, txid := range s.txids {
		requests = append(requests, request{"gettransaction", []any{txid}})
	}
	answers, err := h.chain.batch(s.coreName, requests)
	if err != nil {
		return nil, err
	}
	f := &facts{txs: map[string]*coreTx{}, spenders: map[btc.Outpoint][]string{}, unspent: map[btc.Outpoint]btc.Amount{}, locked: map[btc.Outpoint]bool{}}
	var pool []string
	var unspent []struct {
		Txid   string
		Vout   uint32
		Amount btc.JSONBTC
	}
	var locked []btc.Outpoint
	for i, into := range []any{&f.tip, &pool, &unspent, &locked, &f.balances} {
		if answers[i].Error != nil {
			return nil, answers[i].Error
		}
		if err := json.Unmarshal(answers[i].Result, into); err != nil {
			return nil, err
		}
	}
	for _, u := range unspent {
		f.unspent[btc.Outpoint{Txid: u.Txid, Vout: u.Vout}] = btc.Amount(u.Amount)
	}
	for _, at := range locked {
		f.locked[at] = true
	}
	inPool := map[string]bool{}
	for _, txid := range pool {
		inPool[txid] = true
	}
	for i, a := range answers[5:] {
		if a.Error != nil {
			continue // the wallet does not know the transaction
		}
		txid := s.txids[i]
		t := &coreTx{tx: s.txs[txid], inMempool: inPool[txid]}
		if err := json.Unmarshal(a.Result, t); err != nil {
			return nil, err
		}
		f.txs[txid] = t
		for _, in := range t.tx.TxIn {
			at := outpointOf(in.PreviousOutPoint)
			f.spenders[at] = append(f.spenders[at], txid)
		}
	}
	return f, nil
}

// dead reports whether an output can no longer exist: its transaction is gone, or is
// outside the mempool and depends on a transaction that is gone.
func (f *facts) dead(at btc.Outpoint) bool {
	t := f.txs[at.Txid]
	if t == nil { // not a transaction of the wallet
		return false
	}
	if t.gone() {
		return true
	}
	if t.Confirmations > 0 || t.inMempool {
		return false
	}
	return slices.ContainsFunc(t.tx.TxIn, func(in *wire.TxIn) bool { return f.dead(outpointOf(in.PreviousOutPoint)) })
}

// spent reports whether Core's wallet considers an output spent.
func (f *facts) spent(at btc.Outpoint) bool {
	return slices.ContainsFunc(f.spenders[at], func(txid string) bool { return !f.txs[txid].gone() })
}
