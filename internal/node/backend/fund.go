package backend

import (
	"context"
	"errors"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

var _ proposal.Node = (*Provider)(nil)

// Fund implements proposal.Node. Core accepts any fee rate, so Fund rejects a fee rate
// below the node's minimum relay fee. See [Wallet.FundPSBT].
func (p *Provider) Fund(ctx context.Context, w wallet.NodeWallet, f proposal.Funding) (funded proposal.Funded, err error) {
	if least := p.RelayMinimum(w); f.FeeRate > 0 && f.FeeRate < least {
		return proposal.Funded{}, fault.InvalidField("fee_rate_sat_vb", "must be at least %s sat/vB, the minimum relay fee of the Bitcoin node", least)
	}
	f, placeholders, err := distinct(f, p.Network())
	if err != nil {
		return proposal.Funded{}, err
	}
	err = p.watched(ctx, func(ctx context.Context) (err error) {
		funded, err = p.node.Wallet(w.Name).FundPSBT(ctx, f, p.status().Version)
		return err
	})
	funded.PSBT = restored(funded.PSBT, placeholders)
	return funded, err
}

// Test implements proposal.Node.
func (p *Provider) Test(ctx context.Context, _ wallet.NodeWallet, raw []byte) error {
	return p.watched(ctx, func(ctx context.Context) error { return p.node.TestMempoolAccept(ctx, raw) })
}

// Send implements proposal.Node. It first checks that the node is reachable: if a call
// fails without a response, it is unknown whether the transaction was sent.
func (p *Provider) Send(ctx context.Context, _ wallet.NodeWallet, raw []byte) error {
	if err := p.usable(ctx); err != nil {
		return err
	}
	return p.watched(ctx, func(ctx context.Context) error { return p.node.SendRawTransaction(ctx, raw) })
}

// Locked implements proposal.Node.
func (p *Provider) Locked(ctx context.Context, w wallet.NodeWallet) (locked []btc.Outpoint, err error) {
	err = p.watched(ctx, func(ctx context.Context) (err error) {
		locked, err = p.node.Wallet(w.Name).ListLocked(ctx)
		return err
	})
	return locked, err
}

// watchAfter is the interval at which watch checks for responses. After an interval
// without a response, watch pings the node. This is at most two intervals after the
// last response.
const watchAfter = 200 * time.Millisecond

// watched makes a call that may take long, unless the node is known to be unusable.
// Unlike usable, it does not ping the node before the call. If the node does not
// respond soon, it pings the node repeatedly, and cancels the call within two seconds
// if the node hangs rather than being busy.
func (p *Provider) watched(ctx context.Context, call func(context.Context) error) error {
	if err := p.lastKnown(); err != nil {
		return err
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	go p.watch(ctx, giveUp)
	err := call(ctx)
	if f, ok := errors.AsType[*fault.Error](context.Cause(ctx)); ok && err != nil {
		return f
	}
	if ctx.Err() == nil && !errors.Is(err, rpcclient.ErrUnavailable) {
		p.answers.Add(1)
	}
	return err
}

// watch cancels a call if the node responds neither to a ping nor to any other call.
// Under load, a ping may wait behind other calls; their responses then prove that the
// node works.
func (p *Provider) watch(ctx context.Context, giveUp context.CancelCauseFunc) {
	answers := p.answers.Load()
	for {
		select {
		case <-time.After(watchAfter):
		case <-ctx.Done():
			return
		}
		before := answers
		if answers = p.answers.Load(); answers != before {
			continue
		}
		if err := p.node.ping(ctx); err != nil && p.answers.Load() == answers {
			giveUp(err)
			return
		}
	}
}
