// Package nodestatus owns what is known of the node right now: whether it answers,
// whether it is on our chain, and what it last said of itself. It does not own
// the connection (package bitcoind), nor the wallets and blocks (package
// follower), and it stores nothing.
//
// The invariant: reading never waits for the node, and what it said last stays
// readable after it went away, with the time of that.
package nodestatus

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// RPC is what is needed of a *rpcclient.Client. It should be a client of its
// own, with a timeout of about ten seconds, so that polls do not queue behind
// the calls of others and a node that hangs is noticed.
type RPC interface {
	Batch(ctx context.Context, reqs []rpcclient.Request) error
}

// Identity decides whether a node is on the chain that this program's data is
// about. At the first contact ever it takes the chain as given.
type Identity interface {
	// CheckChain returns ErrWrongChain, or a fault of that code, where chain and
	// the hash of block 0 are not those of the data.
	CheckChain(ctx context.Context, chain, genesis string) error
}

// ErrWrongChain says that the node is on another chain than the data. It lasts
// until someone sets the node or the database right.
var ErrWrongChain = fault.New(fault.Unavailable, "wrong_chain",
	"the Bitcoin node is on another chain than this database was made for")

const (
	retryAfter     = 5 * time.Second
	syncRetryAfter = time.Minute
)

// Status is what is known of the node at a moment.
type Status struct {
	// Reachable is whether the last poll brought a snapshot.
	Reachable bool
	// Problem is why the node must not be used, and nil where it may be: one of
	// bitcoind's faults, ErrWrongChain, ErrWalletDisabled, or node_unavailable where
	// the chain could not be checked. Initial block download is none; see [Status.Ready].
	Problem *fault.Error
	// CheckedAt is when the last poll ended, and LastContact when the last one
	// ended that brought a snapshot; zero where there was none.
	CheckedAt, LastContact time.Time
	// Fees are what was estimated last, half a minute before CheckedAt at most
	// while the node is reachable.
	Fees   Fees
	access access
	// Snapshot is of LastContact. Where Problem is ErrWrongChain it is about that
	// other chain.
	Snapshot
}

// Unusable returns why the node is not to be asked about wallets, or nil. Unlike
// Ready it does not mind the initial block download.
func (s Status) Unusable() error {
	if s.Problem == nil {
		return nil
	}
	return s.Problem
}

// Ready returns nil where the node is reachable, on our chain and not in its
// initial block download. Otherwise it returns an Unavailable fault that says
// which, with the code of Problem or node_syncing, and when to ask again.
func (s Status) Ready() *fault.Error {
	p := s.Problem
	switch {
	case p == nil && s.InitialBlockDownload:
		return fault.New(fault.Unavailable, "node_syncing",
			"the Bitcoin node is in its initial block download, at block %d of at least %d; wait until it has caught up",
			s.Blocks, s.Headers).After(syncRetryAfter)
	case p == nil:
		return nil
	case p.Kind == fault.Unavailable && p.RetryAfter > 0:
		return p
	default:
		return fault.New(fault.Unavailable, p.Code, "%s", p.Message).After(retryAfter).Because(p.Unwrap())
	}
}
