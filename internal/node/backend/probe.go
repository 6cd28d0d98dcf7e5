package backend

import (
	"context"
	"errors"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// ErrProbeTooLong is returned if the wallet's history since the given block exceeds
// the limit of a probe; use [Wallet.ListSinceBlock] instead.
var ErrProbeTooLong = fault.New(fault.Internal, "probe_too_long", "the changes of this wallet exceed the limit of a probe")

// Probe is the state of a wallet and its changes since a block. The node reads the parts
// one after the other, in the order of the fields, so later parts may be newer.
type Probe struct {
	Info   Info
	Locked []btc.Outpoint
	// Entries and LastBlock are described at [Wallet.ListSinceBlock].
	Entries   []Entry
	LastBlock string
}

// Probe requests the state of a wallet and its changes since the block with that
// hash, in one request. It returns ErrProbeTooLong if the response exceeds maxAnswer
// bytes, and ErrBlockNotFound.
func (w *Wallet) Probe(ctx context.Context, hash string, maxAnswer int64) (p Probe, err error) {
	small := caller{w.rpc.WithMaxAnswer(maxAnswer)}
	err = retryRead(ctx, func() error {
		p, err = small.probe(ctx, hash)
		return err
	})
	if errors.Is(err, rpcclient.ErrTooLong) {
		err = ErrProbeTooLong.WithCause(err)
	}
	return p, err
}

func (c caller) probe(ctx context.Context, hash string) (p Probe, err error) {
	var info wireInfo
	since := sinceReader{visit: func(e Entry) error {
		p.Entries = append(p.Entries, e)
		return nil
	}}
	reqs := []rpcclient.Request{
		{Method: "getwalletinfo", Out: &info},
		{Method: "listlockunspent", Out: (*outpoints)(&p.Locked)},
		{Method: "listsinceblock", Params: sinceParams(hash), Out: &since},
	}
	if err := c.batch(ctx, reqs); err != nil {
		return Probe{}, err
	}
	if err := errors.Join(reqs[0].Err, reqs[1].Err); err != nil {
		return Probe{}, err
	}
	p.Info = Info(info)
	p.LastBlock, err = since.outcome(reqs[2].Err)
	return p, err
}
