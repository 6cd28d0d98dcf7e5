// Package nodestatus provides the current status of the node: whether it responds,
// whether it is on the chain of the database, and the information that it last
// reported. The connection belongs to package rpcclient, and wallets and blocks to
// package indexer; this package stores nothing.
//
// Invariant: reading the status never waits for the node, and the last reported
// information stays available with its time after the node has become unreachable.
package nodestatus

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// RPC is the required part of a *rpcclient.Client. It should be a separate client
// with a timeout of about ten seconds, so that polls do not queue behind other
// calls and a node that hangs is detected.
type RPC interface {
	Batch(ctx context.Context, reqs []rpcclient.Request) error
}

// Identity decides whether a node is on the chain of the database. At the very
// first contact it adopts the node's chain.
type Identity interface {
	// CheckChain returns ErrWrongChain, or a fault with that code, if chain or genesis,
	// the hash of block 0, does not match the database.
	CheckChain(ctx context.Context, chain, genesis string) error
}

// ErrWrongChain is returned while the node is on another chain than the database. The
// error persists until an operator corrects the configuration of the node or of specterd.
var ErrWrongChain = fault.New(fault.Unavailable, "wrong_chain",
	"the Bitcoin node is on another chain than this database was created for")

const (
	retryAfter     = 5 * time.Second
	syncRetryAfter = time.Minute
	// maxTipAge is the age of the best block from which on the node is considered to be
	// behind. Two blocks are almost never further apart.
	maxTipAge = 4 * time.Hour
)

// Status is the status of the node at a point in time.
type Status struct {
	// Reachable reports whether the last poll succeeded.
	Reachable bool
	// Problem is the reason why the node must not be used, or nil: one of
	// rpcclient's faults, ErrWrongChain, ErrWalletDisabled, or node_unavailable if
	// the chain could not be checked. Initial block download is not a problem here;
	// see [Status.Ready].
	Problem *fault.Error
	// CheckedAt is the end of the last poll, and LastContact the end of the last
	// successful one; zero without one.
	CheckedAt, LastContact time.Time
	// Fees are the last estimates, at most half a minute older than CheckedAt while
	// the node is reachable.
	Fees   Fees
	access access
	// Snapshot is the state at LastContact. If Problem is ErrWrongChain, it
	// describes that other chain.
	Snapshot
}

// Unusable returns the reason why wallet methods must not be called, or nil. Unlike
// Ready, it ignores the initial block download.
func (s Status) Unusable() error {
	if s.Problem == nil {
		return nil
	}
	return s.Problem
}

// Ready returns nil if the node is reachable, on the right chain and not in its
// initial block download. Otherwise it returns an Unavailable fault with the code
// of Problem or node_syncing, and a retry time.
func (s Status) Ready() *fault.Error {
	p := s.Problem
	switch {
	case p == nil && s.InitialBlockDownload:
		return fault.New(fault.Unavailable, "node_syncing",
			"the Bitcoin node is in its initial block download, at block %d of at least %d; wait until it has caught up",
			s.Blocks, s.Headers).WithRetryAfter(syncRetryAfter)
	case p == nil:
		return nil
	case p.Kind == fault.Unavailable && p.RetryAfter > 0:
		return p
	default:
		return fault.New(fault.Unavailable, p.Code, "%s", p.Message).WithRetryAfter(retryAfter).WithCause(p.Unwrap())
	}
}

// Behind returns the reason why a usable node has not all blocks, or nil: Ready's fault
// node_syncing, or node_behind if its best block is older than four hours. On regtest,
// blocks may have any age.
func (s Status) Behind() *fault.Error {
	age := s.CheckedAt.Sub(s.Time)
	switch {
	case s.Problem == nil && s.InitialBlockDownload:
		return s.Ready()
	case s.Problem == nil && s.Chain != "regtest" && age > maxTipAge:
		return fault.New(fault.Unavailable, "node_behind",
			"the last block of the Bitcoin node, %d, is %d hours old; check its connections", s.Blocks, int(age.Hours())).WithRetryAfter(syncRetryAfter)
	}
	return nil
}
