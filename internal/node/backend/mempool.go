package backend

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// IncrementalFee implements proposal.Node.
func (p *Provider) IncrementalFee(wallet.NodeWallet) btc.FeeRate {
	return btc.FeeRate(p.status().IncrementalMinimum())
}

// RelayMinimum implements proposal.Node.
func (p *Provider) RelayMinimum(wallet.NodeWallet) btc.FeeRate {
	return btc.FeeRate(p.status().RelayMinimum())
}

// Evicted implements proposal.Node.
func (p *Provider) Evicted(ctx context.Context, _ wallet.NodeWallet, spent []btc.Outpoint) (evicted []proposal.MempoolTx, err error) {
	err = p.watched(ctx, func(ctx context.Context) error {
		evicted, err = p.node.evicted(ctx, spent)
		return err
	})
	return evicted, err
}

// evicted returns the transactions of the mempool that spend one of the outpoints
// (gettxspendingprevout, getmempoolentry), and all their descendants
// (getmempooldescendants), without duplicates.
func (n *Node) evicted(ctx context.Context, spent []btc.Outpoint) ([]proposal.MempoolTx, error) {
	if len(spent) == 0 {
		return nil, nil
	}
	var spenders []struct {
		Txid string `json:"spendingtxid"`
	}
	if err := n.read(ctx, &spenders, "gettxspendingprevout", outpoints(spent)); err != nil {
		return nil, err
	}
	direct := map[string]bool{}
	var reqs []rpcclient.Request
	for _, s := range spenders {
		if s.Txid == "" || direct[s.Txid] {
			continue
		}
		direct[s.Txid] = true
		const verbose = true
		reqs = append(reqs,
			rpcclient.Request{Method: "getmempoolentry", Params: []any{s.Txid}, Out: new(mempoolEntry)},
			rpcclient.Request{Method: "getmempooldescendants", Params: []any{s.Txid, verbose}, Out: new(map[string]mempoolEntry)})
	}
	if len(reqs) == 0 {
		return nil, nil
	}
	if err := n.readBatch(ctx, reqs); err != nil {
		return nil, err
	}
	var evicted []proposal.MempoolTx
	known := map[string]bool{}
	add := func(txid string, e mempoolEntry) {
		if !known[txid] {
			known[txid] = true
			evicted = append(evicted, proposal.MempoolTx{Txid: txid, Fee: btc.Amount(e.Fees.Modified), VSize: e.VSize, Direct: direct[txid]})
		}
	}
	for _, r := range reqs {
		if refused(r.Err, rpcclient.CodeInvalidAddress, "") { // the transaction has left the mempool
			continue
		}
		if r.Err != nil {
			return nil, r.Err
		}
		switch out := r.Out.(type) {
		case *mempoolEntry:
			add(r.Params[0].(string), *out) //nolint:forcetypeassert // set above
		case *map[string]mempoolEntry:
			for txid, e := range *out {
				add(txid, e)
			}
		}
	}
	return evicted, nil
}

// mempoolEntry is the result of getmempoolentry. The modified fee includes the delta of
// prioritisetransaction; Core's replacement rules use the modified fee.
type mempoolEntry struct {
	VSize int64 `json:"vsize"`
	Fees  struct {
		Modified btc.JSONBTC `json:"modified"`
	} `json:"fees"`
	Depends []string `json:"depends"`
}

// mempoolBatch is the maximum number of transactions per request.
const mempoolBatch = 500

// mempoolEntries returns the mempool entries of transactions (getmempoolentry, in
// batches); nil for transactions that are not in the mempool.
func (n *Node) mempoolEntries(ctx context.Context, txids []string) ([]*mempoolEntry, error) {
	entries := make([]*mempoolEntry, 0, len(txids))
	for part := range slices.Chunk(txids, mempoolBatch) {
		reqs := make([]rpcclient.Request, len(part))
		for i, txid := range part {
			reqs[i] = rpcclient.Request{Method: "getmempoolentry", Params: []any{txid}, Out: new(mempoolEntry)}
		}
		if err := n.readBatch(ctx, reqs); err != nil {
			return nil, err
		}
		for _, r := range reqs {
			switch {
			case refused(r.Err, rpcclient.CodeInvalidAddress, ""):
				entries = append(entries, nil)
			case r.Err != nil:
				return nil, r.Err
			default:
				entries = append(entries, r.Out.(*mempoolEntry)) //nolint:forcetypeassert // set above
			}
		}
	}
	return entries, nil
}

// InMempool reports for each of the transactions whether it is in the node's
// mempool.
func (n *Node) InMempool(ctx context.Context, txids []string) ([]bool, error) {
	entries, err := n.mempoolEntries(ctx, txids)
	if err != nil {
		return nil, err
	}
	in := make([]bool, len(entries))
	for i, e := range entries {
		in[i] = e != nil
	}
	return in, nil
}

const (
	// maxAncestry exceeds the number of ancestors that the inputs of a standard
	// transaction can have.
	maxAncestry = 5000
	// maxVSize is the maximum size of a block in virtual bytes.
	maxVSize = 1_000_000
)

// Ancestry implements proposal.Node.
func (p *Provider) Ancestry(ctx context.Context, _ wallet.NodeWallet, txids []string) (found map[string]proposal.MempoolTx, err error) {
	err = p.watched(ctx, func(ctx context.Context) error {
		found, err = p.node.ancestry(ctx, txids)
		return err
	})
	return found, err
}

func (n *Node) ancestry(ctx context.Context, txids []string) (map[string]proposal.MempoolTx, error) {
	found, asked := map[string]proposal.MempoolTx{}, map[string]bool{}
	for next := addNew(asked, txids); len(next) > 0; {
		if len(asked) > maxAncestry {
			return nil, invalidResponse("more than %d unconfirmed ancestors", maxAncestry)
		}
		entries, err := n.mempoolEntries(ctx, next)
		if err != nil {
			return nil, err
		}
		var parents []string
		for i, e := range entries {
			if e == nil {
				continue
			}
			if e.VSize < 1 || e.VSize > maxVSize {
				return nil, invalidResponse("a transaction of %d virtual bytes", e.VSize)
			}
			found[next[i]] = proposal.MempoolTx{Txid: next[i], Fee: btc.Amount(e.Fees.Modified), VSize: e.VSize, Parents: e.Depends}
			parents = append(parents, e.Depends...)
		}
		next = addNew(asked, parents)
	}
	return found, nil
}

// addNew returns the transactions in txids that are not in asked, without duplicates, and
// adds them to asked.
func addNew(asked map[string]bool, txids []string) (list []string) {
	for _, txid := range txids {
		if !asked[txid] {
			asked[txid] = true
			list = append(list, txid)
		}
	}
	return list
}

// Check implements proposal.Node.
func (p *Provider) Check(ctx context.Context, w wallet.NodeWallet, raw []byte) error {
	err := p.Test(ctx, w, raw)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(f, proposal.ErrRejected) {
		return err
	}
	return policyFault(f)
}

// policyReasons maps reasons of testmempoolaccept to faults; see MemPoolAccept in
// Core's src/validation.cpp. A nil fault marks a reason that does not prevent a
// transaction from being signed: missing signatures, which are checked last, and
// conditions of the current mempool.
var policyReasons = []struct {
	text  string
	fault *fault.Error
}{
	{"script-verify-flag", nil},
	{"mempool min fee not met", nil},
	{"mempool full", nil},
	{"non-final", nil},
	{"too-long-mempool-chain", ErrChainTooLong},
	{"too-large-cluster", ErrChainTooLong},
	{"dust", proposal.ErrAmountTooSmall},
	{"tx-size", ErrTooLarge},
	{"bad-txns-too-many-sigops", ErrTooLarge},
	{"min relay fee not met", proposal.ErrFeeRateTooLow},
	{"insufficient fee", proposal.ErrFeeRateTooLow},
	{"replacement-failed", proposal.ErrFeeRateTooLow},
	{"too many potential replacements", proposal.ErrTooManyEvictions},
	{"bad-txns-spends-conflicting-tx", ErrUTXOUnavailable},
	{"missing-inputs", ErrUTXOUnavailable},
	{"bad-txns-inputs-missingorspent", ErrUTXOUnavailable},
}

func policyFault(rejected *fault.Error) error {
	reason := rejected.Details["reject_reason"]
	for _, p := range policyReasons {
		if !strings.Contains(reason, p.text) {
			continue
		}
		if p.fault == nil {
			return nil
		}
		return p.fault.WithCause(rejected)
	}
	return rejected
}

// Abandon implements proposal.Node.
func (p *Provider) Abandon(ctx context.Context, w wallet.NodeWallet, txid string) error {
	return p.watched(ctx, func(ctx context.Context) error { return p.node.Wallet(w.Name).abandon(ctx, txid) })
}

// abandon marks a transaction that is not in the mempool, and its descendants, as
// abandoned, so that the wallet can spend their inputs again (abandontransaction). It
// does nothing for a transaction that the wallet does not have, and returns
// proposal.ErrNotAbandonable for a transaction that must not be abandoned, such as a
// confirmed one.
func (w *Wallet) abandon(ctx context.Context, txid string) error {
	err := w.write(ctx, nil, "abandontransaction", txid)
	if !refused(err, rpcclient.CodeInvalidAddress, "") {
		return err
	}
	if refused(err, rpcclient.CodeInvalidAddress, "not eligible") {
		return proposal.ErrNotAbandonable.WithCause(err)
	}
	return nil
}
