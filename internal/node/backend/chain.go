package backend

import (
	"context"
	"errors"
	"sort"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/wallet"
)

// Block identifies a block of the chain. The height of the genesis block is 0;
// hashes are 64 lower-case hexadecimal digits in display order.
type Block struct {
	Hash   string
	Height int64
}

// Header is a block header (getblockheader).
type Header struct {
	Block

	// Time is the miner's timestamp. MedianTime is the median of the last eleven
	// timestamps, including this one; it never decreases along the chain (BIP 113).
	Time, MedianTime time.Time
	// Prev is the hash of the previous block; empty for the genesis block.
	Prev string
	// Confirmations is 1 for the tip, and -1 for a block that is not in the chain.
	Confirmations int64
}

// pingTime is the time limit for a ping of the node.
const pingTime = 1500 * time.Millisecond

// ping calls a cheap method (uptime). It returns an error unless the node responds within
// pingTime.
func (n *Node) ping(ctx context.Context) error {
	return caller{n.rpc.WithTimeout(pingTime)}.write(ctx, nil, "uptime")
}

// Tip returns the last block of the chain (getblockchaininfo).
func (n *Node) Tip(ctx context.Context) (Block, error) {
	var tip struct {
		Hash   string `json:"bestblockhash"`
		Height int64  `json:"blocks"`
	}
	if err := n.read(ctx, &tip, "getblockchaininfo"); err != nil {
		return Block{}, err
	}
	return checkBlock(tip.Hash, tip.Height)
}

// BlockHash returns the hash of the block at that height of the chain. It returns
// ErrBlockNotFound beyond the tip.
func (n *Node) BlockHash(ctx context.Context, height int64) (string, error) {
	var hash string
	err := n.read(ctx, &hash, "getblockhash", height)
	if refused(err, rpcclient.CodeInvalidValue, "out of range") {
		return "", ErrBlockNotFound.WithCause(err)
	}
	if err != nil {
		return "", err
	}
	block, err := checkBlock(hash, height)
	return block.Hash, err
}

// BlockHeader returns the header of a block, which need not be in the chain. It
// returns ErrBlockNotFound for an unknown hash.
func (n *Node) BlockHeader(ctx context.Context, hash string) (Header, error) {
	var wire struct {
		Hash          string `json:"hash"`
		Height        int64  `json:"height"`
		Time          int64  `json:"time"`
		MedianTime    int64  `json:"mediantime"`
		Prev          string `json:"previousblockhash"`
		Confirmations int64  `json:"confirmations"`
	}
	err := n.read(ctx, &wire, "getblockheader", hash)
	if refused(err, rpcclient.CodeInvalidAddress, "") {
		return Header{}, ErrBlockNotFound.WithCause(err)
	}
	if err != nil {
		return Header{}, err
	}
	block, err := checkBlock(wire.Hash, wire.Height)
	return Header{
		Block:         block,
		Time:          unix(wire.Time),
		MedianTime:    unix(wire.MedianTime),
		Prev:          wire.Prev,
		Confirmations: wire.Confirmations,
	}, err
}

// timeWindow is the maximum deviation of a block's timestamp that Core assumes when
// it rescans (TIMESTAMP_WINDOW).
const timeWindow = 2 * time.Hour

// HeightAt returns the height at which a rescan must start for a wallet that was first
// used at t or later: the height of the first block with a timestamp of at least t minus
// two hours, or of the tip if all blocks are older. It requests the headers of a binary
// search and of up to eleven more blocks.
func (n *Node) HeightAt(ctx context.Context, t time.Time) (int64, error) {
	tip, err := n.Tip(ctx)
	if err != nil {
		return 0, err
	}
	from := t.Add(-timeWindow)
	// Timestamps of blocks may decrease slightly; median times never do.
	found := sort.Search(int(tip.Height), func(height int) bool {
		var h Header
		if err == nil {
			h, err = n.HeaderAt(ctx, int64(height))
		}
		return err == nil && !h.MedianTime.Before(from)
	})
	if err != nil {
		return 0, err
	}
	return n.firstSince(ctx, from, int64(found))
}

// firstSince searches the eleven blocks that end at height. It returns the height of the
// first one with a timestamp of at least from, or height if none has such a timestamp.
func (n *Node) firstSince(ctx context.Context, from time.Time, height int64) (int64, error) {
	first := height
	h, err := n.HeaderAt(ctx, height)
	for range 10 {
		if err != nil || h.Prev == "" {
			break
		}
		if h, err = n.BlockHeader(ctx, h.Prev); !h.Time.Before(from) {
			first = h.Height
		}
	}
	return first, err
}

// HeaderAt returns the header of the block at a height. It returns ErrBlockNotFound
// beyond the tip.
func (n *Node) HeaderAt(ctx context.Context, height int64) (Header, error) {
	hash, err := n.BlockHash(ctx, height)
	if err != nil {
		return Header{}, err
	}
	return n.BlockHeader(ctx, hash)
}

// Time returns the time of the node's clock (getnettotals).
func (n *Node) Time(ctx context.Context) (time.Time, error) {
	var wire struct {
		Millis *int64 `json:"timemillis"`
	}
	if err := n.read(ctx, &wire, "getnettotals"); err != nil {
		return time.Time{}, err
	}
	if wire.Millis == nil {
		return time.Time{}, rpcclient.ErrInvalidResponse.WithCause(errors.New("getnettotals without timemillis"))
	}
	return time.UnixMilli(*wire.Millis), nil
}

// EstimateFee implements proposal.Node.
func (p *Provider) EstimateFee(ctx context.Context, _ wallet.NodeWallet, targetBlocks int) (estimate, minimum btc.FeeRate, err error) {
	err = p.watched(ctx, func(ctx context.Context) (err error) {
		if minimum, err = p.node.MempoolMinimum(ctx); err != nil {
			return err
		}
		estimate, err = p.node.EstimateFee(ctx, targetBlocks)
		return err
	})
	return estimate, minimum, err
}

// EstimateFee returns the node's estimate of the fee rate for a confirmation within
// targetBlocks, from 1 to 1008 (estimatesmartfee, economical). It returns 0 if the node
// has no estimate or refuses the call, as with -blocksonly.
func (n *Node) EstimateFee(ctx context.Context, targetBlocks int) (btc.FeeRate, error) {
	var wire struct {
		FeeRate btc.JSONBTC `json:"feerate"`
	}
	const mode = "economical"
	err := n.read(ctx, &wire, "estimatesmartfee", targetBlocks, mode)
	switch {
	case isRefusal(err):
		return 0, nil
	case err == nil && wire.FeeRate < 0:
		return 0, invalidResponse("a negative fee rate")
	}
	return btc.FeeRate(wire.FeeRate), err
}

// MempoolMinimum returns the minimum fee rate of the mempool (getmempoolinfo).
func (n *Node) MempoolMinimum(ctx context.Context) (btc.FeeRate, error) {
	var wire struct {
		MempoolMinFee btc.JSONBTC `json:"mempoolminfee"`
	}
	err := n.read(ctx, &wire, "getmempoolinfo")
	return btc.FeeRate(wire.MempoolMinFee), err
}

// checkBlock returns the block, or ErrInvalidResponse if the hash is malformed or the
// height is negative.
func checkBlock(hash string, height int64) (Block, error) {
	if !isHash(hash) || height < 0 {
		return Block{}, invalidResponse("an impossible block")
	}
	return Block{Hash: hash, Height: height}, nil
}

// isHash reports whether s has the form of a block hash or txid in Core's output.
func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// unix converts a Unix time in whole seconds to UTC; 0 becomes the zero time.
func unix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
