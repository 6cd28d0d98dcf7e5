package backend

import (
	"context"
	"errors"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// ErrProbeTooLong says that there is more in the wallet's history since that
// block than was allowed for: [Wallet.ListSinceBlock] has it.
var ErrProbeTooLong = fault.New(fault.Internal, "probe_too_long", "there is more new in this wallet than a probe may bring")

// Probe is what is new in a wallet. The node looked at its parts one after the
// other: what comes later may be later.
type Probe struct {
	Info   Info
	Locked []btc.Outpoint
	// Entries and LastBlock are as of [Wallet.ListSinceBlock].
	Entries   []Entry
	LastBlock string
}

// Probe asks for everything that changes in a wallet by itself, in one request,
// whose answer may have maxAnswer bytes. It returns ErrProbeTooLong where it has
// more, and ErrBlockNotFound.
func (w *Wallet) Probe(ctx context.Context, hash string, maxAnswer int64) (p Probe, err error) {
	small := caller{w.rpc.WithMaxAnswer(maxAnswer)}
	err = again(ctx, func() error {
		p, err = small.probe(ctx, hash)
		return err
	})
	if errors.Is(err, rpcclient.ErrTooLong) {
		err = ErrProbeTooLong.Because(err)
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
