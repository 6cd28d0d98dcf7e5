// Package backend is what the RPC of Bitcoin Core and Knots says, as Go values: the
// chain, the mempool and descriptor wallets. It knows which methods there are,
// what their results and error codes mean, and which may be asked again. It
// does not own the connection (package bitcoind), keeps nothing, and decides
// nothing about wallets.
//
// The invariant: amounts are exact, and a call that changes something at the
// node is sent once.
//
// Names of methods, members and codes are those of Core's RPC documentation.
// Where nothing else is said, errors are the faults of package bitcoind,
// ctx.Err(), and *rpcclient.RPCError for refusals that are not told apart here.
package backend

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// noLimit is the time limit of calls that only their context ends.
const noLimit = 10 * 365 * 24 * time.Hour

// Reads that the node refuses to look at for the moment are asked again after
// patience, and after twice as long each time, for about three seconds in all.
const (
	patience = 50 * time.Millisecond
	tries    = 7
)

// Node is what a node says of its chain, its mempool and its wallets. It is safe
// for concurrent use.
type Node struct{ caller }

// New returns the node at the other end of rpc, which is a client without a
// wallet.
func New(rpc *rpcclient.Client) *Node { return &Node{caller{rpc}} }

// Wallet returns the node's wallet of that name, whether or not there is one.
func (n *Node) Wallet(name string) *Wallet {
	return &Wallet{caller: caller{n.rpc.Wallet(name)}, name: name}
}

// Wallet is one descriptor wallet of a node. All its methods return
// ErrWalletNotLoaded where the node has none of that name loaded. It is safe for
// concurrent use.
type Wallet struct {
	caller

	name string
}

// Name is the wallet's name at the node.
func (w *Wallet) Name() string { return w.name }

// caller makes calls. Out and params are as for [rpcclient.Client.Call].
type caller struct{ rpc *rpcclient.Client }

// write calls a method that changes something.
func (c caller) write(ctx context.Context, out any, method string, params ...any) error {
	return meaning(call(ctx, c.rpc, out, method, params...))
}

// call calls a method and leaves refusals as they are, except that a node without
// wallets returns nodestatus.ErrWalletDisabled.
func call(ctx context.Context, rpc *rpcclient.Client, out any, method string, params ...any) error {
	return unlessDisabled(rpc.Call(ctx, method, params, out))
}

// unlessDisabled returns nodestatus.ErrWalletDisabled for the refusal of a node that has
// no method of that name because it runs without wallets.
func unlessDisabled(err error) error {
	e, ok := errors.AsType[*rpcclient.RPCError](err)
	if ok && e.Code == rpcclient.CodeMethodNotFound && nodestatus.IsWalletMethod(e.Method) {
		return nodestatus.ErrWalletDisabled.Because(err)
	}
	return err
}

// read calls a method that changes nothing, more than once where that helps.
func (c caller) read(ctx context.Context, out any, method string, params ...any) error {
	return again(ctx, func() error { return c.write(ctx, out, method, params...) })
}

// batch makes calls, and returns an error where all of them failed for the same
// reason: no answer, or no such wallet.
func (c caller) batch(ctx context.Context, reqs []rpcclient.Request) error {
	if err := c.rpc.Batch(ctx, reqs); err != nil {
		return err
	}
	for i := range reqs {
		reqs[i].Err = meaning(unlessDisabled(reqs[i].Err))
		if errors.Is(reqs[i].Err, ErrWalletNotLoaded) || errors.Is(reqs[i].Err, rpcclient.ErrNotNow) {
			return reqs[i].Err
		}
	}
	return nil
}

// readBatch makes calls that change nothing, as batch does. Their Out must not
// mind to be written to again.
func (c caller) readBatch(ctx context.Context, reqs []rpcclient.Request) error {
	return again(ctx, func() error { return c.batch(ctx, reqs) })
}

// again does what reads until the node looks at it.
func again(ctx context.Context, do func() error) error {
	wait := patience
	for range tries - 1 {
		err := do()
		if !errors.Is(err, rpcclient.ErrNotNow) {
			return err
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)): //nolint:gosec // jitter, not a secret
		case <-ctx.Done():
			return err
		}
		wait *= 2
	}
	return do()
}
