// Package backend is a typed client of the RPC interface of Bitcoin Core and Knots:
// chain, mempool and descriptor wallets, and an adapter to the interfaces of the domain
// packages. It knows the methods, the meaning of their results and error codes, and which
// calls may be repeated. Package rpcclient manages the connections; this package stores
// nothing, and makes no decisions about wallets.
//
// Invariant: amounts are exact, and a call that changes state at the node is sent only
// once.
//
// See Core's RPC documentation for the meaning of RPC methods, fields and codes. Unless
// documented otherwise, errors are the faults of package rpcclient, ctx.Err(), and
// *rpcclient.RPCError for errors that this package does not distinguish.
package backend

import (
	"context"
	"errors"
	"time"

	"github.com/specterd/specterd/internal/backoff"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// noLimit is the timeout of calls that are limited only by their context.
const noLimit = 10 * 365 * 24 * time.Hour

// The delays between the attempts of a read that the node rejects temporarily, and the
// maximum number of attempts. The delays take about three seconds in total.
const (
	minRetryDelay = 50 * time.Millisecond
	maxRetryDelay = 1600 * time.Millisecond
	maxAttempts   = 7
)

// Node provides a node's chain, mempool and wallets. It is safe for concurrent use.
type Node struct{ caller }

// New returns a Node that makes its calls with rpc, which must be a client without a
// wallet.
func New(rpc *rpcclient.Client) *Node { return &Node{caller{rpc}} }

// Wallet returns a client of the node's wallet of that name, without checking whether
// the wallet exists.
func (n *Node) Wallet(name string) *Wallet {
	return &Wallet{caller: caller{n.rpc.Wallet(name)}, name: name}
}

// Wallet is a descriptor wallet of a node. All its methods return
// ErrWalletNotLoaded if the node has no wallet of that name loaded. It is safe for
// concurrent use.
type Wallet struct {
	caller

	name string
}

// Name returns the wallet's name at the node.
func (w *Wallet) Name() string { return w.name }

// caller calls RPC methods. The arguments out and params are described in
// [rpcclient.Client.Call].
type caller struct{ rpc *rpcclient.Client }

// write calls a method that changes state.
func (c caller) write(ctx context.Context, out any, method string, params ...any) error {
	return commonFault(call(ctx, c.rpc, out, method, params...))
}

// call calls a method and returns errors unchanged, except that it returns
// nodestatus.ErrWalletDisabled for a node without wallet support.
func call(ctx context.Context, rpc *rpcclient.Client, out any, method string, params ...any) error {
	return unlessDisabled(rpc.Call(ctx, method, params, out))
}

// unlessDisabled returns nodestatus.ErrWalletDisabled if err means that the node lacks a
// wallet method because it runs with -disablewallet. It returns other errors unchanged.
func unlessDisabled(err error) error {
	e, ok := errors.AsType[*rpcclient.RPCError](err)
	if ok && e.Code == rpcclient.CodeMethodNotFound && nodestatus.IsWalletMethod(e.Method) {
		return nodestatus.ErrWalletDisabled.WithCause(err)
	}
	return err
}

// read calls a method that changes nothing, and repeats the call if the node rejects
// it temporarily.
func (c caller) read(ctx context.Context, out any, method string, params ...any) error {
	return retryRead(ctx, func() error { return c.write(ctx, out, method, params...) })
}

// batch makes calls in one request and sets the Err of each. It returns an error if
// the response is missing or invalid, the wallet is not loaded, or the node rejects a
// call temporarily.
func (c caller) batch(ctx context.Context, reqs []rpcclient.Request) error {
	if err := c.rpc.Batch(ctx, reqs); err != nil {
		return err
	}
	for i := range reqs {
		reqs[i].Err = commonFault(unlessDisabled(reqs[i].Err))
		if errors.Is(reqs[i].Err, ErrWalletNotLoaded) || errors.Is(reqs[i].Err, rpcclient.ErrNotNow) {
			return reqs[i].Err
		}
	}
	return nil
}

// readBatch is like batch for calls that change nothing. If the node rejects one of them
// temporarily, readBatch repeats the whole batch, so the Out of a call may be written
// several times.
func (c caller) readBatch(ctx context.Context, reqs []rpcclient.Request) error {
	return retryRead(ctx, func() error { return c.batch(ctx, reqs) })
}

// retryRead calls do, which must be read-only, up to maxAttempts times while it returns
// rpcclient.ErrNotNow. If ctx ends during a delay, it returns the last error of do, not
// ctx.Err().
func retryRead(ctx context.Context, do func() error) error {
	isTemporary := func(err error) bool { return errors.Is(err, rpcclient.ErrNotNow) }
	return backoff.New(minRetryDelay, maxRetryDelay).Retry(ctx, maxAttempts, isTemporary, func(int) error { return do() })
}
