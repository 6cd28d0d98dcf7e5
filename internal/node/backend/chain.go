package backend

import (
	"context"
	"errors"
	"sort"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// Block names a block of the chain. Heights count from the genesis block, which
// is 0; hashes are 64 lower-case hexadecimal digits, in the order that people
// read.
type Block struct {
	Hash   string
	Height int64
}

// Header is what a block says of itself (getblockheader).
type Header struct {
	Block

	// Time is when its miner says it was made, and MedianTime the median of the
	// eleven blocks that end with it, which never falls (BIP 113).
	Time, MedianTime time.Time
	// Prev is the hash of the block before; empty for the genesis block.
	Prev string
	// Confirmations is 1 for the tip, and -1 for a block that is not in the chain.
	Confirmations int64
}

// pingTime is how long a node may take to say that it is there.
const pingTime = 1500 * time.Millisecond

// ping returns nil where the node answers at once.
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

// BlockHash returns the hash of the block of the chain at that height. It
// returns ErrBlockNotFound beyond the tip.
func (n *Node) BlockHash(ctx context.Context, height int64) (string, error) {
	var hash string
	err := n.read(ctx, &hash, "getblockhash", height)
	if refused(err, rpcclient.CodeInvalidValue, "out of range") {
		return "", ErrBlockNotFound.Because(err)
	}
	if err != nil {
		return "", err
	}
	block, err := checkBlock(hash, height)
	return block.Hash, err
}

// BlockHeader returns the header of a block, in the chain or not. It returns
// ErrBlockNotFound for a hash that the node does not know.
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
		return Header{}, ErrBlockNotFound.Because(err)
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

// timeWindow is how far the time in a block may be from when it was made, as
// Core takes it when it rescans (TIMESTAMP_WINDOW).
const timeWindow = 2 * time.Hour

// HeightAt returns from which height on a wallet must be scanned that was not
// used before t: that of the first block whose own time is not before t less two
// hours, or that of the tip where all blocks are older. It asks for the headers
// of some twenty blocks, more in a long chain.
func (n *Node) HeightAt(ctx context.Context, t time.Time) (int64, error) {
	tip, err := n.Tip(ctx)
	if err != nil {
		return 0, err
	}
	from := t.Add(-timeWindow)
	// Blocks' own times go up and down a little, their median times only up.
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

// firstSince returns the height of the first block of time from or later among
// the eleven that end at height, or height where there is none.
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
// for one beyond the tip.
func (n *Node) HeaderAt(ctx context.Context, height int64) (Header, error) {
	hash, err := n.BlockHash(ctx, height)
	if err != nil {
		return Header{}, err
	}
	return n.BlockHeader(ctx, hash)
}

// Time returns what the node's clock says (getnettotals).
func (n *Node) Time(ctx context.Context) (time.Time, error) {
	var wire struct {
		Millis *int64 `json:"timemillis"`
	}
	if err := n.read(ctx, &wire, "getnettotals"); err != nil {
		return time.Time{}, err
	}
	if wire.Millis == nil {
		return time.Time{}, rpcclient.ErrBadAnswer.Because(errors.New("getnettotals without timemillis"))
	}
	return time.UnixMilli(*wire.Millis), nil
}

// EstimateFee implements proposal.Node.
func (p *Provider) EstimateFee(ctx context.Context, targetBlocks int) (estimate, minimum btc.FeeRate, err error) {
	err = p.watched(ctx, func(ctx context.Context) (err error) {
		if minimum, err = p.node.MempoolMinimum(ctx); err != nil {
			return err
		}
		estimate, err = p.node.EstimateFee(ctx, targetBlocks)
		return err
	})
	return estimate, minimum, err
}

// EstimateFee returns the fee rate with which the node expects a transaction to be
// confirmed within a number of blocks, 1 to 1008 (estimatesmartfee, economical); 0 if
// it has no estimate, or makes none at all, as with -blocksonly.
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
		return 0, badAnswer("a fee rate below zero")
	}
	return btc.FeeRate(wire.FeeRate), err
}

// MempoolMinimum returns the fee rate below which nothing is accepted into the
// mempool (getmempoolinfo).
func (n *Node) MempoolMinimum(ctx context.Context) (btc.FeeRate, error) {
	var wire struct {
		MempoolMinFee btc.JSONBTC `json:"mempoolminfee"`
	}
	err := n.read(ctx, &wire, "getmempoolinfo")
	return btc.FeeRate(wire.MempoolMinFee), err
}

// checkBlock returns a block whose hash is one.
func checkBlock(hash string, height int64) (Block, error) {
	if !isHash(hash) || height < 0 {
		return Block{}, badAnswer("a block that cannot be")
	}
	return Block{Hash: hash, Height: height}, nil
}

// isHash reports whether s is what Core writes for the hash of a block or a
// transaction.
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

// unix is a point in time as Core writes it, in whole seconds; zero for none.
func unix(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
