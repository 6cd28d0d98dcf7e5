package backend

import (
	"context"
	"encoding/hex"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

var _ proposal.Outputs = (*Provider)(nil)

// Origin implements proposal.Outputs.
func (p *Provider) Origin(ctx context.Context, _ wallet.NodeWallet, at btc.Outpoint) (raw []byte, err error) {
	err = p.watched(ctx, func(ctx context.Context) error {
		raw, err = p.node.origin(ctx, at)
		return err
	})
	return raw, err
}

// Spender implements proposal.Outputs.
func (p *Provider) Spender(ctx context.Context, _ wallet.NodeWallet, at btc.Outpoint) (raw []byte, err error) {
	err = p.watched(ctx, func(ctx context.Context) error {
		raw, err = p.node.spender(ctx, at)
		return err
	})
	return raw, err
}

// origin implements Provider.Origin. It determines the block first, because a node
// without a transaction index finds a transaction only in a given block. It returns nil
// if the node has pruned the block, and wallet.ErrUTXONotFound if the output is unknown
// or spent.
func (n *Node) origin(ctx context.Context, at btc.Outpoint) ([]byte, error) {
	var out *struct {
		BestBlock     string `json:"bestblock"`
		Confirmations int64  `json:"confirmations"`
	}
	const includeMempool = true
	if err := n.read(ctx, &out, "gettxout", at.Txid, at.Vout, includeMempool); err != nil {
		return nil, err
	}
	var block []any
	switch {
	case out == nil:
		return nil, wallet.ErrUTXONotFound
	case out.Confirmations > 0:
		best, err := n.BlockHeader(ctx, out.BestBlock)
		if err != nil {
			return nil, err
		}
		hash, err := n.BlockHash(ctx, best.Height-out.Confirmations+1)
		if err != nil {
			return nil, err
		}
		block = []any{hash}
	}
	raw, err := n.rawTransaction(ctx, at.Txid, block...)
	if refused(err, rpcclient.CodeMisc, "not available") { // pruned
		return nil, nil
	}
	return raw, err
}

// spender returns the transaction in the mempool that spends an output, or nil.
func (n *Node) spender(ctx context.Context, at btc.Outpoint) ([]byte, error) {
	var wire []struct {
		Txid string `json:"spendingtxid"`
	}
	if err := n.read(ctx, &wire, "gettxspendingprevout", outpoints{at}); err != nil {
		return nil, err
	}
	if len(wire) != 1 || wire[0].Txid == "" {
		return nil, nil
	}
	raw, err := n.rawTransaction(ctx, wire[0].Txid)
	if refused(err, rpcclient.CodeInvalidAddress, "") { // the transaction has left the mempool
		return nil, nil
	}
	return raw, err
}

// rawTransaction returns a transaction of the mempool, or of the given block
// (getrawtransaction).
func (n *Node) rawTransaction(ctx context.Context, txid string, block ...any) ([]byte, error) {
	const verbose = false
	var digits string
	if err := n.read(ctx, &digits, "getrawtransaction", append([]any{txid, verbose}, block...)...); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return nil, invalidResponse("a transaction that is not in hexadecimal")
	}
	return raw, nil
}
